#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

#include "millrace/stream/element.hpp"

namespace millrace::test::reference {

/// What event time is behind several inputs, by looking at all of them: the least watermark of
/// those that are active and have caught up with it, or the greatest of all if none is active.
class merged_inputs {
 public:
  explicit merged_inputs(std::size_t count) : all_(count) {}

  std::size_t count() const { return all_.size(); }
  bool is_active(std::size_t input) const { return all_[input].is_active; }
  bool is_any_active() const {
    return std::any_of(all_.begin(), all_.end(), [](const one& in) { return in.is_active; });
  }
  /// Whether it has not caught up with what came out.
  bool is_behind(std::size_t input) const { return all_[input].watermark < reached_; }

  /// The input says so; where event time is then, if it has moved.
  std::optional<timestamp_ms> say(std::size_t input, timestamp_ms watermark) {
    all_[input].watermark = watermark;
    return move();
  }
  std::optional<timestamp_ms> say(std::size_t input, stream_status now) {
    all_[input].is_active = now == stream_status::active;
    return move();
  }

 private:
  struct one {
    timestamp_ms watermark = no_timestamp;
    bool is_active = true;
  };

  std::optional<timestamp_ms> move() {
    std::optional<timestamp_ms> least, greatest;
    for (const auto& in : all_) {
      greatest = std::max(greatest.value_or(no_timestamp), in.watermark);
      if (in.is_active && in.watermark >= reached_)
        least = least ? std::min(*least, in.watermark) : in.watermark;
    }
    const auto now = is_any_active() ? least : greatest;
    if (!now || *now <= reached_) return std::nullopt;
    return reached_ = *now;
  }

  std::vector<one> all_;
  timestamp_ms reached_ = no_timestamp;
};

}  // namespace millrace::test::reference
