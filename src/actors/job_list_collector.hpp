#pragma once

#include <algorithm>
#include <caf/response_promise.hpp>
#include <cstddef>
#include <utility>

#include "millrace/actors/wire.hpp"

namespace millrace {

/// Answers who asks for a list of jobs, once each of them has said how it is. Shared by the
/// handlers of those answers; owned by the dispatcher's thread of control.
struct job_list_collector {
  caf::response_promise promise;
  wire::job_list list;      ///< Those that are known already.
  std::size_t awaited = 0;  ///< How many more there will be.

  void add(wire::job_overview overview) {
    list.jobs.push_back(std::move(overview));
    if (--awaited == 0) deliver();
  }

  /// In the order in which they were submitted.
  void deliver() {
    std::stable_sort(list.jobs.begin(), list.jobs.end(), [](const auto& a, const auto& b) {
      return std::pair(a.start_wall_ms, a.job) < std::pair(b.start_wall_ms, b.job);
    });
    promise.deliver(std::move(list));
  }
};

}  // namespace millrace
