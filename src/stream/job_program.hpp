#pragma once

#include <memory>
#include <vector>

#include "millrace/graph/job_graph.hpp"
#include "millrace/graph/stream_graph.hpp"
#include "millrace/stream/operator.hpp"
#include "millrace/stream/router.hpp"

namespace millrace {

/// What running a job's `build` function yields: the graph, and the code of its nodes and edges.
/// Every node of a cluster re-runs `build` to get its own, so closures never travel. Immutable
/// once built.
struct job_program {
  graph::stream_graph graph;
  std::vector<operator_factory_ptr> operators;  ///< By stream node id.
  std::vector<router_factory_ptr> routers;      ///< By stream edge id.
};

/// Checks that this program is the one that `submitted` was made from: the same operators at the
/// same places. It differs when `build` depends on the node it runs on (time, randomness, files).
status check_same_program(const job_program& program, const graph::job_graph& submitted);

}  // namespace millrace
