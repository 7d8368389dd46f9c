#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "millrace/operators/event_time_tracker.hpp"

namespace millrace {

/// Event time of a reader that reads several splits by turns: each has a generator of its own, so
/// that their different speeds make no record late, and the reader is as far as the slowest of them
/// that is not idle (Flink's WatermarkOutputMultiplexer). Belongs to one reader.
template <class T>
class split_watermarks {
 public:
  using time_point = typename event_time_tracker<T>::time_point;

  /// As for event_time_tracker.
  split_watermarks(watermark_strategy<T> strategy, std::chrono::milliseconds interval,
                   const clock& time)
      : strategy_(std::move(strategy)), interval_(interval), time_(&time) {
    if (strategy_.idleness()) without_splits_.emplace(*strategy_.idleness(), interval);
  }

  /// A split is read from now on. The reference is valid until it is removed.
  event_time_tracker<T>& add(const std::string& split) {
    return splits_.try_emplace(split, strategy_, interval_, *time_).first->second;
  }
  /// The split was read to its end, or goes to another reader.
  void remove(const std::string& split) { splits_.erase(split); }
  /// Null if there is no such split.
  event_time_tracker<T>* find(const std::string& split) {
    const auto found = splits_.find(split);
    return found == splits_.end() ? nullptr : &found->second;
  }
  bool is_empty() const noexcept { return splits_.empty(); }

  /// Those whose watermark is beyond `limit`.
  std::set<std::string> beyond(timestamp_ms limit) const {
    std::set<std::string> names;
    for (const auto& [name, split] : splits_)
      if (split.out().watermark() > limit) names.insert(name);
    return names;
  }
  std::size_t size() const noexcept { return splits_.size(); }

  /// Each auto-watermark interval. `held` are splits of which nobody takes records for now, which
  /// therefore can't fall idle.
  void on_interval(time_point now, const std::set<std::string>& held = {}) {
    for (auto& [name, split] : splits_) split.on_interval(now, !held.contains(name));
    if (!without_splits_) return;
    if (!splits_.empty()) without_splits_->on_activity();
    has_no_splits_for_long_ = without_splits_->look(now);
  }

  /// Brings what the splits have said to one, in `out`, whose news go to the reader's output. With
  /// all splits idle, the reader is idle at the greatest of their watermarks; with no split it
  /// stays as it is, but idle once there was none for so long.
  void combine(watermark_output& out) {
    if (splits_.empty()) {
      if (has_no_splits_for_long_) out.mark_idle();
      return;
    }
    auto slowest = max_watermark, fastest = no_timestamp;
    bool is_idle = true;
    for (auto& [name, split] : splits_) {
      auto& said = split.out();
      said.mark_told();
      fastest = std::max(fastest, said.watermark());
      if (said.status() == stream_status::idle) continue;
      is_idle = false;
      slowest = std::min(slowest, said.watermark());
    }
    if (const auto reached = is_idle ? fastest : slowest; reached > out.watermark())
      out.emit_watermark(reached);
    if (is_idle)
      out.mark_idle();
    else
      out.mark_active();
  }

 private:
  watermark_strategy<T> strategy_;
  std::chrono::milliseconds interval_;
  const clock* time_;
  std::map<std::string, event_time_tracker<T>> splits_;
  std::optional<idleness_timer> without_splits_;
  bool has_no_splits_for_long_ = false;
};

}  // namespace millrace
