#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

namespace millrace {

/// Decides when a stream of records counts as idle: no record for `timeout`. Looked at in regular
/// intervals; a pause between two looks that is much longer than the interval means that the task
/// was held up, and counts as one interval: a source that waits for credit is not idle.
class idleness_timer {
 public:
  using duration = std::chrono::steady_clock::duration;
  using time_point = std::chrono::steady_clock::time_point;

  idleness_timer(duration timeout, duration interval) : timeout_(timeout), interval_(interval) {}

  /// There were records.
  void on_activity() noexcept {
    had_records_ = true;
    quiet_ = duration::zero();
  }

  /// Whether there was nothing for long enough, up to `now`. `counts` is false if there could have
  /// been nothing since the last look.
  bool look(time_point now, bool counts = true) noexcept {
    const auto since = last_look_ ? now - *last_look_ : duration::zero();
    last_look_ = now;
    if (!had_records_ && counts) quiet_ += std::min(since, 2 * interval_);
    had_records_ = false;
    return quiet_ >= timeout_;
  }

 private:
  duration timeout_;
  duration interval_;
  duration quiet_ = duration::zero();
  std::optional<time_point> last_look_;
  bool had_records_ = false;
};

}  // namespace millrace
