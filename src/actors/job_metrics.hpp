#pragma once

#include <chrono>
#include <cstdint>
#include <map>

#include "millrace/actors/messages.hpp"
#include "millrace/graph/pipelined_regions.hpp"

namespace millrace {

/// The latest reports of a job's tasks and the rates between them. Plain; owned by the job master.
class job_metrics {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  /// A report at an interval: rates are those since the one before. A new attempt starts afresh.
  void update(const wire::task_report& report, time_point now);
  /// The last report of a task: counts stay, rates are 0 from now on.
  void finish(const wire::task_report& report);

  /// Fills in report and rates of a subtask. Its rows in are those of the head of its chain, its
  /// rows out those of the last operator.
  void describe(graph::subtask_ref subtask, wire::subtask_details& into) const;
  /// Sums over the job's sources.
  void describe(const graph::job_graph& graph, wire::job_details& into) const;

 private:
  struct readings {
    wire::task_report latest;
    time_point at{};
    std::uint64_t rows_in_per_ks = 0;
    std::uint64_t rows_out_per_ks = 0;
    std::uint32_t busy_permille = 0;
    std::uint32_t blocked_permille = 0;
  };
  std::map<graph::subtask_ref, readings> subtasks_;
};

}  // namespace millrace
