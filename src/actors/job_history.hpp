#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

#include "millrace/actors/job_outcome.hpp"

namespace millrace {

/// The last jobs that have ended. Plain; owned by the dispatcher.
class job_history {
 public:
  using entry = job_outcome_record;

  explicit job_history(std::size_t jobs_max) : jobs_max_(jobs_max) {}

  /// The job that is forgotten for it, if any.
  std::optional<job_id> add(entry ended) {
    entries_.push_back(std::move(ended));
    if (entries_.size() <= jobs_max_) return std::nullopt;
    const auto oldest = entries_.front().result.job;
    entries_.pop_front();
    return oldest;
  }

  /// nullptr if it is not known (any more).
  const entry* find(const job_id& job) const noexcept {
    for (const auto& e : entries_)
      if (e.result.job == job) return &e;
    return nullptr;
  }

  /// Oldest first.
  const std::deque<entry>& entries() const noexcept { return entries_; }

 private:
  std::size_t jobs_max_;
  std::deque<entry> entries_;
};

}  // namespace millrace
