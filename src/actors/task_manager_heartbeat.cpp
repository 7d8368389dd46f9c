#include "millrace/actors/task_manager_heartbeat.hpp"

#include <algorithm>

namespace millrace {

master_heartbeat::master_heartbeat(std::chrono::milliseconds interval,
                                   std::chrono::milliseconds timeout, time_point now) noexcept
    : interval_(std::max(interval, std::chrono::milliseconds(1))),
      timeout_(std::max(timeout, 2 * interval_)),
      heard_(now),
      checked_(now) {}

void master_heartbeat::answered(std::uint64_t sequence, time_point now) noexcept {
  if (sequence == 0 || sequence > sent_) return;
  heard_ = std::max(heard_, now);
}

bool master_heartbeat::is_lost(time_point now) noexcept {
  const bool was_stopped = now - checked_ >= timeout_;
  checked_ = now;
  if (was_stopped) heard_ = now;
  return now - heard_ >= timeout_;
}

}  // namespace millrace
