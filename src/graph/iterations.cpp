#include "millrace/graph/iterations.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "millrace/graph/in_quotes.hpp"

namespace millrace::graph {

namespace {

struct link {
  std::uint32_t source = 0;
  std::uint32_t target = 0;
  bool is_feedback = false;
};

/// The operators of a graph of either kind, by number, and what leads from one to another.
struct operator_links {
  std::vector<std::string> names;
  std::vector<link> links;
};

struct loop {
  std::uint32_t head = 0;
  std::vector<bool> is_member;
};

/// Everything that `from` leads to without going around, or, backwards, that leads to it.
std::vector<bool> reachable(const std::vector<std::vector<std::uint32_t>>& next,
                            std::vector<std::uint32_t> from) {
  std::vector<bool> seen(next.size(), false);
  while (!from.empty()) {
    const auto at = from.back();
    from.pop_back();
    if (seen[at]) continue;
    seen[at] = true;
    from.insert(from.end(), next[at].begin(), next[at].end());
  }
  return seen;
}

result<std::vector<loop>> find_loops(const operator_links& graph) {
  const auto size = graph.names.size();
  std::vector<std::vector<std::uint32_t>> consumers(size), producers(size);
  std::map<std::uint32_t, std::vector<std::uint32_t>> tails_of;  // by head
  for (const auto& l : graph.links) {
    if (l.is_feedback) {
      tails_of[l.target].push_back(l.source);
    } else {
      consumers[l.source].push_back(l.target);
      producers[l.target].push_back(l.source);
    }
  }
  std::vector<loop> loops;
  std::vector<const loop*> loop_of(size, nullptr);
  loops.reserve(tails_of.size());
  for (const auto& [head, tails] : tails_of) {
    auto is_member = reachable(consumers, {head});
    for (const auto tail : tails)
      if (!is_member[tail])
        return fail(errc::invalid_graph,
                    "operator " + in_quotes(graph.names[tail]) + " is fed back to iteration " +
                        in_quotes(graph.names[head]) +
                        ", but its records do not come from there: close_with() takes streams "
                        "that are made from the iteration's");
    const auto leads_back = reachable(producers, tails);
    auto& here = loops.emplace_back(loop{head, std::move(is_member)});
    for (std::size_t i = 0; i < size; ++i) {
      if (!leads_back[i]) here.is_member[i] = false;
      if (!here.is_member[i]) continue;
      if (const auto* other = std::exchange(loop_of[i], &here)) {
        return fail(errc::invalid_graph,
                    "operator " + in_quotes(graph.names[i]) + " is part of two iterations, " +
                        in_quotes(graph.names[other->head]) + " and " +
                        in_quotes(graph.names[head]) +
                        ": iterations can follow each other, but not contain each other");
      }
    }
  }
  return loops;
}

}  // namespace

bool has_iterations(const job_graph& graph) noexcept {
  return std::any_of(graph.edges.begin(), graph.edges.end(),
                     [](const job_edge& e) { return e.is_feedback; });
}

result<std::vector<iteration>> find_iterations(const job_graph& graph) {
  if (!has_iterations(graph)) return std::vector<iteration>();
  operator_links flat;
  std::vector<std::uint32_t> first;  // the number of each vertex's first operator
  for (const auto& vertex : graph.vertices) {
    first.push_back(static_cast<std::uint32_t>(flat.names.size()));
    for (const auto& op : vertex.operators) {
      const auto number = static_cast<std::uint32_t>(flat.names.size());
      flat.names.push_back(op.name);
      for (const auto& in : op.inputs)
        if (in.from_operator) flat.links.push_back({first.back() + *in.from_operator, number});
    }
  }
  const auto ends_of = [&](const job_edge& e) {
    return link{first[e.source_vertex] + e.source_operator,
                first[e.target_vertex] + e.target_operator, e.is_feedback};
  };
  for (const auto& edge : graph.edges) flat.links.push_back(ends_of(edge));

  auto loops = find_loops(flat);
  if (!loops) return tl::unexpected(loops.error());
  std::vector<iteration> found;
  for (const auto& loop : *loops) {
    iteration& it = found.emplace_back();
    for (const auto& vertex : graph.vertices) {
      std::vector<std::uint32_t> members;
      for (std::uint32_t i = 0; i < vertex.operators.size(); ++i)
        if (loop.is_member[first[vertex.id] + i]) members.push_back(i);
      if (members.empty()) continue;
      it.vertices.push_back(vertex.id);
      it.operators.push_back(std::move(members));
    }
    it.head = it.vertices.front();
    for (const auto& edge : graph.edges) {
      const auto ends = ends_of(edge);
      if (loop.is_member[ends.source] && loop.is_member[ends.target]) it.edges.push_back(edge.id);
    }
  }
  return found;
}

status check_iterations(const stream_graph& graph) {
  operator_links flat;
  for (const auto& node : graph.nodes()) flat.names.push_back(node.name);
  for (const auto& edge : graph.edges())
    flat.links.push_back({edge.source, edge.target, edge.is_feedback});
  auto loops = find_loops(flat);
  if (!loops) return tl::unexpected(loops.error());
  return {};
}

std::optional<iteration_role> iteration_role_of(const job_graph& graph, std::uint32_t vertex) {
  const auto loops = find_iterations(graph);
  if (!loops) throw failure(loops.error());
  for (const auto& loop : *loops) {
    const auto place = std::lower_bound(loop.vertices.begin(), loop.vertices.end(), vertex);
    if (place == loop.vertices.end() || *place != vertex) continue;
    iteration_role role{loop.head == vertex, {}, {}};
    role.has_operator.resize(graph.vertices[vertex].operators.size());
    role.has_edge.resize(graph.edges.size());
    for (const auto op : loop.operators[static_cast<std::size_t>(place - loop.vertices.begin())])
      role.has_operator[op] = true;
    for (const auto edge : loop.edges) role.has_edge[edge] = true;
    return role;
  }
  return std::nullopt;
}

}  // namespace millrace::graph
