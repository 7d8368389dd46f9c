#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <vector>

#include "millrace/core/ids.hpp"

namespace millrace {

/// Which of many nodes have fallen silent: the resource manager's view of its task managers. Plain;
/// time is passed in; owned by one actor.
class heartbeat_monitor {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  /// lost() is going to be asked at least every `interval`.
  heartbeat_monitor(std::chrono::milliseconds interval, std::chrono::milliseconds timeout) noexcept
      : interval_(interval), timeout_(timeout) {}

  /// It was there at `now`, whether it is watched already or from now on.
  void heard(const resource_id& node, time_point now) { heard_[node] = now; }
  void forget(const resource_id& node) { heard_.erase(node); }

  /// The nodes that have been silent for the timeout, by id; to be forgotten by the
  /// caller. A process that was itself stopped for a while (suspended, or starved) cannot tell who
  /// was silent meanwhile: if this call comes late by more than half the timeout, everybody gets a
  /// fresh period.
  std::vector<resource_id> lost(time_point now);

  /// When lost() may next find somebody, if all stay silent; nothing if nobody is watched.
  std::optional<time_point> next_loss() const;

  /// Since the node was last heard; 0 if it is not watched.
  std::chrono::milliseconds silence(const resource_id& node, time_point now) const;
  std::chrono::milliseconds timeout() const noexcept { return timeout_; }

 private:
  std::chrono::milliseconds interval_;
  std::chrono::milliseconds timeout_;
  time_point asked_{};
  std::map<resource_id, time_point> heard_;
};

}  // namespace millrace
