#pragma once

#include <string>
#include <vector>

#include "millrace/core/error.hpp"
#include "millrace/graph/stream_graph.hpp"

namespace millrace::graph {

/// The uid of every operator, by node id: the given one, or one derived from what the operator is
/// and what it reads (as Flink's StreamGraphHasherV2): a hash of kind, name, input uids with their
/// input index, and its ordinal among operators that agree in all of these. State is found again
/// by uid, so the hash is fixed for ever, and neither parallelism, partitioning nor unrelated parts
/// of the graph have a say in it.
///
/// `topological` lists all node ids, inputs first. Two operators with the same uid are an error
/// (`errc::invalid_graph`) that names both.
result<std::vector<std::string>> operator_uids(const stream_graph& graph,
                                               const std::vector<std::uint32_t>& topological);

}  // namespace millrace::graph
