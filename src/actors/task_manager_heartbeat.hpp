#pragma once

#include <chrono>
#include <cstdint>

namespace millrace {

/// Watches one peer that should answer regularly: the task manager's view of its master. A plain
/// decision, time is passed in; owned by one actor.
class master_heartbeat {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  /// The peer was there at `now`. An interval or timeout of zero would divide or kill at once, so
  /// both are at least a millisecond, and the timeout at least two intervals.
  master_heartbeat(std::chrono::milliseconds interval, std::chrono::milliseconds timeout,
                   time_point now) noexcept;

  /// The number for the next heartbeat, from 1.
  std::uint64_t next() noexcept { return ++sent_; }
  /// An answer to heartbeat `sequence`; one to a heartbeat never sent is ignored.
  void answered(std::uint64_t sequence, time_point now) noexcept;
  /// To be asked once each interval. A process that was itself stopped for a while (suspended, or
  /// starved) can't tell who was silent meanwhile, so its clock starts afresh.
  bool is_lost(time_point now) noexcept;

  std::chrono::milliseconds interval() const noexcept { return interval_; }
  std::chrono::milliseconds timeout() const noexcept { return timeout_; }

 private:
  std::chrono::milliseconds interval_;
  std::chrono::milliseconds timeout_;
  time_point heard_;
  time_point checked_;
  std::uint64_t sent_ = 0;
};

/// Waiting times between attempts, doubling from the first to the longest (exponential back-off).
class back_off {
 public:
  constexpr back_off(std::chrono::milliseconds first, std::chrono::milliseconds longest) noexcept
      : first_(first), longest_(longest), next_(first) {}

  std::chrono::milliseconds next() noexcept {
    const auto now = next_;
    next_ = next_ * 2 < longest_ ? next_ * 2 : longest_;
    return now;
  }
  void reset() noexcept { next_ = first_; }

 private:
  std::chrono::milliseconds first_;
  std::chrono::milliseconds longest_;
  std::chrono::milliseconds next_;
};

}  // namespace millrace
