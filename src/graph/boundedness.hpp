#pragma once

#include "millrace/graph/stream_graph.hpp"

namespace millrace::graph {

/// A source that never ends by itself and whose records get to `node`, or null. The first one by
/// id.
const stream_node* unbounded_source_of(const stream_graph& graph, std::uint32_t node);

}  // namespace millrace::graph
