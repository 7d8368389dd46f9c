#pragma once

#include <cstdint>
#include <vector>

#include "millrace/core/error.hpp"
#include "millrace/graph/stream_graph.hpp"

namespace millrace::graph {

/// All node ids, inputs before what they feed, otherwise in the order of the ids, so that the order
/// depends on nothing but the graph. Feedback edges don't count. Any other cycle is an error
/// (`errc::invalid_graph`) that names the operators on it. Edges must connect existing nodes.
result<std::vector<std::uint32_t>> topological_order(const stream_graph& graph);

}  // namespace millrace::graph
