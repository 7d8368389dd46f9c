#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/core/error.hpp"
#include "millrace/core/ids.hpp"

namespace millrace::graph {

/// The life of one slot of a task manager:
///
///   free -> allocated -> active
///    ^          |          |
///    +----------+----------+   (freed, or nobody activated it in time)
///
/// Numbers travel between nodes: do not renumber.
enum class slot_state : std::uint8_t {
  free = 0,
  allocated = 1,  ///< Promised to a job whose master has not accepted the offer yet.
  active = 2,     ///< The job's tasks may run in it.
};

std::string_view to_string(slot_state state) noexcept;

/// One slot, as reported to the resource manager and offered to a job master.
struct slot_info {
  std::uint32_t index = 0;
  slot_state state = slot_state::free;
  job_id job;                ///< Zero if free.
  allocation_id allocation;  ///< Zero if free.

  bool operator==(const slot_info&) const = default;
};

/// A task manager's own slots (Flink's TaskSlotTable). Owned by one task manager; times are ms of
/// its clock. Invariant: an allocation holds at most one slot.
class slot_table {
 public:
  explicit slot_table(std::uint32_t slots);

  /// Promises a free slot, the one with that index if given. The promise ends at `deadline_ms`
  /// unless activated. Repeating a promise changes nothing and succeeds. Errors: `errc::no_slots`
  /// if none is free or the wanted one is taken, `errc::protocol` for an index that does not exist
  /// or an allocation that belongs to another job.
  result<slot_info> allocate(job_id job, allocation_id allocation, std::int64_t deadline_ms,
                             std::optional<std::uint32_t> index = std::nullopt);

  /// The job master accepted the offer. Activating twice succeeds. `errc::stale` if the allocation
  /// does not hold a slot for this job (any more).
  status activate(job_id job, allocation_id allocation);

  /// The slot of an allocation, if it is active and the job's: where a task may be deployed.
  std::optional<std::uint32_t> active_slot(job_id job, allocation_id allocation) const;

  /// Whatever it was; what it held. Nothing if the allocation holds no slot.
  std::optional<slot_info> release(allocation_id allocation);

  /// Releases all slots of a job; what they held.
  std::vector<slot_info> release_job(job_id job);

  /// Releases what was promised and not activated in time; what they held.
  std::vector<slot_info> expire(std::int64_t now_ms);

  /// The earliest time at which `expire` will find something.
  std::optional<std::int64_t> next_deadline_ms() const;

  /// What to offer to the job's master: its slots that are promised but not active.
  std::vector<slot_info> offers_for(job_id job) const;

  /// All slots by index.
  std::vector<slot_info> report() const;

  std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(slots_.size()); }
  std::uint32_t free_count() const noexcept;

 private:
  struct table_slot {
    slot_info info;
    std::int64_t deadline_ms = 0;  ///< Only if allocated.
  };

  table_slot* find(allocation_id allocation);
  slot_info clear(table_slot& slot);
  std::vector<slot_info> clear_where(auto&& condition);

  std::vector<table_slot> slots_;
};

}  // namespace millrace::graph
