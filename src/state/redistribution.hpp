#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/core/error.hpp"

/// What becomes of operator state when a job is restored with another parallelism (Flink's
/// RoundRobinOperatorStateRepartitioner). Plain functions over encoded elements.
namespace millrace {

/// Numbers are in snapshots: do not renumber.
enum class operator_state_mode : std::uint8_t {
  split = 1,      ///< Elements are dealt out to the subtasks.
  unite = 2,      ///< Every subtask gets the elements of all.
  broadcast = 3,  ///< Every subtask gets the same copy.
  /// Elements of a united state that others have saved: part of it for whoever asks for it, but not
  /// of what the subtask saves. Only `redistribute` makes them; no snapshot has them.
  unite_others = 4,
};

/// One operator state of one subtask, encoded.
struct saved_operator_state {
  std::string name;
  operator_state_mode mode = operator_state_mode::split;
  std::uint32_t serializer_version = 0;  ///< codec_version when it was written.
  std::uint64_t type = 0;                ///< Fingerprint of the container.
  std::vector<std::vector<std::byte>> elements;

  bool operator==(const saved_operator_state&) const = default;
};

/// All states of one subtask, by name. One may be there several times, by types old and new: the
/// subtask has not asked for it, but others have, with a type that had changed.
using subtask_operator_state = std::vector<saved_operator_state>;

/// Deals elements out to `parts` in turn, the first to part 0: parts differ by one element at most.
std::vector<std::vector<std::vector<std::byte>>> split_round_robin(
    std::vector<std::vector<std::byte>> elements, std::uint32_t parts);

/// From the states that the subtasks saved, in their order, to those that `parallelism` subtasks
/// begin with:
///
/// - split: unchanged if the parallelism is; else the elements of all subtasks, in their order,
///   dealt out in turn, those of each type for themselves.
/// - unite: the elements of all subtasks, in their order, to each. What subtask s of p had is
///   `unite` for subtask s * parallelism / p, which saves it again if nobody asks for it there, and
///   `unite_others` for the rest: if each saved all elements, the next restore would find them as
///   often as there are subtasks.
/// - broadcast: subtask i gets the copy of subtask i modulo the old parallelism; they are the same,
///   but this spreads the reading. If there are copies of several types, one of each.
///
/// Whether types fit is found out where the state is asked for. One that only some subtasks have
/// counts as empty for the others. Fails with `invalid_data` for a mode that no snapshot has.
result<std::vector<subtask_operator_state>> redistribute(
    const std::vector<subtask_operator_state>& saved, std::uint32_t parallelism);

}  // namespace millrace
