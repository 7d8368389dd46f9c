#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "millrace/core/ids.hpp"
#include "millrace/stream/element.hpp"

namespace millrace {

enum class checkpoint_status : std::uint8_t { in_progress = 0, completed = 1, failed = 2 };

std::string_view to_string(checkpoint_status how) noexcept;
/// "checkpoint", "savepoint", "final savepoint".
std::string_view to_string(checkpoint_kind kind) noexcept;

/// What people are told about a checkpoint.
struct checkpoint_record {
  checkpoint_id checkpoint;
  checkpoint_kind kind = checkpoint_kind::checkpoint;
  checkpoint_status status = checkpoint_status::in_progress;
  std::uint64_t triggered_wall_ms = 0;
  std::uint64_t duration_ms = 0;  ///< Until it ended, or until now.
  std::uint32_t acknowledged = 0;
  std::uint32_t tasks = 0;            ///< Whose acknowledgements it takes.
  std::uint64_t bytes = 0;            ///< Of state, as far as acknowledged.
  std::uint64_t stored_bytes = 0;     ///< Of them, what no earlier checkpoint had stored.
  std::uint64_t in_flight_bytes = 0;  ///< Of them, batches that were on their way.
  std::uint64_t alignment_ms = 0;     ///< The longest of a task, until the last barrier had come.
  std::uint64_t synchronous_ms = 0;   ///< The longest that a task stood still.
  std::uint64_t asynchronous_ms = 0;  ///< The longest that a task wrote and stored afterwards.
  std::string location;               ///< Once completed.
  std::string failure;                ///< Why it failed.

  bool operator==(const checkpoint_record&) const = default;
};

/// The latest checkpoints of a job and counts of all (Flink's CheckpointStatsTracker). Plain.
class checkpoint_history {
 public:
  static constexpr std::size_t size_max = 20;

  /// Notes one that has ended.
  void add(checkpoint_record ended);

  /// Oldest first.
  const std::deque<checkpoint_record>& ended() const noexcept { return ended_; }
  std::uint64_t completed() const noexcept { return completed_; }
  std::uint64_t failed() const noexcept { return failed_; }

 private:
  std::deque<checkpoint_record> ended_;
  std::uint64_t completed_ = 0;
  std::uint64_t failed_ = 0;
};

}  // namespace millrace
