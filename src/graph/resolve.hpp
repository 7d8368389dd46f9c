#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "millrace/core/error.hpp"
#include "millrace/graph/job_graph_builder.hpp"
#include "millrace/graph/stream_graph.hpp"

namespace millrace::graph {

/// What an operator's empty settings become.
struct resolved_node {
  std::uint32_t parallelism = 1;
  std::uint32_t max_parallelism = 128;
  std::string slot_sharing_group;
};

/// Settings by node id. `topological` lists all node ids, inputs first. A parallelism that cannot
/// be is an error (`errc::invalid_graph`) that names the operator and where the number comes from.
result<std::vector<resolved_node>> resolve_nodes(const stream_graph& graph,
                                                 const std::vector<std::uint32_t>& topological,
                                                 const job_defaults& defaults);

/// What each edge becomes, by edge id: what was asked for, or forward or rebalance by the
/// parallelism of its ends. A forward edge that was asked for between different parallelisms is an
/// error that names both operators.
result<std::vector<partitioning>> resolve_edges(const stream_graph& graph,
                                                const std::vector<resolved_node>& nodes);

/// Whether both ends of the edge may run in one task (Flink's
/// StreamingJobGraphGenerator#isChainable): the edge is the target's only one and forward, both
/// share a slot, and neither objects, nor does the configuration (`enabled`). Equal parallelism
/// follows from forward.
bool is_chainable(const stream_graph& graph, const stream_edge& edge, partitioning how,
                  const std::vector<resolved_node>& nodes,
                  const std::vector<std::uint32_t>& in_degree, bool enabled);

}  // namespace millrace::graph
