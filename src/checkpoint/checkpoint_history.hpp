#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

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

enum class subtask_checkpoint_status : std::uint8_t {
  awaited = 0,       ///< It has not acknowledged; of one that has failed: it never did.
  acknowledged = 1,  ///< Its state is stored.
  ended = 2,         ///< It had ended before, and takes no part.
};

std::string_view to_string(subtask_checkpoint_status how) noexcept;

/// What a subtask has done for a checkpoint (Flink's SubtaskStateStats). Numbers are 0 unless it
/// has acknowledged; they mean what they do in a checkpoint_record.
struct subtask_checkpoint {
  std::uint32_t vertex = 0;
  std::uint32_t subtask = 0;
  subtask_checkpoint_status status = subtask_checkpoint_status::awaited;
  bool has_emitted_all = false;    ///< It had nothing to emit any more, and waited for this one.
  std::uint64_t duration_ms = 0;   ///< From the checkpoint's begin to the acknowledgement.
  std::uint64_t bytes = 0;         ///< Of its state.
  std::uint64_t stored_bytes = 0;  ///< Of them, what no earlier checkpoint had stored.
  std::uint64_t in_flight_bytes = 0;
  std::uint64_t alignment_ms = 0;
  std::uint64_t synchronous_ms = 0;
  std::uint64_t asynchronous_ms = 0;

  bool operator==(const subtask_checkpoint&) const = default;
};

/// The latest checkpoints of a job, by subtask too, and counts of all (Flink's
/// CheckpointStatsTracker). So it takes less than 2 KB for each subtask of the job. Plain.
class checkpoint_history {
 public:
  static constexpr std::size_t size_max = 20;

  /// Notes one that has ended, with what its subtasks have done: none if none was told of it.
  void add(checkpoint_record ended, std::vector<subtask_checkpoint> subtasks = {});

  /// Oldest first.
  const std::deque<checkpoint_record>& ended() const noexcept { return ended_; }
  /// Of one of `ended()`, by vertex and subtask.
  const std::vector<subtask_checkpoint>& subtasks_of(checkpoint_id checkpoint) const {
    return subtasks_.at(checkpoint);
  }
  std::uint64_t completed() const noexcept { return completed_; }
  std::uint64_t failed() const noexcept { return failed_; }

 private:
  std::deque<checkpoint_record> ended_;
  std::map<checkpoint_id, std::vector<subtask_checkpoint>> subtasks_;  // of all in ended_
  std::uint64_t completed_ = 0;
  std::uint64_t failed_ = 0;
};

}  // namespace millrace
