#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "millrace/actors/messages.hpp"
#include "millrace/graph/execution_graph.hpp"
#include "millrace/graph/slot_sharing.hpp"

namespace millrace {

/// The slots that a job needs, those that task managers have offered, and what to deploy where once
/// all are there. A slot that is lost leaves its place to the next that is offered; the others keep
/// theirs, and the tasks in them. Plain; owned by the job master.
class job_slots {
 public:
  struct slot {
    allocation_id allocation;
    wire::peer_location where;
  };

  explicit job_slots(graph::slot_plan plan)
      : plan_(std::move(plan)), held_(plan_.requests.size()) {}

  std::uint32_t needed() const noexcept {
    return static_cast<std::uint32_t>(plan_.requests.size());
  }
  bool is_complete() const noexcept;

  /// Whether the slot is now the job's. Offering it twice is fine.
  bool accept(const wire::offer_slot& offer);
  /// The task manager is gone; whether slots went with it.
  bool remove(const resource_id& task_manager);
  /// The job is over: the slots to free.
  std::vector<slot> take_all();

  /// Where a subtask runs; there must be enough slots.
  const slot& slot_of(graph::subtask_ref subtask) const;
  /// For those tasks that are scheduled, one message for each task manager, by its id. Requires
  /// is_complete().
  std::map<resource_id, wire::deploy_tasks> deployments(
      const graph::execution_graph& execution) const;

 private:
  graph::slot_plan plan_;
  std::vector<std::optional<slot>> held_;  // by the plan's number
};

}  // namespace millrace
