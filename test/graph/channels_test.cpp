#include "millrace/graph/channels.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "support/graphs.hpp"

namespace channels_test {

using namespace millrace::graph;
using namespace millrace::test;

TEST_CASE("every channel is seen from both of its ends, for all parallelisms") {
  for (auto how : {partitioning::rescale, partitioning::hash})
    for (std::uint32_t sources = 1; sources <= 25; ++sources)
      for (std::uint32_t targets = 1; targets <= 25; ++targets) {
        std::uint32_t disagreements = 0;
        for (std::uint32_t s = 0; s < sources; ++s)
          for (std::uint32_t t = 0; t < targets; ++t)
            disagreements += consumers_of(how, sources, targets, s).contains(t) !=
                             producers_of(how, sources, targets, t).contains(s);
        CAPTURE(sources);
        CAPTURE(targets);
        REQUIRE(disagreements == 0);
      }
}

TEST_CASE("rescale leaves no subtask without a partner, and groups differ by at most one") {
  for (std::uint32_t sources = 1; sources <= 25; ++sources)
    for (std::uint32_t targets = 1; targets <= 25; ++targets) {
      for (std::uint32_t s = 0; s < sources; ++s) {
        auto count = consumers_of(partitioning::rescale, sources, targets, s).count;
        REQUIRE(count >= std::max(1u, targets / sources));
        REQUIRE(count <= std::max(1u, (targets + sources - 1) / sources));
      }
      for (std::uint32_t t = 0; t < targets; ++t)
        REQUIRE(producers_of(partitioning::rescale, sources, targets, t).count >= 1);
    }
}

TEST_CASE("rescale distributes as Flink's pointwise pattern does") {
  // From Flink's VertexInputInfoComputationUtilsTest: 2 sources to 3 targets, 3 sources to 2.
  CHECK(consumers_of(partitioning::rescale, 2, 3, 0) == subtask_range{0, 2});
  CHECK(consumers_of(partitioning::rescale, 2, 3, 1) == subtask_range{2, 1});
  CHECK(producers_of(partitioning::rescale, 3, 2, 0) == subtask_range{0, 1});
  CHECK(producers_of(partitioning::rescale, 3, 2, 1) == subtask_range{1, 2});
}

TEST_CASE("forward connects equal subtasks, everything else but rescale connects all") {
  CHECK(consumers_of(partitioning::forward, 4, 4, 2) == subtask_range{2, 1});
  for (auto how : {partitioning::hash, partitioning::rebalance, partitioning::shuffle,
                   partitioning::broadcast, partitioning::global, partitioning::custom})
    CHECK(consumers_of(how, 2, 5, 1) == subtask_range{0, 5});
}

TEST_CASE("barriers stay behind what has one place to go to, and what a global committer awaits") {
  auto job = job_of(random_graph(0));
  auto edge = job.edges.at(0);
  auto& target = job.vertices.at(edge.target_vertex).operators.at(edge.target_operator);
  const auto overtake = [&](partitioning how, bool commits) {
    edge.partitioning = how;
    target.commits = commits;
    return can_be_overtaken(job, edge);
  };
  for (const bool commits : {false, true}) {
    CHECK(overtake(partitioning::hash, commits));
    CHECK(overtake(partitioning::rebalance, commits));
    CHECK_FALSE(overtake(partitioning::rescale, commits));
    CHECK_FALSE(overtake(partitioning::broadcast, commits));
  }
  CHECK(overtake(partitioning::global, false));
  CHECK_FALSE(overtake(partitioning::global, true));
}

TEST_CASE("both ends agree on channel numbers in random jobs") {
  for (std::uint32_t seed = 0; seed < 100; ++seed) {
    CAPTURE(seed);
    auto job = job_of(random_graph(seed));
    std::size_t outputs = 0;
    std::size_t inputs = 0;
    for (const auto& vertex : job.vertices)
      for (std::uint32_t subtask = 0; subtask < vertex.parallelism; ++subtask) {
        inputs += input_channels(job, vertex.id, subtask).size();
        for (const auto& out : output_channels(job, vertex.id, subtask)) {
          ++outputs;
          auto seen = input_channels(job, out.target_vertex, out.target_subtask);
          REQUIRE(out.target_channel < seen.size());
          REQUIRE(seen[out.target_channel] == input_channel{out.edge, vertex.id, subtask});
        }
      }
    REQUIRE(inputs == outputs);
  }
}

}  // namespace channels_test
