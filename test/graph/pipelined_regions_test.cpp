#include "millrace/graph/pipelined_regions.hpp"

#include <doctest/doctest.h>

#include <map>
#include <set>

#include "millrace/graph/channels.hpp"
#include "support/graphs.hpp"

namespace pipelined_regions_test {

using namespace millrace::graph;
using namespace millrace::test;

TEST_CASE("an all-to-all exchange makes one region") {
  CHECK(pipelined_regions(job_of(word_count(), 4)).size() == 1);
}

TEST_CASE("subtasks that only forward are regions of their own") {
  graph_maker make;
  auto map = make.op("m", {make.source("s")});
  make.graph.node(map).chaining = chaining::head;
  make.sink("out", map);
  auto regions = pipelined_regions(job_of(make.graph, 3));
  REQUIRE(regions.size() == 3);
  CHECK(regions[1] == pipelined_region{{0, 1}, {1, 1}});
}

TEST_CASE("rescale groups subtasks into regions") {
  graph_maker make;
  auto map = make.op("m", make.source("s"), partitioning::rescale);
  make.graph.node(map).parallelism = 4;
  make.sink("out", map);
  make.graph.node(2).parallelism = 4;
  auto regions = pipelined_regions(job_of(make.graph, 2));
  REQUIRE(regions.size() == 2);
  CHECK(regions[0] == pipelined_region{{0, 0}, {1, 0}, {1, 1}});
  CHECK(regions[1] == pipelined_region{{0, 1}, {1, 2}, {1, 3}});
}

TEST_CASE("regions of random jobs partition the subtasks and no channel crosses them") {
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    auto job = job_of(random_graph(seed));
    std::map<subtask_ref, std::size_t> region_of;
    auto regions = pipelined_regions(job);
    for (std::size_t r = 0; r < regions.size(); ++r)
      for (auto subtask : regions[r]) REQUIRE(region_of.emplace(subtask, r).second);
    std::size_t subtasks = 0;
    for (const auto& vertex : job.vertices) {
      subtasks += vertex.parallelism;
      for (std::uint32_t i = 0; i < vertex.parallelism; ++i)
        for (const auto& out : output_channels(job, vertex.id, i))
          REQUIRE(region_of.at({vertex.id, i}) ==
                  region_of.at({out.target_vertex, out.target_subtask}));
    }
    REQUIRE(region_of.size() == subtasks);
  }
}

}  // namespace pipelined_regions_test
