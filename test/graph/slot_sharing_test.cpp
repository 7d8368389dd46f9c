#include "millrace/graph/slot_sharing.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "support/graphs.hpp"

namespace slot_sharing_test {

using namespace millrace::graph;
using namespace millrace::test;

TEST_CASE("a job needs as many slots as its widest vertex") {
  auto graph = word_count();
  CHECK(slots_needed(job_of(graph, 3)) == 3);
  graph.node(2).parallelism = 5;
  CHECK(slots_needed(job_of(graph, 3)) == 5);
}

TEST_CASE("slot sharing groups need slots of their own") {
  auto graph = word_count();
  graph.node(2).slot_sharing_group = "heavy";
  graph.node(2).parallelism = 2;
  graph.node(3).parallelism = 2;
  auto job = job_of(graph, 3);
  CHECK(slots_needed(job) == 5);
  auto plan = assign_slots(job);
  CHECK(plan.requests ==
        std::vector<slot_request>{
            {"default", 0}, {"default", 1}, {"default", 2}, {"heavy", 0}, {"heavy", 1}});
  CHECK(plan.slot_of == std::vector<std::vector<std::uint32_t>>{{0, 1, 2}, {3, 4}});
}

TEST_CASE("every slot of random jobs holds at most one subtask of a vertex, of one group") {
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    auto job = job_of(random_graph(seed));
    auto plan = assign_slots(job);
    REQUIRE(plan.requests.size() == slots_needed(job));
    std::set<std::uint32_t> used;
    for (const auto& vertex : job.vertices) {
      const auto& slots = plan.slot_of[vertex.id];
      REQUIRE(slots.size() == vertex.parallelism);
      for (std::uint32_t i = 0; i < vertex.parallelism; ++i) {
        REQUIRE(plan.requests[slots[i]] == slot_request{vertex.slot_sharing_group, i});
        used.insert(slots[i]);
      }
    }
    REQUIRE(used.size() == plan.requests.size());
  }
}

}  // namespace slot_sharing_test
