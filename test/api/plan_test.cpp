#include <doctest/doctest.h>

#include "millrace/api/plan.hpp"

namespace plan_test {

using namespace millrace;

namespace {

result<job_plan> plan_of(std::function<void(stream_environment&)> build,
                         graph::job_defaults defaults = {}) {
  return make_plan([&](stream_environment& env, const arguments&) { build(env); }, {}, {},
                   std::move(defaults));
}

}  // namespace

TEST_CASE("settings of operators reach the job graph") {
  const auto plan = plan_of([](stream_environment& env) {
    env.set_job_name("settings");
    env.set_max_parallelism(64);
    env.from_sequence(1, 10)
        .name("numbers")
        .uid("numbers-uid")
        .set_parallelism(2)
        .map([](std::int64_t i) { return i; })
        .set_parallelism(2)
        .start_new_chain()
        .slot_sharing_group("other")
        .print("out")
        .set_parallelism(2)
        .name("sink");
  });
  REQUIRE(plan);
  CHECK(plan->graph.name == "settings");
  REQUIRE(plan->graph.vertices.size() == 2);
  CHECK(plan->graph.vertices[0].name == "Source: numbers");
  CHECK(plan->graph.vertices[0].uid == "numbers-uid");
  CHECK(plan->graph.vertices[0].parallelism == 2);
  CHECK(plan->graph.vertices[0].max_parallelism == 64);
  CHECK(plan->graph.vertices[1].name == "map -> Sink: sink");
  CHECK(plan->graph.vertices[1].slot_sharing_group == "other");
  CHECK(check_same_program(*plan->program, plan->graph));
}

TEST_CASE("parallelism comes from the operator, the environment, -p, the configuration") {
  const auto parallelism_of = [](auto set, std::optional<std::uint32_t> command_line) {
    configuration config;
    REQUIRE(config.set("parallelism.default", "5", "test"));
    graph::job_defaults defaults;
    defaults.command_line_parallelism = command_line;
    const auto plan = make_plan(
        [&](stream_environment& env, const arguments&) {
          auto numbers = env.from_sequence(1, 10);
          set(env, numbers);
          numbers.discard();
        },
        {}, config, defaults);
    REQUIRE(plan);
    return plan->graph.vertices[0].parallelism;
  };
  const auto nothing = [](auto&, auto&) {};
  CHECK(parallelism_of(nothing, {}) == 5);
  CHECK(parallelism_of(nothing, 4) == 4);
  CHECK(parallelism_of([](auto& env, auto&) { env.set_parallelism(3); }, 4) == 3);
  CHECK(parallelism_of(
            [](auto& env, auto& numbers) {
              env.set_parallelism(3);
              numbers.set_parallelism(2);
            },
            4) == 2);
}

TEST_CASE("what build throws is an error with its message") {
  const auto plan = plan_of([](stream_environment&) { throw std::runtime_error("no such luck"); });
  REQUIRE(!plan);
  CHECK(plan.error().code == errc::build_function);
  CHECK(plan.error().message == "the job's build function failed: no such luck");
}

TEST_CASE("build only describes the job") {
  const auto plan = plan_of([](stream_environment& env) {
    env.from_sequence(1, 3).discard();
    env.execute();
  });
  REQUIRE(!plan);
  CHECK(plan.error().code == errc::build_function);
  CHECK(plan.error().message.find("whoever runs it executes it") != std::string::npos);
}

TEST_CASE("an unbounded source cannot run in batch mode") {
  const auto plan = plan_of([](stream_environment& env) {
    env.set_runtime_mode(graph::runtime_mode::batch);
    env.socket_text_stream("localhost", 1).print();
  });
  REQUIRE(!plan);
  CHECK(plan.error().code == errc::invalid_graph);
  CHECK(plan.error().message ==
        "source 'socket_text_stream' is unbounded and cannot run in batch mode; use "
        "execution.runtime-mode = streaming, or a bounded source");
}

TEST_CASE("a build that describes nothing, as for --help, is told from other errors") {
  const auto plan = plan_of([](stream_environment&) {});
  REQUIRE(!plan);
  CHECK(plan.error().code == errc::empty_job);
}

TEST_CASE("impossible parallelism is refused with the operator's name") {
  const auto why = [](auto set) {
    const auto plan = plan_of([&](stream_environment& env) {
      auto numbers = env.from_sequence(1, 3).name("numbers");
      set(env, numbers);
      numbers.discard();
    });
    REQUIRE(!plan);
    return plan.error().message;
  };
  CHECK(why([](auto&, auto& numbers) { numbers.set_parallelism(0); }) ==
        "operator 'numbers': parallelism 0 must be at least 1");
  CHECK(why([](auto&, auto& numbers) { numbers.set_max_parallelism(0); }) ==
        "operator 'numbers': max parallelism 0 must be from 1 to 32768");
  CHECK(why([](auto& env, auto&) { env.set_max_parallelism(40'000); }) ==
        "operator 'numbers': max parallelism 40000 must be from 1 to 32768");
  CHECK(why([](auto&, auto& numbers) { numbers.set_parallelism(3).set_max_parallelism(2); }) ==
        "operator 'numbers': parallelism 3 exceeds its max parallelism 2");
  CHECK(why([](auto& env, auto&) {
          env.from_elements(1).name("one").set_parallelism(2).discard();
        }) ==
        "operator 'one': parallelism 2 is impossible: it is not parallel and can only run "
        "with parallelism 1");
  CHECK(why([](auto&, auto& numbers) {
          numbers.set_parallelism(2);
          numbers.forward().discard().name("sink").set_parallelism(3);
        }) ==
        "forward from operator 'numbers' (parallelism 2) to operator 'sink' (parallelism 3) "
        "needs equal parallelism; use rebalance() or rescale()");
}

TEST_CASE("a malformed setting fails at once") {
  CHECK(!plan_of([](stream_environment& env) { env.set("no.such.key", "1"); }));
  CHECK(!plan_of([](stream_environment& env) {
    env.from_generator([](std::uint64_t i) { return i; }, {.count = {}, .per_second = 0.0});
  }));
}

}  // namespace plan_test
