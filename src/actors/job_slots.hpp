#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "millrace/actors/messages.hpp"
#include "millrace/graph/execution_graph.hpp"
#include "millrace/graph/slot_sharing.hpp"

namespace millrace {

/// The slots that a job needs, those that task managers have offered, and what to deploy where once
/// all are there. Plain; owned by the job master.
class job_slots {
 public:
  struct slot {
    allocation_id allocation;
    wire::peer_location where;
  };

  explicit job_slots(graph::slot_plan plan) : plan_(std::move(plan)) {}

  std::uint32_t needed() const noexcept {
    return static_cast<std::uint32_t>(plan_.requests.size());
  }
  /// In the order of the offers; the n-th is the plan's n-th.
  const std::vector<slot>& held() const noexcept { return held_; }
  bool is_complete() const noexcept { return held_.size() == needed(); }

  /// Whether the slot is now the job's. Offering it twice is fine.
  bool accept(const wire::offer_slot& offer);
  /// The task manager is gone; whether slots went with it.
  bool remove(const resource_id& task_manager);
  /// The job is over: the slots to free.
  std::vector<slot> take_all() { return std::exchange(held_, {}); }

  /// Where a subtask runs; there must be enough slots.
  const slot& slot_of(graph::subtask_ref subtask) const;
  /// One message for each task manager, by its id. Requires is_complete().
  std::map<resource_id, wire::deploy_tasks> deployments(
      const graph::execution_graph& execution) const;

 private:
  graph::slot_plan plan_;
  std::vector<slot> held_;
};

}  // namespace millrace
