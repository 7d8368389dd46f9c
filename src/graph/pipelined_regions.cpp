#include "millrace/graph/pipelined_regions.hpp"

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "millrace/graph/channels.hpp"
#include "millrace/graph/iterations.hpp"

namespace millrace::graph {

namespace {

/// Union-find with path halving; the root of a set is its smallest member.
class disjoint_sets {
 public:
  explicit disjoint_sets(std::size_t size) : parent_(size) {
    std::iota(parent_.begin(), parent_.end(), std::size_t{0});
  }

  std::size_t root(std::size_t member) {
    while (parent_[member] != member) member = parent_[member] = parent_[parent_[member]];
    return member;
  }

  void join(std::size_t a, std::size_t b) {
    a = root(a);
    b = root(b);
    parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<std::size_t> parent_;
};

}  // namespace

std::vector<pipelined_region> pipelined_regions(const job_graph& graph) {
  std::vector<std::size_t> first;  // The index of each vertex's subtask 0.
  std::size_t size = 0;
  for (const auto& vertex : graph.vertices) {
    first.push_back(size);
    size += vertex.parallelism;
  }

  disjoint_sets sets(size);
  for (const auto& edge : graph.edges) {
    auto source = first[edge.source_vertex];
    auto target = first[edge.target_vertex];
    if (!is_pointwise(edge.partitioning)) {
      // All with all: joining everyone with one is enough, and not quadratic.
      for (std::uint32_t s = 0; s < graph.vertices[edge.source_vertex].parallelism; ++s)
        sets.join(source + s, target);
      for (std::uint32_t t = 0; t < graph.vertices[edge.target_vertex].parallelism; ++t)
        sets.join(source, target + t);
      continue;
    }
    for (std::uint32_t s = 0; s < graph.vertices[edge.source_vertex].parallelism; ++s) {
      auto consumers = consumers_of(graph, edge, s);
      for (auto t = consumers.first; t < consumers.end(); ++t) sets.join(source + s, target + t);
    }
  }

  // Whether a loop is empty is decided for all its subtasks at once.
  if (const auto loops = find_iterations(graph))
    for (const auto& loop : *loops)
      for (const auto vertex : loop.vertices)
        for (std::uint32_t i = 0; i < graph.vertices[vertex].parallelism; ++i)
          sets.join(first[loop.head], first[vertex] + i);

  std::vector<pipelined_region> regions;
  std::unordered_map<std::size_t, std::size_t> region_of_root;
  for (const auto& vertex : graph.vertices)
    for (std::uint32_t i = 0; i < vertex.parallelism; ++i) {
      auto [region, is_new] =
          region_of_root.emplace(sets.root(first[vertex.id] + i), regions.size());
      if (is_new) regions.emplace_back();
      regions[region->second].push_back({vertex.id, i});
    }
  return regions;
}

}  // namespace millrace::graph
