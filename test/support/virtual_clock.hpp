#pragma once

#include "millrace/core/io.hpp"

namespace millrace::test {

/// Stands still until it is told.
class virtual_clock final : public clock {
 public:
  std::chrono::steady_clock::time_point now() const noexcept override { return now_; }
  std::int64_t wall_ms() const noexcept override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch()).count();
  }

  void advance(std::chrono::nanoseconds by) { now_ += by; }
  void advance_to(std::chrono::steady_clock::time_point to) {
    if (to > now_) now_ = to;
  }

 private:
  std::chrono::steady_clock::time_point now_{std::chrono::hours(1)};
};

}  // namespace millrace::test
