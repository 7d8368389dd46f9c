#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "millrace/core/assert.hpp"

/// Key groups: the atoms of keyed state. A job's keys fall into `max_parallelism` groups for its
/// whole life, and subtasks own contiguous ranges of groups, so that rescaling moves whole groups.
/// The ranges are those of Flink's KeyGroupRangeAssignment.
namespace millrace {

/// The least number of key groups that a job may have.
inline constexpr std::uint32_t max_parallelism_min = 1;
/// The greatest, as in Flink.
inline constexpr std::uint32_t max_parallelism_max = 32768;
/// The least that default_max_parallelism() chooses.
inline constexpr std::uint32_t max_parallelism_default = 128;

/// The group of a key's hash, in [0, max_parallelism): the high 32 bits, scaled by multiply-shift
/// (Lemire 2016). The low bits stay free for hash tables.
constexpr std::uint32_t key_group_of(std::uint64_t hash, std::uint32_t max_parallelism) noexcept {
  return static_cast<std::uint32_t>(((hash >> 32) * max_parallelism) >> 32);
}

/// The subtask that owns a group. Requires group < max_parallelism and parallelism <=
/// max_parallelism.
constexpr std::uint32_t subtask_of_key_group(std::uint32_t group, std::uint32_t max_parallelism,
                                             std::uint32_t parallelism) noexcept {
  return static_cast<std::uint32_t>(std::uint64_t{group} * parallelism / max_parallelism);
}

/// Groups first..last, both included.
struct key_group_range {
  std::uint32_t first = 0;  ///< The first group.
  std::uint32_t last = 0;   ///< The last group.

  /// Number of groups, at least 1.
  constexpr std::uint32_t size() const noexcept { return last - first + 1; }
  /// Whether the group is one of them.
  constexpr bool contains(std::uint32_t group) const noexcept {
    return first <= group && group <= last;
  }
  /// The same groups.
  bool operator==(const key_group_range&) const = default;
};

/// The groups of one subtask; never empty, as parallelism must not exceed max_parallelism.
constexpr key_group_range key_group_range_of(std::uint32_t subtask, std::uint32_t max_parallelism,
                                             std::uint32_t parallelism) {
  MILLRACE_ASSERT(subtask < parallelism && parallelism <= max_parallelism,
                  "a subtask beyond the parallelism, or a parallelism beyond its maximum");
  const std::uint64_t index = subtask;
  return {static_cast<std::uint32_t>((index * max_parallelism + parallelism - 1) / parallelism),
          static_cast<std::uint32_t>(((index + 1) * max_parallelism - 1) / parallelism)};
}

/// What an operator gets that was given no maximum: 1.5 times its parallelism, rounded up to a
/// power of two, within [128, 32768].
constexpr std::uint32_t default_max_parallelism(std::uint32_t parallelism) noexcept {
  const std::uint64_t roomy = std::uint64_t{parallelism} + parallelism / 2;
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(
      std::bit_ceil(roomy), max_parallelism_default, max_parallelism_max));
}

}  // namespace millrace
