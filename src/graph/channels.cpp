#include "millrace/graph/channels.hpp"

namespace millrace::graph {

namespace {

/// ceil(a * b / c) without overflow for parallelisms.
std::uint32_t scaled_up(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  return static_cast<std::uint32_t>((a * b + c - 1) / c);
}

/// floor(a * b / c) without overflow for parallelisms.
std::uint32_t scaled_down(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  return static_cast<std::uint32_t>(a * b / c);
}

subtask_range range(std::uint32_t first, std::uint32_t end) {
  return {first, end - first};
}

std::uint32_t parallelism(const job_graph& graph, std::uint32_t vertex) {
  return graph.vertices[vertex].parallelism;
}

}  // namespace

subtask_range consumers_of(partitioning p, std::uint32_t sources, std::uint32_t targets,
                           std::uint32_t source) {
  if (!is_pointwise(p)) return {0, targets};
  if (sources >= targets) {
    // The one target t with t * sources / targets <= source < (t + 1) * sources / targets.
    auto t = static_cast<std::uint32_t>(((std::uint64_t{source} + 1) * targets - 1) / sources);
    return {t, 1};
  }
  return range(scaled_up(source, targets, sources),
               scaled_up(std::uint64_t{source} + 1, targets, sources));
}

subtask_range consumers_of(const job_graph& graph, const job_edge& edge, std::uint32_t source) {
  return consumers_of(edge.partitioning, parallelism(graph, edge.source_vertex),
                      parallelism(graph, edge.target_vertex), source);
}

subtask_range producers_of(partitioning p, std::uint32_t sources, std::uint32_t targets,
                           std::uint32_t target) {
  if (!is_pointwise(p)) return {0, sources};
  if (sources >= targets)
    return range(scaled_down(target, sources, targets),
                 scaled_down(std::uint64_t{target} + 1, sources, targets));
  // The one source s with ceil(s * targets / sources) <= target < ceil((s + 1) * targets /
  // sources).
  return {scaled_down(target, sources, targets), 1};
}

subtask_range producers_of(const job_graph& graph, const job_edge& edge, std::uint32_t target) {
  return producers_of(edge.partitioning, parallelism(graph, edge.source_vertex),
                      parallelism(graph, edge.target_vertex), target);
}

bool can_be_overtaken(const job_graph& graph, const job_edge& edge) {
  const auto how = edge.partitioning;
  if (is_pointwise(how) || how == partitioning::broadcast) return false;
  const auto& target = graph.vertices.at(edge.target_vertex).operators.at(edge.target_operator);
  return how != partitioning::global || !target.commits;
}

std::vector<input_channel> input_channels(const job_graph& graph, std::uint32_t vertex,
                                          std::uint32_t subtask) {
  std::vector<input_channel> channels;
  for (const job_edge* edge : in_edges(graph, vertex)) {
    auto producers = producers_of(graph, *edge, subtask);
    for (auto s = producers.first; s < producers.end(); ++s)
      channels.push_back({edge->id, edge->source_vertex, s});
  }
  return channels;
}

std::vector<output_channel> output_channels(const job_graph& graph, std::uint32_t vertex,
                                            std::uint32_t subtask) {
  std::vector<output_channel> channels;
  for (const job_edge* edge : out_edges(graph, vertex)) {
    auto consumers = consumers_of(graph, *edge, subtask);
    for (auto t = consumers.first; t < consumers.end(); ++t)
      channels.push_back(
          {edge->id, edge->target_vertex, t, input_channel_index(graph, *edge, subtask, t)});
  }
  return channels;
}

std::uint32_t input_channel_index(const job_graph& graph, const job_edge& edge,
                                  std::uint32_t source_subtask, std::uint32_t target_subtask) {
  std::uint32_t before = 0;
  for (const job_edge* other : in_edges(graph, edge.target_vertex)) {
    auto producers = producers_of(graph, *other, target_subtask);
    if (other->id == edge.id) return before + (source_subtask - producers.first);
    before += producers.count;
  }
  return before;
}

}  // namespace millrace::graph
