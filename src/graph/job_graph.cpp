#include "millrace/graph/job_graph.hpp"

#include <algorithm>

namespace millrace::graph {

namespace {

std::vector<const job_edge*> edges_where(const job_graph& graph, auto&& wanted) {
  std::vector<const job_edge*> found;
  for (const auto& edge : graph.edges)
    if (wanted(edge)) found.push_back(&edge);
  return found;
}

}  // namespace

std::vector<const job_edge*> in_edges(const job_graph& graph, std::uint32_t vertex) {
  return edges_where(graph, [&](const job_edge& e) { return e.target_vertex == vertex; });
}

std::vector<const job_edge*> out_edges(const job_graph& graph, std::uint32_t vertex) {
  return edges_where(graph, [&](const job_edge& e) { return e.source_vertex == vertex; });
}

std::vector<std::uint32_t> chained_consumers(const job_vertex& vertex, std::uint32_t from) {
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < vertex.operators.size(); ++i) {
    const auto& inputs = vertex.operators[i].inputs;
    if (std::any_of(inputs.begin(), inputs.end(),
                    [&](const chained_input& in) { return in.from_operator == from; }))
      found.push_back(i);
  }
  return found;
}

}  // namespace millrace::graph
