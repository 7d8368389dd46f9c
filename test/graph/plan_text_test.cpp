#include "millrace/graph/plan_text.hpp"

#include <doctest/doctest.h>

#include "support/graphs.hpp"

namespace plan_text_test {

using namespace millrace::graph;
using namespace millrace::test;

TEST_CASE("the plan shows vertices, operators and exchanges") {
  auto graph = word_count();
  graph.node(0).uid = "read";
  graph.node(1).uid = "split";
  graph.node(2).uid = "count";
  graph.node(2).slot_sharing_group = "heavy";
  graph.node(3).uid = "out";
  CHECK(plan_text(job_of(graph)) ==
        R"(Job 'test job': streaming, bounded, 2 vertices, 4 subtasks, 4 slots

[0] Source: lines -> flat_map
    parallelism 2 (max 128)
    lines (source)  uid read
      flat_map  uid split
        => [1] count, hash, std::string

[1] count -> Sink: print
    parallelism 2 (max 128), slot sharing group heavy
    count (map)  uid count
      print (sink)  uid out
)");
}

}  // namespace plan_text_test
