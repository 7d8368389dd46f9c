#pragma once

#include <chrono>
#include <cstdint>

namespace millrace {

/// How many records a source that is limited to a rate may emit by now. A plain decision: the
/// caller brings the time. Time that the source could not use, because it was held up, is made up
/// for at most one second's worth, so that a stall is not followed by a flood.
class rate_limit {
 public:
  /// On the steady clock.
  using time_point = std::chrono::steady_clock::time_point;

  /// `per_second` must be above 0.
  explicit rate_limit(double per_second) : per_second_(per_second) {}

  /// From when on records are due.
  void start(time_point now) noexcept { start_ = now; }

  /// Records that are due at `now` and were not taken yet.
  std::uint64_t due(time_point now) noexcept {
    const double elapsed = seconds(now - start_).count();
    const double owed = elapsed * per_second_ - static_cast<double>(taken_);
    if (owed > per_second_ && owed > 1) {
      start_ = now - std::chrono::duration_cast<std::chrono::steady_clock::duration>(seconds(1));
      taken_ = 0;
      return static_cast<std::uint64_t>(per_second_ < 1 ? 1 : per_second_);
    }
    return owed < 1 ? 0 : static_cast<std::uint64_t>(owed);
  }

  /// So many were emitted.
  void take(std::uint64_t records) noexcept { taken_ += records; }

  /// When the next record is due; at least a millisecond from `now`, so that high rates come in
  /// batches.
  time_point next(time_point now) const noexcept {
    const seconds when(static_cast<double>(taken_ + 1) / per_second_);
    // A rate of less than one in 100 years would overflow the clock.
    constexpr seconds far(1e9);
    const auto due_at =
        start_ + std::chrono::ceil<std::chrono::steady_clock::duration>(when < far ? when : far);
    const auto soonest = now + std::chrono::milliseconds(1);
    return due_at < soonest ? soonest : due_at;
  }

 private:
  using seconds = std::chrono::duration<double>;

  double per_second_;
  time_point start_{};
  std::uint64_t taken_ = 0;
};

}  // namespace millrace
