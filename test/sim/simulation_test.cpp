#include "sim/simulation.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "millrace/core/logging.hpp"
#include "sim/mutants.hpp"

namespace simulation_test {

using namespace millrace;
using namespace millrace::sim;

namespace {

/// Lines of the engine's log go nowhere; the failures they tell of are wanted.
struct silence {
  silence() {
    redirect_log([](log_level, std::string_view) {}, log_level::off);
  }
  ~silence() { redirect_log({}); }
};

struct with_mutant {
  explicit with_mutant(std::string_view name) { REQUIRE(switch_on_mutant(name)); }
  ~with_mutant() { switch_on_mutant({}); }
};

/// Whether one of the first `seeds` is found to be wrong, in these words.
bool finds(std::string_view words, std::string_view scenario, std::uint64_t seeds) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const auto outcome = simulation(make_plan(scenario, seed)).run();
    for (const auto& v : outcome.violations)
      if (v.find(words) != std::string::npos) return true;
  }
  return false;
}

bool finds_something(std::string_view scenario, std::uint64_t seeds) {
  return finds("", scenario, seeds);
}

}  // namespace

TEST_CASE("the keyed count runs to its end on four simulated nodes") {
  silence quiet;
  const auto p = make_plan("keyed_count", 1);
  REQUIRE(p.machines.size() == 4);
  const auto outcome = simulation(p).run();
  CHECK(outcome.violations == std::vector<std::string>());
  CHECK(outcome.jobs_finished == 1);
  CHECK(outcome.steps > 100);
}

TEST_CASE("every scenario runs") {
  silence quiet;
  for (const auto scenario : scenarios) {
    CAPTURE(scenario);
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      CAPTURE(seed);
      CHECK(simulation(make_plan(scenario, seed)).run().violations == std::vector<std::string>());
    }
  }
}

TEST_CASE("a seed takes the same steps again in the same process") {
  silence quiet;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    const auto p = make_plan("faults", seed);
    const auto first = simulation(p).run();
    const auto second = simulation(p).run();
    CHECK(first.trace_hash == second.trace_hash);
    CHECK(first.steps == second.steps);
    CHECK(first.virtual_time == second.virtual_time);
  }
}

TEST_CASE("faults of a plan can be left out") {
  silence quiet;
  const auto p = make_plan("restart", 2);
  REQUIRE(p.faults.size() == 1);
  const auto all = simulation(p).run();
  const auto none = simulation(p, {{0}, nullptr}).run();
  CHECK(none.violations.empty());
  CHECK(none.jobs_ended_otherwise == 0);
  CHECK(all.trace_hash != none.trace_hash);
}

TEST_CASE("bugs of the protocols are found") {
  silence quiet;
  for (const auto name : {"credit_counted_twice", "batch_after_end", "slot_kept", "program_kept",
                          "watcher_forgotten"}) {
    CAPTURE(name);
    const with_mutant bug(name);
    CHECK(finds_something("any", 20));
  }
  CHECK(!switch_on_mutant("no_such_bug"));
}

TEST_CASE("a checkpoint that hangs for good is found") {
  silence quiet;
  const with_mutant bug("barrier_kept");
  CHECK(finds("a checkpoint hung", "checkpoints", 10));
}

TEST_CASE("savepoints and stops are asked for in some plans with checkpoints") {
  std::size_t with_savepoints = 0, with_stops = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const auto p = make_plan("checkpoints", seed);
    const auto& job = p.jobs.back();
    CHECK(std::is_sorted(job.savepoints_after.begin(), job.savepoints_after.end()));
    with_savepoints += !job.savepoints_after.empty();
    with_stops += !job.stops_after.empty();
    CHECK((job.stops_after.empty() || !job.cancel_after));
  }
  CHECK(with_savepoints > 40);
  CHECK(with_savepoints < 100);
  CHECK(with_stops > 30);
  CHECK(with_stops < 90);
}

TEST_CASE("a job goes on where the one before was stopped") {
  silence quiet;
  std::size_t jobs = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    auto p = make_plan("checkpoints", seed);
    p.faults.clear();
    auto& job = p.jobs.back();
    job.cancel_after.reset();
    job.stops_after = {std::chrono::milliseconds(60), std::chrono::milliseconds(40)};
    job.drains = false;
    p.probes = false;
    const auto outcome = simulation(p).run();
    CHECK(outcome.violations == std::vector<std::string>());
    jobs += outcome.jobs_finished;
  }
  CHECK(jobs > 15);  // some end before they are stopped twice
}

TEST_CASE("the interpreter works jobs out one row after the other") {
  job_spec spec;
  spec.branches = {{4, 2, 0, false, 1, {}}};  // (0,0) (1,1) (0,2) (0,3)
  CHECK(interpret(spec) == std::vector<row>{{0, 0}, {0, 2}, {0, 3}, {1, 1}});
  spec.steps = {{step_kind::keyed_count, 0, 2}};
  CHECK(interpret(spec) == std::vector<row>{{0, 1}, {0, 2}, {0, 3}, {1, 1}});
  spec.batch = true;
  CHECK(interpret(spec) == std::vector<row>{{0, 3}, {1, 1}});
  spec.steps = {{step_kind::broadcast, 0, 3}, {step_kind::filter, 2, 3}};
  CHECK(interpret(spec) == std::vector<row>{{0, 3}, {0, 3}, {0, 3}, {1, 1}, {1, 1}, {1, 1}});
}

TEST_CASE("plans are made from their seed alone") {
  for (const auto scenario : scenarios)
    for (std::uint64_t seed = 1; seed <= 20; ++seed)
      CHECK(to_string(make_plan(scenario, seed)) == to_string(make_plan(scenario, seed)));
  CHECK_THROWS_AS(make_plan("no such scenario", 1), std::invalid_argument);
}

}  // namespace simulation_test
