#include "millrace/graph/iterations.hpp"

#include <doctest/doctest.h>

#include "millrace/graph/job_graph_check.hpp"
#include "millrace/graph/job_graph_json.hpp"
#include "millrace/graph/pipelined_regions.hpp"
#include "millrace/graph/plan_text.hpp"
#include "millrace/graph/uids.hpp"
#include "support/graphs.hpp"

namespace iterations_test {

using namespace millrace;
using namespace millrace::graph;
using namespace millrace::test;

namespace {

struct loop_maker : graph_maker {
  std::uint32_t head(std::string name, const std::vector<std::uint32_t>& from) {
    const auto id = op(std::move(name), from, "iterate");
    graph.node(id).inputs.push_back(type);
    graph.node(id).is_iteration_head = true;
    return id;
  }
  void feed_back(std::uint32_t from, std::uint32_t head) {
    stream_edge edge;
    edge.source = from;
    edge.target = head;
    edge.target_input = 1;
    edge.is_feedback = true;
    graph.add_edge(edge);
  }
};

/// source -> loop -> a =hash=> b -> sink, a and b back to the loop; "aside" only reads from it.
stream_graph two_tails() {
  loop_maker make;
  const auto head = make.head("loop", {make.source("s")});
  const auto a = make.op("a", {head});
  const auto b = make.op("b", a, partitioning::hash);
  make.sink("out", b);
  make.sink("aside", make.op("look", {a}));
  make.feed_back(a, head);
  make.feed_back(b, head);
  return make.graph;
}

std::string error_of(const stream_graph& graph, runtime_mode mode = runtime_mode::streaming) {
  auto defaults = with_parallelism(2);
  defaults.mode = mode;
  auto job = build_job_graph(graph, defaults);
  return job ? "no error" : job.error().message;
}

}  // namespace

TEST_CASE("a loop is the head and all that leads from it back to it") {
  const auto job = job_of(two_tails());
  CHECK(check_job_graph(job));
  REQUIRE(job.vertices.size() == 3);
  CHECK(job.vertices[1].name == "loop -> a -> look -> Sink: aside");
  CHECK(job.vertices[2].name == "b -> Sink: out");
  CHECK(has_iterations(job));
  const auto loops = find_iterations(job).value();
  REQUIRE(loops.size() == 1);
  const auto& loop = loops[0];
  CHECK(loop.head == 1);
  CHECK(loop.vertices == std::vector<std::uint32_t>{1, 2});
  CHECK(loop.operators == std::vector<std::vector<std::uint32_t>>{{0, 1}, {0}});
  for (const auto& edge : job.edges) {
    const bool in_loop = edge.source_vertex != 0;
    CHECK((std::find(loop.edges.begin(), loop.edges.end(), edge.id) != loop.edges.end()) ==
          in_loop);
    CHECK(edge.is_feedback == (edge.target_input == 1));
  }
  CHECK(!iteration_role_of(job, 0));
  CHECK(iteration_role_of(job, 1)->is_head);
  const auto role = iteration_role_of(job, 2);
  REQUIRE(role);
  CHECK(!role->is_head);
  CHECK(role->has_operator == std::vector<bool>{true, false});
}

TEST_CASE("a job without iterations has no loops") {
  const auto job = job_of(word_count());
  CHECK(!has_iterations(job));
  CHECK(find_iterations(job)->empty());
  CHECK(!iteration_role_of(job, 0));
}

TEST_CASE("a loop of one chain leads from its vertex to itself") {
  loop_maker make;
  const auto head = make.head("loop", {make.source("s")});
  const auto body = make.op("body", {head});
  make.feed_back(body, head);
  make.sink("out", body);
  const auto job = job_of(make.graph);
  REQUIRE(job.edges.size() == 2);
  CHECK(job.edges[1].source_vertex == job.edges[1].target_vertex);
  CHECK(job.edges[1].partitioning == partitioning::forward);
  CHECK(check_job_graph(job));
  // Forward exchanges alone would make a region of each subtask.
  CHECK(pipelined_regions(job).size() == 1);
}

TEST_CASE("feedback edges survive JSON and show in the plan") {
  const auto job = job_of(two_tails());
  CHECK(job_graph_from_json(to_json(job)).value() == job);
  const auto text = plan_text(job);
  CHECK(text.find("=> back to [1] loop input 1, forward") != std::string::npos);
}

TEST_CASE("what is fed back changes no derived uid") {
  auto uids = [](const stream_graph& graph) {
    const auto job = job_of(graph);
    std::vector<std::string> all;
    for (const auto& vertex : job.vertices)
      for (const auto& op : vertex.operators) all.push_back(op.uid);
    return all;
  };
  auto more = two_tails();
  stream_edge again;
  again.target = 1;
  again.target_input = 1;
  again.is_feedback = true;
  again.source = 3;
  more.add_edge(again);
  CHECK(uids(more) == uids(two_tails()));
}

TEST_CASE("mistakes of a loop are named") {
  loop_maker make;
  const auto source = make.source("s");
  const auto head = make.head("loop", {source});
  make.sink("out", head);
  CHECK(error_of(make.graph) ==
        "iteration 'loop' is open: nothing is fed back to it; call close_with()");

  auto stranger = make;
  stranger.feed_back(stranger.op("stranger", {source}), head);
  CHECK(error_of(stranger.graph)
            .starts_with("operator 'stranger' is fed back to iteration 'loop', "
                         "but its records do not come from there"));

  auto wrong = make;
  wrong.feed_back(head, wrong.op("plain", {head}));
  wrong.graph.node(3).inputs.push_back(wrong.type);
  CHECK(error_of(wrong.graph) ==
        "operator 'loop' is fed back to operator 'plain', which is no iteration's head there");

  auto nested = make;
  const auto inner = nested.head("inner", {head});
  const auto body = nested.op("body", {inner});
  nested.feed_back(body, inner);
  nested.feed_back(body, head);
  CHECK(error_of(nested.graph)
            .starts_with("operator 'inner' is part of two iterations, 'loop' and 'inner'"));

  auto closed = make;
  closed.feed_back(closed.op("body", {head}), head);
  CHECK(error_of(closed.graph) == "no error");
  CHECK(error_of(closed.graph, runtime_mode::batch)
            .starts_with("iteration 'loop' can't run in batch mode"));
}

TEST_CASE("a job graph with feedback that can't be is refused") {
  const auto good = job_of(two_tails());
  const auto refusal = [&](auto&& spoil) {
    auto job = good;
    spoil(job);
    const auto ok = check_job_graph(job);
    return ok ? std::string("accepted") : ok.error().message;
  };
  const auto back = [](job_graph& job) -> job_edge& {
    return *std::find_if(job.edges.begin(), job.edges.end(),
                         [](const job_edge& e) { return e.is_feedback; });
  };
  CHECK(refusal([&](job_graph& job) {
          back(job).is_feedback = false;
        }).ends_with("must come before the target vertex"));
  CHECK(refusal([&](job_graph& job) {
          back(job).target_input = 0;
        }).ends_with("one input of an iteration's head is for feedback, and for it alone"));
  CHECK(refusal([&](job_graph& job) {
          job.edges[0].is_feedback = true;
        }).ends_with("feedback must not come before the target vertex"));
  CHECK(refusal([&](job_graph& job) {
          job.mode = runtime_mode::batch;
        }).ends_with("iterations can't run in batch mode"));
  CHECK(refusal([&](job_graph& job) { back(job).source_vertex = 99; }).ends_with("no such vertex"));
}

}  // namespace iterations_test
