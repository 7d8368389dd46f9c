#include "millrace/graph/uids.hpp"

#include <doctest/doctest.h>

#include <set>

#include "millrace/graph/topology.hpp"
#include "support/graphs.hpp"

namespace uids_test {

using namespace millrace;
using namespace millrace::graph;
using namespace millrace::test;

namespace {

std::vector<std::string> uids_of(const stream_graph& graph) {
  return operator_uids(graph, topological_order(graph).value()).value();
}

}  // namespace

TEST_CASE("derived uids never change between releases") {
  auto uids = uids_of(word_count());
  CHECK(uids[0] == "eccbfbaf27d1b23534693bbe719c7712");
  CHECK(uids[3] == "42f7ad99d1221ca4830e7f66f5be32eb");
}

TEST_CASE("a given uid is kept and changes those derived behind it") {
  auto graph = word_count();
  auto before = uids_of(graph);
  graph.node(1).uid = "splitter";
  auto after = uids_of(graph);
  CHECK(after[1] == "splitter");
  CHECK(after[0] == before[0]);
  CHECK(after[2] != before[2]);
}

TEST_CASE("equal operators on one input get different uids") {
  graph_maker make;
  auto source = make.source("s");
  make.op("m", {source});
  make.op("m", {source});
  auto uids = uids_of(make.graph);
  CHECK(uids[1] != uids[2]);
}

TEST_CASE("parallelism, chaining and partitioning do not change uids") {
  auto graph = word_count();
  auto before = uids_of(graph);
  graph.node(2).parallelism = 17;
  graph.node(1).chaining = chaining::never;
  CHECK(uids_of(graph) == before);
}

TEST_CASE("two operators with one uid are both named") {
  auto graph = word_count();
  graph.node(1).uid = "same";
  graph.node(2).uid = "same";
  auto job = build_job_graph(graph, with_parallelism(1));
  REQUIRE_FALSE(job);
  CHECK(job.error().code == errc::invalid_graph);
  CHECK(job.error().message ==
        "operators 'flat_map' and 'count' have the same uid 'same'; give each operator a uid of "
        "its own");
}

TEST_CASE("adding unrelated operators changes no uid, in random graphs") {
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    auto graph = random_graph(seed);
    auto before = uids_of(graph);
    REQUIRE(std::set<std::string>(before.begin(), before.end()).size() == before.size());

    // The same graph behind an unrelated pipeline: every node and edge id moves.
    stream_graph shifted;
    graph_maker unrelated;
    unrelated.sink("unrelated sink", unrelated.source("unrelated source"));
    for (const auto& node : unrelated.graph.nodes()) shifted.add_node(node);
    auto offset = static_cast<std::uint32_t>(shifted.nodes().size());
    for (const auto& node : graph.nodes()) shifted.add_node(node);
    for (auto edge : graph.edges()) {
      edge.source += offset;
      edge.target += offset;
      shifted.add_edge(edge);
    }
    for (const auto& edge : unrelated.graph.edges()) shifted.add_edge(edge);
    auto after = uids_of(shifted);
    REQUIRE(std::vector<std::string>(after.begin() + offset, after.end()) == before);

    // A new consumer of an operator in the middle.
    graph_maker grown{graph, {"std::string", 7}};
    grown.sink("tap", 0);
    after = uids_of(grown.graph);
    after.pop_back();
    REQUIRE(after == before);
  }
}

}  // namespace uids_test
