#include "millrace/graph/job_graph_builder.hpp"

#include <doctest/doctest.h>

#include "support/graphs.hpp"

namespace job_graph_builder_test {

using namespace millrace;
using namespace millrace::graph;
using namespace millrace::test;

namespace {

std::string error_of(const stream_graph& graph,
                     const job_defaults& defaults = with_parallelism(2)) {
  auto job = build_job_graph(graph, defaults);
  return job ? "no error" : job.error().message;
}

std::vector<std::string> vertex_names(const job_graph& job) {
  std::vector<std::string> names;
  for (const auto& vertex : job.vertices) names.push_back(vertex.name);
  return names;
}

using names = std::vector<std::string>;

}  // namespace

TEST_CASE("word count becomes two chains with a hash exchange") {
  auto job = job_of(word_count());
  CHECK(vertex_names(job) == names{"Source: lines -> flat_map", "count -> Sink: print"});
  REQUIRE(job.edges.size() == 1);
  const auto& edge = job.edges[0];
  CHECK(edge.partitioning == partitioning::hash);
  CHECK(edge.source_vertex == 0);
  CHECK(edge.source_operator == 1);
  CHECK(edge.target_vertex == 1);
  CHECK(edge.target_operator == 0);
  CHECK(edge.type == "std::string");
  CHECK(edge.stream_edge == 1);
  CHECK(job.vertices[0].is_source);
  CHECK(job.vertices[1].is_sink);
  CHECK(job.vertices[1].operators[1].inputs == std::vector<chained_input>{{0u, 0}});
  CHECK(job.vertices[1].operators[0].inputs == std::vector<chained_input>{{std::nullopt, 0}});
  CHECK(job.bounded);
}

TEST_CASE("the job graph says which operators commit, and which have coordinators") {
  auto graph = word_count();
  graph.node(2).commits = true;
  graph.node(1).has_coordinator = true;
  const auto job = job_of(graph);
  CHECK(job.vertices[1].operators[0].commits);
  CHECK_FALSE(job.vertices[1].operators[1].commits);
  CHECK(job.vertices[0].operators[1].has_coordinator);
  CHECK_FALSE(job.vertices[0].operators[1].commits);
}

TEST_CASE("a chain branches where an operator feeds several") {
  graph_maker make;
  auto source = make.source("s");
  auto a = make.op("a", {source});
  make.sink("x", a);
  make.sink("y", make.op("b", {a}));
  auto job = job_of(make.graph);
  CHECK(vertex_names(job) == names{"Source: s -> a -> (Sink: x, b -> Sink: y)"});
  CHECK(job.edges.empty());
}

TEST_CASE("chains break where Flink breaks them") {
  graph_maker make;
  auto source = make.source("s");
  auto map = make.op("m", {source});
  make.sink("out", map);
  auto& node = make.graph.node(map);

  SUBCASE("start_new_chain breaks before the operator") {
    node.chaining = chaining::head;
    CHECK(vertex_names(job_of(make.graph)) == names{"Source: s", "m -> Sink: out"});
  }
  SUBCASE("disable_chaining breaks on both sides") {
    node.chaining = chaining::never;
    CHECK(vertex_names(job_of(make.graph)) == names{"Source: s", "m", "Sink: out"});
  }
  SUBCASE("another slot sharing group breaks before it and is inherited behind it") {
    node.slot_sharing_group = "heavy";
    auto job = job_of(make.graph);
    CHECK(vertex_names(job) == names{"Source: s", "m -> Sink: out"});
    CHECK(job.vertices[0].slot_sharing_group == "default");
    CHECK(job.vertices[1].slot_sharing_group == "heavy");
    CHECK(job.edges[0].partitioning == partitioning::forward);
  }
  SUBCASE("another parallelism makes the edges rebalance") {
    node.parallelism = 3;
    auto job = job_of(make.graph);
    CHECK(vertex_names(job) == names{"Source: s", "m", "Sink: out"});
    CHECK(job.edges[0].partitioning == partitioning::rebalance);
    CHECK(job.edges[1].partitioning == partitioning::rebalance);
  }
  SUBCASE("an exchange that was asked for breaks even between parallelism 1 and 1") {
    make.sink("other", make.op("r", source, partitioning::rebalance));
    CHECK(vertex_names(job_of(make.graph, 1)) ==
          names{"Source: s -> m -> Sink: out", "r -> Sink: other"});
  }
  SUBCASE("a union breaks, even of a stream with itself") {
    make.sink("both", make.op("u", {map, map}));
    auto job = job_of(make.graph);
    CHECK(vertex_names(job) == names{"Source: s -> m -> Sink: out", "u -> Sink: both"});
    CHECK(job.edges.size() == 2);
  }
  SUBCASE("forward that was asked for chains") {
    make.sink("f", make.op("g", map, partitioning::forward));
    CHECK(vertex_names(job_of(make.graph)) == names{"Source: s -> m -> (Sink: out, g -> Sink: f)"});
  }
  SUBCASE("nothing chains when chaining is off") {
    auto defaults = with_parallelism(2);
    defaults.chaining = false;
    auto job = build_job_graph(make.graph, defaults).value();
    CHECK(vertex_names(job) == names{"Source: s", "m", "Sink: out"});
  }
  SUBCASE("the two halves of one thing chain all the same") {
    auto defaults = with_parallelism(2);
    defaults.chaining = false;
    node.chaining = chaining::with_input;
    auto job = build_job_graph(make.graph, defaults).value();
    CHECK(vertex_names(job) == names{"Source: s -> m", "Sink: out"});
  }
}

TEST_CASE("parallelism is the operator's, else the environment's, else -p, else the default") {
  auto graph = word_count();
  graph.node(0).parallelism = 5;
  job_defaults defaults;
  auto parallelism = [&](std::size_t vertex) {
    return build_job_graph(graph, defaults).value().vertices[vertex].parallelism;
  };
  defaults.parallelism = 2;
  CHECK(parallelism(1) == 2);
  defaults.command_line_parallelism = 3;
  CHECK(parallelism(1) == 3);
  defaults.environment_parallelism = 4;
  CHECK(parallelism(1) == 4);
  CHECK(parallelism(0) == 5);
}

TEST_CASE("max parallelism grows with parallelism unless given") {
  CHECK(default_max_parallelism(1) == 128);
  CHECK(default_max_parallelism(85) == 128);
  CHECK(default_max_parallelism(86) == 256);
  CHECK(default_max_parallelism(32768) == 32768);
  auto graph = word_count();
  graph.node(2).max_parallelism = 16;
  auto job = job_of(graph);
  CHECK(job.vertices[0].max_parallelism == 128);
  CHECK(job.vertices[1].max_parallelism == 16);
}

TEST_CASE("a source that is not parallel runs once and its edge rebalances") {
  auto graph = word_count();
  graph.node(0).non_parallel = true;
  auto job = job_of(graph, 4);
  CHECK(job.vertices[0].parallelism == 1);
  CHECK(job.edges[0].partitioning == partitioning::rebalance);
  graph.node(0).parallelism = 2;
  CHECK(error_of(graph) ==
        "operator 'lines': parallelism 2 is impossible: it is not parallel and can only run with "
        "parallelism 1");
}

TEST_CASE("impossible parallelism is named with where it comes from") {
  auto graph = word_count();
  CHECK(error_of(graph, with_parallelism(0)) ==
        "operator 'lines': parallelism 0 (from parallelism.default) must be at least 1");
  auto defaults = with_parallelism(1);
  defaults.command_line_parallelism = 40000;
  CHECK(error_of(graph, defaults) ==
        "operator 'lines': parallelism 40000 (from -p) exceeds the limit of 32768");
  graph.node(2).parallelism = 9;
  graph.node(2).max_parallelism = 8;
  CHECK(error_of(graph) == "operator 'count': parallelism 9 exceeds its max parallelism 8");
  graph.node(2).max_parallelism = 32769;
  CHECK(error_of(graph) == "operator 'count': max parallelism 32769 must be from 1 to 32768");
}

TEST_CASE("a job without operators or sinks is refused") {
  CHECK(error_of({}) == "the job has no operators: start with a source");
  graph_maker make;
  make.op("m", {make.source("s")});
  CHECK(error_of(make.graph) ==
        "job has no sink: nothing would come out of operator 'm'; end each stream with one, such "
        "as print()");
}

TEST_CASE("operators that do not fit together are named") {
  graph_maker make;
  auto source = make.source("s");
  auto map = make.op("m", {source});
  auto sink = make.sink("out", map);

  SUBCASE("a source with an input") {
    make.connect(map, make.source("t"));
    CHECK(error_of(make.graph) ==
          "source 't' has an input, from operator 'm'; sources read from outside the job");
  }
  SUBCASE("a sink with an output") {
    make.op("after", {sink});
    CHECK(error_of(make.graph) == "sink 'out' feeds operator 'after'; sinks have no output");
  }
  SUBCASE("an input that nothing feeds") {
    make.graph.node(map).inputs.push_back(make.type);
    CHECK(error_of(make.graph) == "input 1 of operator 'm' is not connected to anything");
  }
  SUBCASE("an operator without inputs") {
    make.graph.node(make.op("orphan", {})).inputs.clear();
    CHECK(error_of(make.graph) == "operator 'orphan' is no source and has no input");
  }
  SUBCASE("an edge into an input that does not exist") {
    make.connect(source, map, 3);
    CHECK(error_of(make.graph) == "operator 's' feeds input 3 of operator 'm', which has 1");
  }
  SUBCASE("an edge to nowhere") {
    make.connect(source, 77);
    CHECK(error_of(make.graph) == "edge 2 connects operators 0 and 77, but there are only 3");
  }
  SUBCASE("two record types") {
    make.graph.node(map).inputs[0] = {"std::int64_t", 8};
    auto job = build_job_graph(make.graph, with_parallelism(1));
    REQUIRE_FALSE(job);
    CHECK(job.error().code == errc::type_mismatch);
    CHECK(job.error().message ==
          "operator 's' produces std::string, but operator 'm' reads std::int64_t on input 0");
  }
  SUBCASE("forward between different parallelisms") {
    auto far = make.op("far", map, partitioning::forward);
    make.graph.node(far).parallelism = 3;
    CHECK(error_of(make.graph) ==
          "forward from operator 'm' (parallelism 2) to operator 'far' (parallelism 3) needs equal "
          "parallelism; use rebalance() or rescale()");
  }
  SUBCASE("batch mode with an unbounded source") {
    make.graph.node(source).bounded = false;
    auto defaults = with_parallelism(1);
    CHECK_FALSE(build_job_graph(make.graph, defaults).value().bounded);
    defaults.mode = runtime_mode::batch;
    CHECK(error_of(make.graph, defaults) ==
          "source 's' is unbounded and cannot run in batch mode; use execution.runtime-mode = "
          "streaming, or a bounded source");
  }
  SUBCASE("a member of an alignment group that is not in one task with a source") {
    make.graph.node(map).alignment_group = "all";
    CHECK(error_of(make.graph) == "no error");
    make.graph.node(map).parallelism = 3;
    CHECK(error_of(make.graph) ==
          "operator 'm' is in watermark alignment group 'all', but not in one task with a source: "
          "the records that it holds back would hold up checkpoints; give from_source() the "
          "strategy, or assign it right behind each source: before any union or exchange, with the "
          "source's parallelism, and chained with all that lies between");
    auto defaults = with_parallelism(2);
    defaults.mode = runtime_mode::batch;
    CHECK(error_of(make.graph, defaults) == "no error");
  }
  SUBCASE("a cycle") {
    auto loop = make.op("n", {map});
    make.connect(loop, map);
    CHECK(error_of(make.graph) ==
          "operators form a cycle: 'm' -> 'n' -> 'm'; a job must be a directed acyclic graph");
  }
  SUBCASE("an operator that feeds itself") {
    make.connect(map, map);
    CHECK(error_of(make.graph) ==
          "operators form a cycle: 'm' -> 'm'; a job must be a directed acyclic graph");
  }
}

TEST_CASE("vertices of random jobs are in topological order and hold every operator once") {
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    auto graph = random_graph(seed);
    auto job = job_of(graph);
    std::size_t operators = 0;
    std::size_t chained = 0;
    for (const auto& vertex : job.vertices) {
      operators += vertex.operators.size();
      chained += vertex.operators.size() - 1;
      for (const auto& op : vertex.operators) {
        auto asked = graph.node(op.node).parallelism;
        REQUIRE(asked.value_or(vertex.parallelism) == vertex.parallelism);
      }
    }
    REQUIRE(operators == graph.nodes().size());
    REQUIRE(chained + job.edges.size() == graph.edges().size());
    for (const auto& edge : job.edges) {
      REQUIRE(edge.source_vertex < edge.target_vertex);
      REQUIRE(edge.target_operator == 0);
    }
  }
}

}  // namespace job_graph_builder_test
