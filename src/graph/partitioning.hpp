#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace::graph {

/// How the records of one exchange are spread over the subtasks of its target (Flink's
/// StreamPartitioner). Numbers travel between nodes: do not renumber.
enum class partitioning : std::uint8_t {
  forward = 0,    ///< Subtask i to subtask i; both ends have the same parallelism.
  hash = 1,       ///< By the key group of the record's key.
  rebalance = 2,  ///< Round robin over all subtasks of the target.
  rescale = 3,    ///< Round robin over a contiguous group of the target's subtasks.
  shuffle = 4,    ///< At random over all subtasks of the target.
  broadcast = 5,  ///< Every record to every subtask of the target.
  global = 6,     ///< Everything to subtask 0 of the target.
  custom = 7,     ///< Where a user function says.
};

/// Lower-case name, as JSON and plans show it.
std::string_view to_string(partitioning p) noexcept;

/// The inverse of `to_string`; nothing for any other text.
std::optional<partitioning> parse_partitioning(std::string_view text) noexcept;

/// Whether a subtask talks only to a contiguous group of the other side's subtasks (Flink's
/// POINTWISE distribution pattern), rather than to all of them.
constexpr bool is_pointwise(partitioning p) noexcept {
  return p == partitioning::forward || p == partitioning::rescale;
}

}  // namespace millrace::graph
