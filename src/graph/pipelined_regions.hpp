#pragma once

#include <cstdint>
#include <vector>

#include "millrace/graph/job_graph.hpp"

namespace millrace::graph {

/// One subtask of one vertex.
struct subtask_ref {
  std::uint32_t vertex = 0;
  std::uint32_t subtask = 0;

  auto operator<=>(const subtask_ref&) const = default;
};

/// A set of subtasks that exchange records while they run, thus can only be restarted together
/// (Flink's SchedulingPipelinedRegion). Sorted by vertex, then subtask.
using pipelined_region = std::vector<subtask_ref>;

/// The job's regions, by their first subtask. Every exchange is pipelined, so they are the
/// connected components of the execution vertices: pointwise exchanges alone leave several, save in
/// the loop of an iteration, which is always in one.
std::vector<pipelined_region> pipelined_regions(const job_graph& graph);

}  // namespace millrace::graph
