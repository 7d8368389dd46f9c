#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "millrace/stream/element.hpp"
#include "reference/merged_inputs.hpp"
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

/// Inputs that hear of event time now and then, and are idle now and then; and what event time is
/// behind them.
class random_inputs {
 public:
  explicit random_inputs(random_numbers& random)
      : random_(random), all_(static_cast<std::size_t>(random.upto(1, 3))) {}

  std::size_t count() const { return all_.count(); }

  struct step {
    input_news said;
    std::optional<timestamp_ms> reached;  ///< Where event time is then, if it has moved.
  };
  /// Event time is `at` where the events come from, and some input hears of it.
  std::vector<step> hear(timestamp_ms at) {
    const auto i = any();
    std::vector<step> steps;
    if (!all_.is_active(i)) {
      shape_.came_behind += all_.is_behind(i) ? 1 : 0;
      steps.push_back({{i, {}, stream_status::active}, all_.say(i, stream_status::active)});
      if (random_.one_of(2)) return steps;
    }
    steps.push_back({{i, at, {}}, all_.say(i, at)});
    if (const auto gone = any(); random_.one_of(5) && all_.is_active(gone))
      steps.push_back({{gone, {}, stream_status::idle}, leave(gone)});
    return steps;
  }

  const input_shape& shape() const { return shape_; }

 private:
  std::size_t any() {
    return static_cast<std::size_t>(random_.upto(0, static_cast<std::int64_t>(count()) - 1));
  }

  std::optional<timestamp_ms> leave(std::size_t gone) {
    const auto reached = all_.say(gone, stream_status::idle);
    ++shape_.became_idle;
    shape_.let_go += reached && all_.is_any_active() ? 1 : 0;
    shape_.all_idle += all_.is_any_active() ? 0 : 1;
    return reached;
  }

  random_numbers& random_;
  merged_inputs all_;
  input_shape shape_;
};

}  // namespace millrace::test::reference
