#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace millrace {

/// A count that one thread at a time writes and any thread reads. Costs what a plain integer costs:
/// a load and a store, no locked instruction.
class counter {
 public:
  counter() = default;
  counter(const counter&) = delete;
  counter& operator=(const counter&) = delete;

  /// Only by the owner.
  void add(std::uint64_t n = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  /// By anybody; may lag behind the owner.
  std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// Turns readings of a counter into a rate. Belongs to whoever reads.
class meter {
 public:
  /// Takes a reading. Readings less than a millisecond after the last one leave the rate as it is;
  /// a count that went back (its task was restarted) starts afresh.
  void update(std::uint64_t count, std::chrono::nanoseconds now) noexcept {
    if (started_ && count >= count_) {
      const auto elapsed = now - at_;
      if (elapsed < std::chrono::milliseconds(1)) return;
      per_second_ =
          static_cast<double>(count - count_) / std::chrono::duration<double>(elapsed).count();
    } else {
      per_second_ = 0;
    }
    started_ = true;
    count_ = count;
    at_ = now;
  }

  /// Between the last two readings; 0 before there are two.
  double per_second() const noexcept { return per_second_; }

 private:
  bool started_ = false;
  std::uint64_t count_ = 0;
  std::chrono::nanoseconds at_{0};
  double per_second_ = 0;
};

}  // namespace millrace
