#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "millrace/core/assert.hpp"

namespace millrace {

/// Credit that a task owes to its producers. One credit message per batch would double the messages
/// of the data plane, so charges are summed up and sent when the task's step ends, or as soon as
/// half of a channel's window is owed, so that its sender never runs dry meanwhile. Owned by one
/// task.
class credit_accumulator {
 public:
  /// `window` is what was granted to each channel.
  credit_accumulator(std::uint32_t channels, std::uint64_t window)
      : owed_(channels), send_at_(window / 2) {}

  /// Notes a charge; returns what is to be sent on `channel` now, usually 0.
  std::uint64_t owe(std::uint32_t channel, std::uint64_t charge) {
    MILLRACE_ASSERT(channel < owed_.size(), "no such input channel");
    auto& sum = owed_[channel];
    if (sum == 0 && charge != 0) owing_.push_back(channel);
    sum += charge;
    // The channel stays listed; with nothing owed settle() skips it.
    if (sum < send_at_) return 0;
    return std::exchange(sum, 0);
  }

  /// Calls `send(channel, charge)` for everything that is owed.
  template <class Send>
  void settle(Send&& send) {
    for (const auto channel : owing_) {
      if (const auto sum = std::exchange(owed_[channel], 0); sum != 0) send(channel, sum);
    }
    owing_.clear();
  }

 private:
  std::vector<std::uint64_t> owed_;   // by channel
  std::vector<std::uint32_t> owing_;  // channels that may owe something, in the order of use
  std::uint64_t send_at_;
};

}  // namespace millrace
