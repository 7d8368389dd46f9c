#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "millrace/core/event_time.hpp"
#include "millrace/core/key_group.hpp"

namespace millrace {

/// How far event time had come for a key group. In checkpoints: fields may be added at the end
/// only.
struct key_group_watermark {
  std::uint32_t group = 0;                ///< Its number.
  timestamp_ms watermark = no_timestamp;  ///< Of the subtask that owned it.

  /// The same group and time.
  bool operator==(const key_group_watermark&) const = default;
};

/// How far event time had come for the key groups of a subtask while others owned them. At a
/// barrier that was not aligned subtasks may be apart; after a change of the parallelism a subtask
/// owns groups of several of them, and its own watermark, which is that of the slowest, does not
/// say what had been done for the keys of the others. Needed only until it has caught up.
///
/// A plain value, owned by an operator's subtask.
class former_watermarks {
 public:
  /// Of no groups.
  former_watermarks() = default;
  /// For a subtask that owns `groups`, of which nothing is known yet.
  former_watermarks(key_group_range groups, std::uint32_t max_parallelism)
      : groups_(groups), max_parallelism_(max_parallelism) {}

  /// Event time had come to `watermark`, or further, for those of `owned` that the subtask owns
  /// now. False if it owns none of them.
  bool raise(key_group_range owned, timestamp_ms watermark) {
    const auto first = std::max(owned.first, groups_.first);
    const auto last = std::min(owned.last, groups_.last);
    if (first > last) return false;
    if (of_group_.empty()) of_group_.resize(groups_.size(), no_timestamp);
    for (auto group = first; group <= last; ++group) {
      auto& known = of_group_[group - groups_.first];
      known = std::max(known, watermark);
    }
    latest_ = std::max(latest_, watermark);
    return true;
  }

  /// For a key with that key_hash; `no_timestamp` if nothing is known of its group.
  timestamp_ms of(std::uint64_t hash) const noexcept {
    if (of_group_.empty()) return no_timestamp;
    const std::size_t offset = key_group_of(hash, max_parallelism_) - groups_.first;
    return offset < of_group_.size() ? of_group_[offset] : no_timestamp;
  }
  /// The greatest of all; `no_timestamp` if nothing is known.
  timestamp_ms latest() const noexcept { return latest_; }
  /// Those above `watermark`, by group.
  std::vector<key_group_watermark> above(timestamp_ms watermark) const {
    std::vector<key_group_watermark> all;
    for (std::size_t i = 0; i < of_group_.size(); ++i)
      if (of_group_[i] > watermark)
        all.push_back({groups_.first + static_cast<std::uint32_t>(i), of_group_[i]});
    return all;
  }

  /// The subtask's own watermark is `watermark`: forgets all once none is above it.
  void catch_up(timestamp_ms watermark) noexcept {
    if (latest_ > watermark) return;
    of_group_.clear();
    latest_ = no_timestamp;
  }

 private:
  key_group_range groups_;
  std::uint32_t max_parallelism_ = 1;
  std::vector<timestamp_ms> of_group_;  // from the first group on; empty if nothing is known
  timestamp_ms latest_ = no_timestamp;
};

}  // namespace millrace
