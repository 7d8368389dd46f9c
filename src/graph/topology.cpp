#include "millrace/graph/topology.hpp"

#include <algorithm>
#include <functional>
#include <queue>
#include <string>

namespace millrace::graph {

namespace {

/// One cycle among the nodes that have inputs left, as "'a' -> 'b' -> 'a'".
std::string cycle_text(const stream_graph& graph, const std::vector<std::uint32_t>& inputs_left) {
  auto previous = [&](std::uint32_t node) {
    for (const auto& edge : graph.edges())
      if (edge.target == node && !edge.is_feedback && inputs_left[edge.source] > 0)
        return edge.source;
    return node;
  };
  // Every such node is fed by another such node: walking upwards must come back to a node seen.
  auto start = static_cast<std::uint32_t>(
      std::find_if(inputs_left.begin(), inputs_left.end(), [](auto n) { return n > 0; }) -
      inputs_left.begin());
  std::vector<std::uint32_t> path{start};
  for (;;) {
    auto next = previous(path.back());
    auto seen = std::find(path.begin(), path.end(), next);
    if (seen != path.end()) {
      path.erase(path.begin(), seen);
      break;
    }
    path.push_back(next);
  }
  std::string text = "'" + graph.node(path.front()).name + "'";
  for (auto node = path.rbegin(); node != path.rend(); ++node)
    text += " -> '" + graph.node(*node).name + "'";
  return text;
}

}  // namespace

result<std::vector<std::uint32_t>> topological_order(const stream_graph& graph) {
  const auto size = graph.nodes().size();
  std::vector<std::uint32_t> inputs_left(size, 0);
  std::vector<std::vector<std::uint32_t>> consumers(size);
  for (const auto& edge : graph.edges()) {
    if (edge.is_feedback) continue;
    ++inputs_left[edge.target];
    consumers[edge.source].push_back(edge.target);
  }

  std::priority_queue<std::uint32_t, std::vector<std::uint32_t>, std::greater<>> ready;
  for (std::uint32_t id = 0; id < size; ++id)
    if (inputs_left[id] == 0) ready.push(id);

  std::vector<std::uint32_t> order;
  order.reserve(size);
  while (!ready.empty()) {
    auto id = ready.top();
    ready.pop();
    order.push_back(id);
    for (auto consumer : consumers[id])
      if (--inputs_left[consumer] == 0) ready.push(consumer);
  }
  if (order.size() < size)
    return fail(errc::invalid_graph, "operators form a cycle: " + cycle_text(graph, inputs_left) +
                                         "; a job must be a directed acyclic graph");
  return order;
}

}  // namespace millrace::graph
