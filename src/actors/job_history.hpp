#pragma once

#include <cstddef>
#include <deque>

#include "millrace/actors/messages.hpp"

namespace millrace {

/// The last jobs that have ended. Plain; owned by the dispatcher.
class job_history {
 public:
  struct entry {
    wire::job_result result;
    wire::job_details details;
  };

  explicit job_history(std::size_t jobs_max) : jobs_max_(jobs_max) {}

  void add(entry ended) {
    entries_.push_back(std::move(ended));
    if (entries_.size() > jobs_max_) entries_.pop_front();
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
