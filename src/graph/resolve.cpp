#include "millrace/graph/resolve.hpp"

#include <optional>

namespace millrace::graph {

namespace {

struct sourced_number {
  std::uint32_t value = 1;
  std::string from;  ///< As in "(from -p)"; empty if the operator itself says so.
};

sourced_number parallelism_of(const stream_node& node, const job_defaults& defaults) {
  if (node.parallelism) return {*node.parallelism, ""};
  if (node.non_parallel) return {1, ""};
  if (defaults.environment_parallelism)
    return {*defaults.environment_parallelism, " (from the environment)"};
  if (defaults.command_line_parallelism) return {*defaults.command_line_parallelism, " (from -p)"};
  return {defaults.parallelism, " (from parallelism.default)"};
}

result<resolved_node> resolve_numbers(const stream_node& node, const job_defaults& defaults) {
  auto reject = [&](std::string what) {
    return fail(errc::invalid_graph, "operator '" + node.name + "': " + std::move(what));
  };
  auto [parallelism, from] = parallelism_of(node, defaults);
  auto text = "parallelism " + std::to_string(parallelism) + from;
  if (parallelism < 1) return reject(text + " must be at least 1");
  if (node.non_parallel && parallelism > 1)
    return reject(text + " is impossible: it is not parallel and can only run with parallelism 1");
  if (parallelism > max_parallelism_limit)
    return reject(text + " exceeds the limit of " + std::to_string(max_parallelism_limit));

  auto asked = node.max_parallelism ? node.max_parallelism : defaults.max_parallelism;
  auto max = asked.value_or(default_max_parallelism(parallelism));
  if (max < 1 || max > max_parallelism_limit)
    return reject("max parallelism " + std::to_string(max) + " must be from 1 to " +
                  std::to_string(max_parallelism_limit));
  if (parallelism > max)
    return reject(text + " exceeds its max parallelism " + std::to_string(max));
  return resolved_node{parallelism, max, {}};
}

}  // namespace

result<std::vector<resolved_node>> resolve_nodes(const stream_graph& graph,
                                                 const std::vector<std::uint32_t>& topological,
                                                 const job_defaults& defaults) {
  std::vector<std::vector<std::uint32_t>> inputs(graph.nodes().size());
  for (const auto& edge : graph.edges())
    if (!edge.is_feedback) inputs[edge.target].push_back(edge.source);

  auto group_of = [&](const stream_node& node, const std::vector<resolved_node>& known) {
    if (!node.slot_sharing_group.empty()) return node.slot_sharing_group;
    std::optional<std::string> common;
    for (auto input : inputs[node.id]) {
      if (common && *common != known[input].slot_sharing_group) return std::string("default");
      common = known[input].slot_sharing_group;
    }
    return common.value_or("default");
  };

  std::vector<resolved_node> resolved(graph.nodes().size());
  for (auto id : topological) {
    auto numbers = resolve_numbers(graph.node(id), defaults);
    if (!numbers) return tl::unexpected(numbers.error());
    resolved[id] = *numbers;
    resolved[id].slot_sharing_group = group_of(graph.node(id), resolved);
  }
  return resolved;
}

result<std::vector<partitioning>> resolve_edges(const stream_graph& graph,
                                                const std::vector<resolved_node>& nodes) {
  std::vector<partitioning> resolved;
  resolved.reserve(graph.edges().size());
  for (const auto& edge : graph.edges()) {
    auto source = nodes[edge.source].parallelism;
    auto target = nodes[edge.target].parallelism;
    if (!edge.is_explicit) {
      resolved.push_back(source == target ? partitioning::forward : partitioning::rebalance);
      continue;
    }
    if (edge.partitioning == partitioning::forward && source != target)
      return fail(errc::invalid_graph,
                  "forward from operator '" + graph.node(edge.source).name + "' (parallelism " +
                      std::to_string(source) + ") to operator '" + graph.node(edge.target).name +
                      "' (parallelism " + std::to_string(target) +
                      ") needs equal parallelism; use rebalance() or rescale()");
    resolved.push_back(edge.partitioning);
  }
  return resolved;
}

bool is_chainable(const stream_graph& graph, const stream_edge& edge, partitioning how,
                  const std::vector<resolved_node>& nodes,
                  const std::vector<std::uint32_t>& in_degree, bool enabled) {
  const auto& source = nodes[edge.source];
  const auto& target = nodes[edge.target];
  if (in_degree[edge.target] != 1 || how != partitioning::forward ||
      source.slot_sharing_group != target.slot_sharing_group)
    return false;
  const auto wanted = graph.node(edge.target).chaining;
  if (wanted == chaining::with_input) return true;
  return enabled && graph.node(edge.source).chaining != chaining::never &&
         wanted == chaining::always;
}

}  // namespace millrace::graph
