#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "millrace/graph/job_graph_builder.hpp"
#include "millrace/graph/stream_graph.hpp"

namespace millrace::test {

/// Builds stream graphs of one record type in a few words.
struct graph_maker {
  graph::stream_graph graph;
  graph::record_type type{"std::string", 7};

  std::uint32_t source(std::string name) {
    graph::stream_node node;
    node.kind = "source";
    node.name = std::move(name);
    node.is_source = true;
    node.output = type;
    return graph.add_node(std::move(node));
  }

  /// An operator whose input 0 is fed by all of `from`.
  std::uint32_t op(std::string name, const std::vector<std::uint32_t>& from,
                   std::string kind = "map") {
    graph::stream_node node;
    node.kind = std::move(kind);
    node.name = std::move(name);
    node.inputs = {type};
    node.output = type;
    auto id = graph.add_node(std::move(node));
    for (auto source : from) connect(source, id);
    return id;
  }

  /// An operator that reads a side output.
  std::uint32_t side(std::string name, std::uint32_t from, const std::string& tag) {
    graph.node(from).side_outputs.push_back({tag, type});
    auto id = op(std::move(name), {});
    graph::stream_edge edge;
    edge.source = from;
    edge.target = id;
    edge.side_output = tag;
    graph.add_edge(edge);
    return id;
  }

  std::uint32_t sink(std::string name, std::uint32_t from) {
    auto id = op(std::move(name), {from}, "sink");
    graph.node(id).is_sink = true;
    return id;
  }

  std::uint32_t connect(std::uint32_t from, std::uint32_t to, std::uint32_t input = 0) {
    graph::stream_edge edge;
    edge.source = from;
    edge.target = to;
    edge.target_input = input;
    return graph.add_edge(edge);
  }

  std::uint32_t connect(std::uint32_t from, std::uint32_t to, graph::partitioning how,
                        std::uint32_t input = 0) {
    graph::stream_edge edge;
    edge.source = from;
    edge.target = to;
    edge.target_input = input;
    edge.partitioning = how;
    edge.is_explicit = true;
    return graph.add_edge(edge);
  }

  /// An operator fed by `from` over the given exchange.
  std::uint32_t op(std::string name, std::uint32_t from, graph::partitioning how) {
    auto id = op(std::move(name), {});
    connect(from, id, how);
    return id;
  }
};

inline graph::job_defaults with_parallelism(std::uint32_t parallelism) {
  graph::job_defaults defaults;
  defaults.job_name = "test job";
  defaults.parallelism = parallelism;
  return defaults;
}

/// The classic: lines -> flat_map, by hash to count, printed. Parallelism 2 makes 2 vertices.
inline graph::stream_graph word_count() {
  graph_maker make;
  auto words = make.op("flat_map", {make.source("lines")}, "flat_map");
  make.sink("print", make.op("count", words, graph::partitioning::hash));
  return make.graph;
}

inline graph::job_graph job_of(const graph::stream_graph& graph, std::uint32_t parallelism = 2) {
  return graph::build_job_graph(graph, with_parallelism(parallelism)).value();
}

/// A random valid graph: up to 12 operators with up to 2 inputs, every partitioning, parallelism
/// 1 to 7, some chaining strategies and slot sharing groups.
inline graph::stream_graph random_graph(std::uint32_t seed) {
  std::mt19937 rng(seed);
  auto pick = [&](std::uint32_t n) { return static_cast<std::uint32_t>(rng() % n); };
  graph_maker make;
  std::vector<std::uint32_t> nodes;
  auto sources = 1 + pick(3);
  for (std::uint32_t i = 0; i < sources; ++i) nodes.push_back(make.source("source"));
  auto decorate = [&](graph::stream_node& node) {
    if (pick(2) == 0) node.parallelism = 1 + pick(7);
    if (pick(6) == 0) node.chaining = graph::chaining::never;
    if (pick(6) == 0) node.chaining = graph::chaining::head;
    if (pick(6) == 0) node.slot_sharing_group = "other";
    node.has_coordinator = (seed + node.id) % 4 == 0;
    node.commits = (seed + node.id) % 5 == 0;
  };
  for (auto id : nodes) decorate(make.graph.node(id));
  auto feed = [&](std::uint32_t id, std::uint32_t input) {
    auto from = nodes[pick(static_cast<std::uint32_t>(nodes.size()))];
    auto how = pick(10);
    auto same = make.graph.node(from).parallelism == make.graph.node(id).parallelism;
    if (how > 7 || (how == 0 && !same))
      make.connect(from, id, input);
    else
      make.connect(from, id, static_cast<graph::partitioning>(how), input);
  };
  auto operators = pick(8);
  for (std::uint32_t i = 0; i < operators; ++i) {
    auto id = make.op("map", {});
    decorate(make.graph.node(id));
    if (pick(4) == 0) make.graph.node(id).inputs.push_back(make.type);
    for (std::uint32_t in = 0; in < make.graph.node(id).inputs.size(); ++in) feed(id, in);
    if (pick(5) == 0) feed(id, 0);
    nodes.push_back(id);
  }
  make.sink("print", nodes.back());
  return make.graph;
}

}  // namespace millrace::test
