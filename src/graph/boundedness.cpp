#include "millrace/graph/boundedness.hpp"

#include <algorithm>
#include <vector>

namespace millrace::graph {

const stream_node* unbounded_source_of(const stream_graph& graph, std::uint32_t node) {
  std::vector<bool> leads_here(graph.nodes().size(), false);
  std::vector<std::uint32_t> open{node};
  while (!open.empty()) {
    const auto at = open.back();
    open.pop_back();
    if (leads_here[at]) continue;
    leads_here[at] = true;
    for (const auto& edge : graph.edges())
      if (edge.target == at) open.push_back(edge.source);
  }
  const auto endless = std::ranges::find_if(graph.nodes(), [&](const stream_node& n) {
    return leads_here[n.id] && n.is_source && !n.bounded;
  });
  return endless == graph.nodes().end() ? nullptr : &*endless;
}

}  // namespace millrace::graph
