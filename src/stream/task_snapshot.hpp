#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "millrace/core/ids.hpp"
#include "millrace/state/database_image.hpp"
#include "millrace/state/encoded_key_group.hpp"
#include "millrace/state/redistribution.hpp"
#include "millrace/stream/element.hpp"
#include "millrace/stream/in_flight_batch.hpp"

// What a task gives to a checkpoint, and what it gets back from one: encoded, in memory, but for
// batches that were on their way, and for databases, which are local files. Where it is stored is
// not the task's business.

namespace millrace {

/// The state of one operator of one subtask.
struct operator_snapshot {
  subtask_operator_state operator_state;
  std::vector<encoded_key_group> keyed_state;  ///< By key group; empty if there is none.
  /// The rest of the keyed state: of a native snapshot, or where the backend has brought it for a
  /// restart; null if all of it is in the key groups.
  std::shared_ptr<database_image> database{};

  bool operator==(const operator_snapshot&) const = default;
};

/// The state of one subtask as of a barrier.
struct task_snapshot {
  barrier cut;
  /// All operators had emitted everything that there is: the task only waits for this checkpoint. A
  /// source that was drained has more, for a job that begins from here.
  bool operators_finished = false;
  std::vector<operator_snapshot> operators;  ///< By operator index of the vertex.
  /// From the first barrier to the last, and what processing stood still for.
  std::chrono::nanoseconds alignment{};
  std::chrono::nanoseconds synchronous{};
  in_flight_batches in_flight{};  ///< Of an unaligned checkpoint.
  /// When the state was frozen: the asynchronous part begins.
  std::chrono::steady_clock::time_point frozen_at{};
};

/// How much of a subtask's work was done when a checkpoint was taken.
enum class subtask_ending : std::uint8_t {
  none,                ///< It goes on.
  operators_finished,  ///< It had emitted everything; what is to be committed is in its state.
  ended,               ///< It had nothing to do any more, and has no state.
};

/// What one subtask begins with.
struct task_restore {
  checkpoint_id checkpoint;
  subtask_ending ending = subtask_ending::none;
  /// By operator index of the vertex; nothing for one that the checkpoint does not know, which
  /// begins afresh.
  std::vector<std::optional<operator_snapshot>> operators;
  in_flight_batches in_flight{};  ///< They come before all else on their channels.
};

}  // namespace millrace
