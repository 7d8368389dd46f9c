#pragma once

#include <string>

#include "millrace/graph/job_graph.hpp"

namespace millrace::graph {

/// The plan as `millrace info` prints it, ending with a newline: each vertex with its parallelism,
/// its tree of operators by indentation, and under each operator the exchanges it feeds.
std::string plan_text(const job_graph& graph);

}  // namespace millrace::graph
