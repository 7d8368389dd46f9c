#pragma once

#include <cstdint>

// The nth master of a job, from 1, is its nth epoch. Attempts of subtasks are numbered over all of
// them, so that an attempt says whose it is, and files that are named by attempts never collide.

namespace millrace::graph {

/// A master that has used them up makes way for the next one.
inline constexpr std::uint32_t attempts_per_epoch = 1000;

/// The number of the first attempt of a subtask in an epoch.
constexpr std::uint32_t first_attempt_of(std::uint64_t epoch) noexcept {
  return epoch == 0 ? 0 : static_cast<std::uint32_t>((epoch - 1) * attempts_per_epoch);
}

/// In which epoch an attempt runs.
constexpr std::uint64_t epoch_of_attempt(std::uint32_t attempt) noexcept {
  return attempt / attempts_per_epoch + 1;
}

/// Whether the epoch has another attempt behind this one.
constexpr bool has_next_attempt(std::uint32_t attempt) noexcept {
  return attempt % attempts_per_epoch + 1 < attempts_per_epoch;
}

}  // namespace millrace::graph
