#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "millrace/actors/messages.hpp"
#include "millrace/graph/execution_graph.hpp"
#include "millrace/graph/slot_sharing.hpp"

namespace millrace {

/// The slots that a job needs, those that task managers have offered, and what to deploy where once
/// all are there. A slot that is lost leaves its place to the next that is offered; the others keep
/// theirs, and the tasks in them. Of the places that are free, a slot gets the one with the most
/// tasks whose state its task manager has copies of (Flink's sticky assignment by previous
/// allocations), even if another slot, without such copies and without tasks yet, was offered
/// earlier and has to make way. Plain; owned by the job master.
class job_slots {
 public:
  struct slot {
    allocation_id allocation;
    wire::peer_location where;
  };

  explicit job_slots(graph::slot_plan plan);

  std::uint32_t needed() const noexcept {
    return static_cast<std::uint32_t>(plan_.requests.size());
  }
  bool is_complete() const noexcept;

  /// Whether the slot is now the job's. Offering it twice is fine.
  bool accept(const wire::offer_slot& offer);
  /// The task manager is gone; whether slots went with it.
  bool remove_all_of(const resource_id& task_manager);
  /// The slot is not the job's any more, whatever was said before; whether it was until now.
  bool remove(const allocation_id& allocation);
  /// The job is over: the slots to free.
  std::vector<slot> take_all();

  /// Where a subtask runs; there must be enough slots.
  const slot& slot_of(graph::subtask_ref subtask) const;
  /// For those tasks that are scheduled, one message for each task manager, by its id. Requires
  /// is_complete().
  std::map<resource_id, wire::deploy_tasks> deployments(const graph::execution_graph& execution);

 private:
  struct place {
    std::set<graph::subtask_ref> subtasks;  ///< That run there.
    std::optional<slot> held;
    std::size_t kept = 0;      ///< Of the subtasks, those whose state is near the slot.
    bool is_deployed = false;  ///< Tasks have been sent there.

    bool is_free() const noexcept { return !held; }
    void lose() noexcept {
      held.reset();
      kept = 0;
      is_deployed = false;
    }
  };
  static std::size_t kept_in(const place& p, const wire::offer_slot& offer);
  place* place_for(const wire::offer_slot& offer);

  graph::slot_plan plan_;
  std::vector<place> places_;  // by the plan's number
};

}  // namespace millrace
