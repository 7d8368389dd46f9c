#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "millrace/core/error.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/graph/slot_table.hpp"

namespace millrace::graph {

/// Which task manager gets the next slot.
enum class slot_placement : std::uint8_t {
  fill,    ///< The fullest that has room: a job touches as few processes as possible.
  spread,  ///< The emptiest (`cluster.evenly-spread-out-slots`).
};

/// A slot that a job is given: the task manager is to be told.
struct slot_grant {
  job_id job;
  allocation_id allocation;
  resource_id task_manager;
  std::string address;
  std::uint32_t slot = 0;  ///< Index at the task manager.

  bool operator==(const slot_grant&) const = default;
};

/// A job that waited too long for its slots.
struct slot_failure {
  job_id job;
  error why;  ///< `errc::no_slots`
};

/// What went away with a task manager.
struct lost_slots {
  std::vector<slot_grant> lost;      ///< Were confirmed: their jobs must be told.
  std::vector<slot_grant> requeued;  ///< Were not: their jobs will get others.
};

struct task_manager_slots {
  resource_id id;
  std::string address;
  std::uint32_t slots = 0;
  std::uint32_t free = 0;

  bool operator==(const task_manager_slots&) const = default;
};

/// The resource manager's view of all slots and of who waits for some (Flink's SlotManager). Owned
/// by one resource manager; times are ms of its clock. Decides; others carry the decisions out.
///
/// Jobs are served first come, first served, and all or nothing: a job that gets only some of its
/// slots could not run, and two such jobs would block each other. A job that must wait although the
/// cluster is large enough for it keeps later ones waiting, so that it is not overtaken for ever;
/// one that the whole cluster could not satisfy does not.
///
/// A job gets slots where it had some that it lacks now, for there may be copies of its state; else
/// as the placement says.
///
/// Invariant: slots in use + free slots = registered slots.
class slot_matcher {
 public:
  explicit slot_matcher(slot_placement placement = slot_placement::fill) : placement_(placement) {}

  /// A task manager and what its slots hold: all free, or, if it outlived the resource manager it
  /// knew, some in use. Registering again replaces what was known about it, as if it had been
  /// removed before; what it does not hold any more is returned. `had` are numbers of slots that
  /// jobs had there before it registered.
  lost_slots add_task_manager(const resource_id& id, std::string address,
                              const std::vector<slot_info>& slots,
                              std::map<job_id, std::uint32_t> had = {});

  /// It is gone, and its slots with it. Grants that it had not confirmed go back to where their job
  /// stands in the queue.
  lost_slots remove_task_manager(const resource_id& id);

  /// A job wants one slot per allocation, until `deadline_ms`. Asking again for the same allocation
  /// changes nothing but the deadline.
  void request(const job_id& job, const std::string& job_name,
               const std::vector<allocation_id>& allocations, std::int64_t now_ms,
               std::int64_t deadline_ms);

  /// What can be granted now. Each slot granted is in use until released.
  std::vector<slot_grant> match();

  // A task manager's word counts only for its own slots: after it was removed, an allocation may
  // have been granted again elsewhere. Each of these is ignored if it does not hold the allocation.

  /// The task manager took the grant.
  void confirm(const resource_id& task_manager, const allocation_id& allocation);

  /// The task manager refused the grant, which goes back to where its job stands in the queue. The
  /// slot counts as free again. Ignored once confirmed.
  void reject(const resource_id& task_manager, const allocation_id& allocation);

  /// What waits under one id goes on waiting under another one, in its place. To be called for what
  /// went back into the queue: what a task manager still says about the old grant must not be taken
  /// for the next one.
  void rename(const job_id& job, const allocation_id& from, const allocation_id& to);

  /// The slot is free again.
  void release(const resource_id& task_manager, const allocation_id& allocation);

  /// The job wants no more slots. What it has is kept until released.
  void withdraw(const job_id& job);

  /// The job will not come back: where it had slots does not matter any more.
  void forget(const job_id& job);

  /// The jobs whose deadline has passed while they wait; they wait no longer. "job 'wc' needs 5
  /// slots, 1 free of 4 registered (on 2 task managers) after 300 s; …"
  std::vector<slot_failure> expire(std::int64_t now_ms);

  /// The earliest time at which `expire` will find something.
  std::optional<std::int64_t> next_deadline_ms() const;

  std::uint32_t registered_count() const;
  std::uint32_t free_count() const;

  /// By registration.
  std::vector<task_manager_slots> task_managers() const;

  /// Slots that a job waits for.
  std::uint32_t pending_count(const job_id& job) const;

 private:
  struct known_slot {
    slot_info info;
    bool confirmed = false;
  };

  struct known_task_manager {
    resource_id id;
    std::string address;
    std::vector<known_slot> slots;
    std::map<job_id, std::uint32_t> had;  ///< The most confirmed slots of a job at once.

    std::uint32_t free_count() const;
    std::uint32_t used_by(const job_id& job) const;
    /// What is confirmed now counts for `had`.
    void note_slots_of(const job_id& job);
    /// Whether the job had more slots here than it has now.
    bool is_missed_by(const job_id& job) const;
  };

  /// A job in the queue, and what it waits for.
  struct job_demand {
    job_id job;
    std::string job_name;
    std::vector<allocation_id> pending;
    std::uint32_t needed = 0;  ///< All that it asked for.
    std::int64_t since_ms = 0;
    std::int64_t deadline_ms = 0;
  };

  job_demand* find_demand(const job_id& job);
  known_task_manager* find_task_manager(const resource_id& task_manager);
  known_slot* find_slot(const resource_id& task_manager, const allocation_id& allocation);
  bool is_granted(const allocation_id& allocation) const;
  known_task_manager* next_task_manager(const job_id& job);
  std::uint32_t used_by(const job_id& job) const;
  bool requeue(const job_id& job, const allocation_id& allocation);
  slot_grant grant(const job_id& job, const allocation_id& allocation);
  std::string shortage_text(const job_demand& demand, std::int64_t now_ms) const;

  slot_placement placement_;
  std::vector<known_task_manager> task_managers_;
  std::deque<job_demand> queue_;  ///< By arrival; a job stays until withdrawn or expired.
};

}  // namespace millrace::graph
