#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "millrace/core/assert.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/operators/committer.hpp"

namespace millrace {

/// A committable and the checkpoint whose completion allows to commit it; as state of a committer
/// its form is fixed.
template <class Committable>
struct committable_of_checkpoint {
  std::uint64_t checkpoint = 0;
  Committable what;
};

/// What a committer has still to do, as a plain state machine: it decides what is to be committed
/// and when, its operator does it (Flink's CommittableCollector). Entries stay until they were
/// committed, so that a snapshot has all of them. Those of one call are in order of checkpoints,
/// and the next call has all that the last one left: none overtakes another.
///
///     add -> not stamped -> stamp(N) -> waits for N -> complete(N) -> due -> take -> settle
template <class Committable>
class commit_queue {
 public:
  using entry = committable_of_checkpoint<Committable>;
  using time_point = std::chrono::steady_clock::time_point;

  /// What settle() found.
  struct outcome {
    std::uint64_t committed = 0;
    std::uint64_t already_committed = 0;
    std::uint64_t retried = 0;
    /// The job can't go on.
    std::optional<error> failure;
  };

  explicit commit_queue(commit_retry_policy policy) : policy_(policy) {}

  /// Something that belongs to the next checkpoint.
  void add(Committable what) { entries_.push_back({0, std::move(what)}); }
  /// All that was added since the last barrier belongs to checkpoint `id`.
  void stamp(checkpoint_id id) {
    for (; stamped_ < entries_.size(); ++stamped_) entries_[stamped_].checkpoint = id.number;
  }
  /// All up to checkpoint `id` is due.
  void complete(checkpoint_id id) {
    while (due_ < stamped_ && entries_[due_].checkpoint <= id.number) ++due_;
  }
  /// All is due, stamped or not.
  void complete_all() { due_ = stamped_ = entries_.size(); }
  /// What a checkpoint had that a restart has gone back to: due at once. Before anything is added.
  void restore(std::vector<entry> entries) {
    entries_ = std::move(entries);
    std::stable_sort(entries_.begin(), entries_.end(),
                     [](const entry& a, const entry& b) { return a.checkpoint < b.checkpoint; });
    complete_all();
  }

  /// Whether a call should be made now.
  bool is_ready(time_point now) const noexcept {
    return due_ != 0 && in_flight_ == 0 && now >= not_before_;
  }
  /// When to ask is_ready again, if nothing else happens before.
  std::optional<time_point> next_attempt() const noexcept {
    if (due_ == 0 || in_flight_ != 0) return std::nullopt;
    return not_before_;
  }
  /// What the call is about: all that is due. Its results go to settle().
  std::vector<entry> take() {
    in_flight_ = due_;
    return {entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(due_)};
  }

  /// The results of the call, one for each entry.
  outcome settle(const std::vector<commit_result>& results, time_point now) {
    outcome found;
    if (results.size() != in_flight_) {
      found.failure = error{errc::user_function,
                            "a committer returned " + std::to_string(results.size()) +
                                " results for " + std::to_string(in_flight_) + " committables"};
      return found;
    }
    std::vector<entry> left;
    const error* obstacle = nullptr;
    for (std::size_t i = 0; i < results.size(); ++i) {
      switch (results[i].status) {
        case commit_status::committed:
          ++found.committed;
          break;
        case commit_status::already_committed:
          ++found.already_committed;
          break;
        case commit_status::retry_later:
          ++found.retried;
          if (obstacle == nullptr) obstacle = &results[i].why;
          left.push_back(std::move(entries_[i]));
          break;
        case commit_status::failed:
          found.failure = results[i].why;
          return found;
      }
    }
    remove_in_flight(std::move(left));
    // Progress of any kind is a reason to be patient again.
    attempts_ = found.committed + found.already_committed != 0 ? 0 : attempts_;
    not_before_ = now;
    if (obstacle == nullptr) return found;
    if (++attempts_ >= policy_.attempts_max) {
      found.failure =
          error{obstacle->code, "gave up after " + std::to_string(policy_.attempts_max) +
                                    " attempts to commit: " + obstacle->message};
      return found;
    }
    not_before_ += backoff();
    return found;
  }

  bool has_due() const noexcept { return due_ != 0; }
  bool is_empty() const noexcept { return entries_.empty(); }
  /// For a snapshot, after stamp(); or what is left at the end, whether a call is under way or not.
  const std::vector<entry>& entries() const noexcept { return entries_; }

 private:
  void remove_in_flight(std::vector<entry> left) {
    const auto gone = in_flight_ - left.size();
    const auto end = entries_.begin() + static_cast<std::ptrdiff_t>(in_flight_);
    std::move(left.begin(), left.end(), end - static_cast<std::ptrdiff_t>(left.size()));
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(gone));
    stamped_ -= gone;
    due_ -= gone;
    in_flight_ = 0;
  }

  std::chrono::milliseconds backoff() const {
    auto wait = policy_.initial_backoff;
    for (std::uint32_t i = 1; i < attempts_ && wait < policy_.backoff_max; ++i) wait *= 2;
    return std::min(wait, policy_.backoff_max);
  }

  commit_retry_policy policy_;
  // In the order of checkpoints: [0, due_) may be committed, [due_, stamped_) wait for theirs. The
  // first in_flight_ are with the committer.
  std::vector<entry> entries_;
  std::size_t due_ = 0;
  std::size_t stamped_ = 0;
  std::size_t in_flight_ = 0;
  std::uint32_t attempts_ = 0;  // in a row without any success
  time_point not_before_ = time_point::min();
};

}  // namespace millrace
