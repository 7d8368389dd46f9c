#include "millrace/checkpoint/checkpoint_request_decider.hpp"

#include <algorithm>
#include <limits>

namespace millrace {

void checkpoint_request_decider::start(std::int64_t now_ms) {
  if (!due_ms_) due_ms_ = now_ms + interval_ms_;
}

bool checkpoint_request_decider::begin(std::int64_t now_ms, std::size_t under_way) {
  const auto next = next_ms(under_way);
  if (!next || *next > now_ms) return false;
  is_requested_ = false;
  // In step with the interval, but what was missed is not made up for.
  due_ms_ = *due_ms_ + interval_ms_ > now_ms ? std::max(*due_ms_, now_ms) + interval_ms_
                                             : now_ms + interval_ms_;
  return true;
}

std::optional<std::int64_t> checkpoint_request_decider::next_ms(std::size_t under_way) const {
  if (!due_ms_ || interval_ms_ == 0 || under_way >= concurrent_max_) return std::nullopt;
  if (is_requested_) return std::numeric_limits<std::int64_t>::min();
  return ended_ms_ ? std::max(*due_ms_, *ended_ms_ + min_pause_ms_) : *due_ms_;
}

}  // namespace millrace
