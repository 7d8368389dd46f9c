#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "millrace/stream/element.hpp"
#include "reference/random_numbers.hpp"

namespace millrace::test::reference {

/// What one of the inputs of an operator says about time.
struct input_news {
  std::size_t input = 0;
  std::optional<timestamp_ms> watermark;
  std::optional<stream_status> status;
};

/// How often inputs did what is worth a test.
struct input_shape {
  std::int64_t became_idle = 0;
  std::int64_t let_go = 0;       ///< One that became idle held the others back.
  std::int64_t came_behind = 0;  ///< One became active with a watermark that lies back.
  std::int64_t all_idle = 0;

  input_shape& operator+=(const input_shape& other) {
    became_idle += other.became_idle;
    let_go += other.let_go;
    came_behind += other.came_behind;
    all_idle += other.all_idle;
    return *this;
  }
};

/// Inputs that hear of event time now and then, and are idle now and then; and, by looking at all
/// of them, what event time is behind them: the least watermark of those that are active and have
/// caught up with it, or the greatest of all if none is active.
class random_inputs {
 public:
  explicit random_inputs(random_numbers& random)
      : random_(random), all_(static_cast<std::size_t>(random.upto(1, 3))) {}

  std::size_t count() const { return all_.size(); }

  struct step {
    input_news said;
    std::optional<timestamp_ms> reached;  ///< Where event time is then, if it has moved.
  };
  /// Event time is `at` where the events come from, and some input hears of it.
  std::vector<step> hear(timestamp_ms at) {
    const auto i = any();
    auto& one = all_[i];
    std::vector<step> steps;
    if (!one.is_active) {
      one.is_active = true;
      shape_.came_behind += one.watermark < reached_ ? 1 : 0;
      steps.push_back({{i, {}, stream_status::active}, move()});
      if (random_.one_of(2)) return steps;
    }
    one.watermark = at;
    steps.push_back({{i, at, {}}, move()});
    if (const auto gone = any(); random_.one_of(5) && all_[gone].is_active)
      steps.push_back({{gone, {}, stream_status::idle}, leave(all_[gone])});
    return steps;
  }

  const input_shape& shape() const { return shape_; }

 private:
  struct input {
    timestamp_ms watermark = no_timestamp;
    bool is_active = true;
  };

  std::size_t any() {
    return static_cast<std::size_t>(random_.upto(0, static_cast<std::int64_t>(count()) - 1));
  }

  std::optional<timestamp_ms> leave(input& gone) {
    gone.is_active = false;
    const auto reached = move();
    const bool is_any_active =
        std::any_of(all_.begin(), all_.end(), [](const input& in) { return in.is_active; });
    ++shape_.became_idle;
    shape_.let_go += reached && is_any_active ? 1 : 0;
    shape_.all_idle += is_any_active ? 0 : 1;
    return reached;
  }

  std::optional<timestamp_ms> move() {
    std::optional<timestamp_ms> least, greatest;
    bool is_any_active = false;
    for (const auto& in : all_) {
      is_any_active |= in.is_active;
      greatest = std::max(greatest.value_or(no_timestamp), in.watermark);
      if (in.is_active && in.watermark >= reached_)
        least = least ? std::min(*least, in.watermark) : in.watermark;
    }
    const auto now = is_any_active ? least : greatest;
    if (!now || *now <= reached_) return std::nullopt;
    return reached_ = *now;
  }

  random_numbers& random_;
  std::vector<input> all_;
  timestamp_ms reached_ = no_timestamp;
  input_shape shape_;
};

}  // namespace millrace::test::reference
