#include <doctest/doctest.h>

#include "millrace/graph/job_graph_check.hpp"
#include "millrace/graph/job_graph_json.hpp"
#include "millrace/graph/plan_text.hpp"
#include "millrace/graph/topology.hpp"
#include "millrace/graph/uids.hpp"
#include "support/graphs.hpp"

namespace side_output_test {

using namespace millrace;
using namespace millrace::graph;
using namespace millrace::test;

namespace {

/// A split whose late records go their own way, chained, and whose bad ones cross an exchange.
graph_maker split_job() {
  graph_maker make;
  const auto source = make.source("lines");
  const auto split = make.op("split", {source});
  make.sink("good", split);
  make.sink("late", make.side("repair", split, "late"));
  const auto bad = make.side("report", split, "bad");
  make.graph.node(bad).chaining = chaining::head;
  make.sink("errors", bad);
  for (std::uint32_t id = 0; id < make.graph.nodes().size(); ++id)
    make.graph.node(id).uid = "u" + std::to_string(id);
  return make;
}

std::string error_of(const stream_graph& graph) {
  const auto job = build_job_graph(graph, {});
  return job ? "no error" : job.error().message;
}

}  // namespace

TEST_CASE("side outputs chain as main outputs do, and the plan shows them") {
  CHECK(plan_text(job_of(split_job().graph)) ==
        R"(Job 'test job': streaming, bounded, 2 vertices, 4 subtasks, 2 slots

[0] Source: lines -> split -> (Sink: good, repair -> Sink: late)
    parallelism 2 (max 128)
    lines (source)  uid u0
      split (map)  uid u1
        good (sink)  uid u2
        repair (map)  uid u3, reads side output 'late'
          late (sink)  uid u4
        => [1] report, side output 'bad', forward, std::string

[1] report -> Sink: errors
    parallelism 2 (max 128)
    report (map)  uid u5
      errors (sink)  uid u6
)");
}

TEST_CASE("side outputs survive a round trip through JSON") {
  const auto job = job_of(split_job().graph);
  const auto back = job_graph_from_json(to_json(job));
  REQUIRE_MESSAGE(back.has_value(), back.error().message);
  CHECK(*back == job);
  CHECK(to_json(job).find("\"side_output\": \"bad\"") != std::string::npos);
}

TEST_CASE("a head says which side output it reads by its edges only") {
  auto job = job_of(split_job().graph);
  job.vertices[1].operators[0].inputs[0].side_output = "bad";
  const auto ok = check_job_graph(job);
  REQUIRE_FALSE(ok);
  CHECK(ok.error().message ==
        "vertices[1].operators[0].inputs[0].side_output: is said by the edges of an exchange");
}

TEST_CASE("readers of different outputs of one operator have different uids") {
  graph_maker make;
  const auto source = make.source("s");
  const auto main = make.op("m", {source});
  const auto side = make.side("m", source, "late");
  const auto uids = operator_uids(make.graph, *topological_order(make.graph));
  REQUIRE(uids);
  CHECK((*uids)[main] != (*uids)[side]);
  // They do not depend on which was described first.
  graph_maker other;
  const auto same_source = other.source("s");
  const auto same_side = other.side("m", same_source, "late");
  const auto others = operator_uids(other.graph, *topological_order(other.graph));
  REQUIRE(others);
  CHECK((*others)[same_side] == (*uids)[side]);
}

TEST_CASE("side outputs that do not fit are named") {
  auto make = split_job();
  auto& split = make.graph.node(1);
  SUBCASE("no such side output") {
    split.side_outputs.pop_back();
    CHECK(error_of(make.graph) ==
          "operator 'report' reads side output 'bad' of operator 'split', which has no such side "
          "output");
  }
  SUBCASE("one tag for two types") {
    split.side_outputs.push_back({"late", {"i64", 8}});
    CHECK(error_of(make.graph) ==
          "side output 'late' of operator 'split' is read as std::string and as i64; give each "
          "type a tag of its own");
  }
  SUBCASE("another type") {
    split.side_outputs[0].type = {"i64", 8};
    CHECK(error_of(make.graph) ==
          "operator 'split' produces i64 on side output 'late', but operator 'repair' reads "
          "std::string on input 0");
  }
  SUBCASE("no tag") {
    split.side_outputs[0].tag.clear();
    CHECK(error_of(make.graph) == "operator 'split' has a side output without a tag");
  }
}

}  // namespace side_output_test
