#include "millrace/actors/heartbeat_monitor.hpp"

namespace millrace {

std::vector<resource_id> heartbeat_monitor::lost(time_point now) {
  const bool was_paused = asked_ != time_point{} && now - asked_ > interval_ + timeout_ / 2;
  asked_ = now;
  std::vector<resource_id> silent;
  for (auto& [node, heard] : heard_) {
    if (was_paused)
      heard = now;
    else if (now - heard >= timeout_)
      silent.push_back(node);
  }
  return silent;
}

std::optional<heartbeat_monitor::time_point> heartbeat_monitor::next_loss() const {
  std::optional<time_point> next;
  for (const auto& [node, heard] : heard_)
    if (!next || heard + timeout_ < *next) next = heard + timeout_;
  return next;
}

std::chrono::milliseconds heartbeat_monitor::silence(const resource_id& node,
                                                     time_point now) const {
  const auto found = heard_.find(node);
  if (found == heard_.end()) return {};
  return std::chrono::duration_cast<std::chrono::milliseconds>(now - found->second);
}

}  // namespace millrace
