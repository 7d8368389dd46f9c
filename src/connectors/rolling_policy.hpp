#pragma once

#include <chrono>
#include <cstdint>
#include <limits>

namespace millrace {

/// When a file sink ends the part it writes to and begins another (Flink's DefaultRollingPolicy and
/// OnCheckpointRollingPolicy). Whatever comes first counts; a part also ends with the stream.
struct rolling_policy {
  /// For a size that never matters.
  static constexpr std::uint64_t no_size = std::numeric_limits<std::uint64_t>::max();
  /// For an interval that never matters.
  static constexpr std::chrono::milliseconds no_interval = std::chrono::milliseconds::max();

  /// A part ends with the record that brings it to this size.
  std::uint64_t part_bytes = std::uint64_t{128} << 20;
  /// A part is open for no longer than this.
  std::chrono::milliseconds rollover_interval{60'000};
  /// A part ends when so much time has gone by without a record for it.
  std::chrono::milliseconds inactivity_interval{60'000};
  /// A part ends at each checkpoint. Else it goes on over checkpoints, and a restart copies what
  /// the last one has of it.
  bool on_checkpoint = false;

  /// Parts end at checkpoints and at nothing else.
  static rolling_policy only_on_checkpoint() { return {no_size, no_interval, no_interval, true}; }
  /// One part per bucket and subtask.
  static rolling_policy never() { return {no_size, no_interval, no_interval, false}; }

  /// Throws `failure(invalid_argument)` for a size or an interval that is not positive.
  void check() const;
};

}  // namespace millrace
