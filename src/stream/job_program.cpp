#include "millrace/stream/job_program.hpp"

#include "millrace/graph/topology.hpp"
#include "millrace/graph/uids.hpp"

namespace millrace {

namespace {

error differs(const graph::chained_operator& submitted, const std::string& how) {
  return {
      errc::invalid_graph,
      "operator '" + submitted.name + "' " + how +
          " on this node: build() must describe the same job wherever it runs, so it may depend "
          "on its arguments only"};
}

}  // namespace

status check_same_program(const job_program& program, const graph::job_graph& submitted) {
  auto order = graph::topological_order(program.graph);
  if (!order) return tl::unexpected(order.error());
  auto uids = graph::operator_uids(program.graph, *order);
  if (!uids) return tl::unexpected(uids.error());
  for (const auto& vertex : submitted.vertices) {
    for (const auto& op : vertex.operators) {
      if (op.node >= uids->size()) return tl::unexpected(differs(op, "is missing"));
      if ((*uids)[op.node] != op.uid) return tl::unexpected(differs(op, "is another one"));
    }
  }
  for (const auto& edge : submitted.edges) {
    const auto& source = submitted.vertices[edge.source_vertex].operators[edge.source_operator];
    const auto& target = submitted.vertices[edge.target_vertex].operators[edge.target_operator];
    const auto& edges = program.graph.edges();
    if (edge.stream_edge >= edges.size() || edge.stream_edge >= program.routers.size() ||
        !program.routers[edge.stream_edge])
      return tl::unexpected(differs(source, "lacks an output"));
    const auto& ours = edges[edge.stream_edge];
    if (ours.source != source.node || ours.target != target.node ||
        ours.target_input != edge.target_input || ours.is_feedback != edge.is_feedback ||
        ours.side_output != edge.side_output)
      return tl::unexpected(differs(source, "feeds another operator than '" + target.name + "'"));
    if (ours.is_explicit && ours.partitioning != edge.partitioning)
      return tl::unexpected(
          differs(source, "sends its records by " + std::string(to_string(ours.partitioning)) +
                              " rather than " + std::string(to_string(edge.partitioning))));
    const auto* type = program.graph.node(source.node).output_type(edge.side_output);
    if (type == nullptr || type->fingerprint != edge.fingerprint)
      return tl::unexpected(differs(source, "emits other records (" +
                                                (type ? type->description : "none") + ", not " +
                                                edge.type + ")"));
  }
  return {};
}

}  // namespace millrace
