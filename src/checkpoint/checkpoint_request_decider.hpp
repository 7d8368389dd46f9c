#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "millrace/checkpoint/checkpoint_settings.hpp"
#include "millrace/stream/element.hpp"

namespace millrace {

/// Decides when the next checkpoint begins (Flink's CheckpointRequestDecider):
///
/// - one is due an interval after the last one began, but not before the minimal pause since the
///   last one ended is over;
/// - what somebody asked for is due at once, whatever interval and pause say;
/// - none begins while as many as may are under way, nor ever in a job that takes none (an interval
///   of 0), of which it is only known here whether all tasks run.
///
/// Plain; times are ms of any clock that never goes back. Owned by the coordinator.
class checkpoint_request_decider {
 public:
  explicit checkpoint_request_decider(const checkpoint_settings& settings)
      : interval_ms_(settings.interval_ms),
        min_pause_ms_(settings.min_pause_ms),
        concurrent_max_(settings.concurrent_max) {}

  /// All tasks run: the first checkpoint is due an interval from now.
  void start(std::int64_t now_ms);
  /// Not all tasks run.
  void stop() noexcept { due_ms_.reset(); }
  bool is_started() const noexcept { return due_ms_.has_value(); }

  /// Somebody wants one.
  void request() noexcept { is_requested_ = true; }
  /// A checkpoint has ended, however it did.
  void on_ended(std::int64_t now_ms) noexcept { ended_ms_ = now_ms; }

  /// Whether one is to begin now; if so, it counts as begun.
  bool begin(std::int64_t now_ms, std::size_t under_way);
  /// When to ask again; nothing if only the end of one that is under way can change the answer.
  std::optional<std::int64_t> next_ms(std::size_t under_way) const;

 private:
  std::int64_t interval_ms_;
  std::int64_t min_pause_ms_;
  std::uint32_t concurrent_max_;
  std::optional<std::int64_t> due_ms_;  // from start to stop
  std::optional<std::int64_t> ended_ms_;
  bool is_requested_ = false;
};

}  // namespace millrace
