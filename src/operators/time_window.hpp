#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <limits>

#include "millrace/core/event_time.hpp"

namespace millrace {

/// The times from `start` to before `end` (Flink's TimeWindow). Milliseconds since the epoch.
struct time_window {
  timestamp_ms start = 0;  ///< The first time that belongs to the window.
  timestamp_ms end = 0;    ///< The first time behind it.

  /// The last time that belongs to the window: its results carry it, and the window is complete
  /// once the watermark has reached it.
  constexpr timestamp_ms max_timestamp() const noexcept { return end - 1; }
  /// Whether the two overlap or touch.
  constexpr bool intersects(const time_window& other) const noexcept {
    return start <= other.end && end >= other.start;
  }
  /// The least window that has both in it.
  constexpr time_window cover(const time_window& other) const noexcept {
    return {std::min(start, other.start), std::max(end, other.end)};
  }

  /// By start, then by end.
  auto operator<=>(const time_window&) const = default;
};

/// The one window that all records belong to (Flink's GlobalWindow). It never ends by itself.
struct global_window {
  /// Later than all times.
  constexpr timestamp_ms max_timestamp() const noexcept { return max_watermark; }

  /// All are equal.
  auto operator<=>(const global_window&) const = default;
};

/// What the results of a window have as timestamp: its last time, or none if it never ends.
template <class Window>
constexpr timestamp_ms timestamp_of_results(const Window& window) noexcept {
  return window.max_timestamp() == max_watermark ? no_timestamp : window.max_timestamp();
}

/// Longer spans of time than this (36 million years) are refused, and so are times of records that
/// are further from 1970 than four times as much: then no sum of a time and a few spans overflows.
inline constexpr std::int64_t span_max_ms = std::int64_t{1} << 60;

/// Whether windows and joins can place a time, which `no_timestamp` is not.
constexpr bool is_placeable(timestamp_ms at) noexcept {
  constexpr auto most = std::uint64_t{4} * span_max_ms;
  return static_cast<std::uint64_t>(at) + most <= 2 * most;
}

/// The greatest start of a window of those at `offset` plus multiples of `size`, that is not beyond
/// `at`. Right for times before the epoch, too.
constexpr timestamp_ms window_start(timestamp_ms at, timestamp_ms offset,
                                    std::int64_t size) noexcept {
  const std::int64_t remainder = (at - offset) % size;
  return remainder < 0 ? at - (remainder + size) : at - remainder;
}

/// `a + b` for a time and a span that is not negative: `max_watermark` where it would be beyond.
constexpr timestamp_ms saturating_add(timestamp_ms a, std::int64_t b) noexcept {
  return a > std::numeric_limits<timestamp_ms>::max() - b ? max_watermark : a + b;
}
/// `a - b` for a time and a span that is not negative: `no_timestamp` where it would be before.
constexpr timestamp_ms saturating_subtract(timestamp_ms a, std::int64_t b) noexcept {
  return a < std::numeric_limits<timestamp_ms>::min() + b ? no_timestamp : a - b;
}

}  // namespace millrace
