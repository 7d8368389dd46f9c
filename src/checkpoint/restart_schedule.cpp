#include "millrace/checkpoint/restart_schedule.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace millrace {

bool restart_schedule::on_failure(std::int64_t now_ms) {
  if (due_ms_) return true;
  const auto pause = strategy_->on_failure(now_ms);
  if (!pause) return false;
  due_ms_ = now_ms + pause->count();
  return true;
}

void restart_schedule::add(std::uint32_t region) {
  if (std::find(waiting_.begin(), waiting_.end(), region) == waiting_.end())
    waiting_.push_back(region);
}

std::optional<std::int64_t> restart_schedule::due_ms() const {
  if (waiting_.empty()) return std::nullopt;
  return due_ms_.value_or(std::numeric_limits<std::int64_t>::min());
}

std::vector<std::uint32_t> restart_schedule::take(std::int64_t now_ms) {
  const auto due = due_ms();
  if (!due || *due > now_ms) return {};
  due_ms_.reset();
  ++restarts_;
  return std::exchange(waiting_, {});
}

}  // namespace millrace
