#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "millrace/core/ids.hpp"

namespace millrace {

/// Requests to open channels to tasks that are not here yet. Subtasks of a job are deployed at
/// once on all nodes, so a consumer's request may well overtake the deployment of its producer; it
/// waits here until the producer comes or its time is up. Plain; owned by the task manager.
/// `Request` is any movable value.
template <class Request>
class pending_channels {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  explicit pending_channels(std::chrono::milliseconds patience) : patience_(patience) {}

  void hold(const execution_attempt_id& producer, Request request, time_point now) {
    waiting_[producer].push_back({now + patience_, std::move(request)});
  }

  /// All requests for a producer that has come, oldest first.
  std::vector<Request> take(const execution_attempt_id& producer) {
    std::vector<Request> all;
    if (auto found = waiting_.extract(producer); !found.empty()) {
      for (auto& w : found.mapped()) all.push_back(std::move(w.request));
    }
    return all;
  }

  /// The requests whose time is up, by producer and age.
  std::vector<std::pair<execution_attempt_id, Request>> expire(time_point now) {
    std::vector<std::pair<execution_attempt_id, Request>> late;
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      auto& queue = it->second;
      while (!queue.empty() && queue.front().until <= now) {
        late.emplace_back(it->first, std::move(queue.front().request));
        queue.pop_front();
      }
      it = queue.empty() ? waiting_.erase(it) : std::next(it);
    }
    return late;
  }

  /// Forgets all requests for tasks of a job.
  void drop(const job_id& job) {
    std::erase_if(waiting_, [&](const auto& entry) { return entry.first.job == job; });
  }

  std::size_t size() const noexcept {
    std::size_t sum = 0;
    for (const auto& entry : waiting_) sum += entry.second.size();
    return sum;
  }

 private:
  struct held {
    time_point until;
    Request request;
  };

  std::chrono::milliseconds patience_;
  std::map<execution_attempt_id, std::deque<held>> waiting_;
};

}  // namespace millrace
