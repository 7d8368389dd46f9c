#pragma once

#include <chrono>

#include "millrace/actors/task_manager_heartbeat.hpp"

namespace millrace {

/// How long to wait before an actor that has gone down gets a successor: longer each time while
/// they go down soon after their start. Plain; belongs to whoever replaces them.
class replacement_pauses {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  void on_started(time_point now) noexcept { began_ = now; }
  /// The pause before the next one starts.
  std::chrono::milliseconds on_down(time_point now) {
    if (now - began_ > steady_life) pauses_.reset();
    return pauses_.next();
  }

 private:
  /// Who has lived so long does not go down at once again.
  static constexpr std::chrono::minutes steady_life{1};

  back_off pauses_{std::chrono::milliseconds(50), std::chrono::milliseconds(10'000)};
  time_point began_{};
};

}  // namespace millrace
