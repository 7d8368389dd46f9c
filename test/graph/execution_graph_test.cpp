#include "millrace/graph/execution_graph.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "support/graphs.hpp"

namespace execution_graph_test {

using namespace millrace;
using namespace millrace::graph;
using namespace millrace::test;
using enum millrace::graph::execution_state;

namespace {

const job_id job{1, 2};
const resource_id here{3, 1};
const resource_id there{3, 2};

slot_assignment slot_at(resource_id where) {
  return {{4, where.low}, where, where == here ? "here:1" : "there:2"};
}

/// Two vertices whose subtasks exchange records one to one.
job_graph job_of_two_regions() {
  graph_maker make;
  auto map = make.op("m", {make.source("s")});
  make.graph.node(map).chaining = chaining::head;
  make.sink("out", map);
  return job_of(make.graph);
}

/// Two vertices with all-to-all between them, two subtasks each; subtask 0 is here, 1 is there.
struct running_job {
  execution_graph graph;
  std::int64_t now = 100;

  explicit running_job(failure_response response = failure_response::fail_job,
                       job_graph plan = job_of(word_count()))
      : graph(std::move(plan), job, 50, response) {
    graph.start(now);
    for (const auto& vertex : graph.plan().vertices)
      for (std::uint32_t i = 0; i < vertex.parallelism; ++i) {
        deploy(vertex.id, i);
        report(vertex.id, i, running);
      }
  }

  execution_attempt_id id(std::uint32_t vertex, std::uint32_t subtask) const {
    return graph.vertex({vertex, subtask}).current().id();
  }
  execution_state state(std::uint32_t vertex, std::uint32_t subtask) const {
    return graph.vertex({vertex, subtask}).current().state();
  }
  void deploy(std::uint32_t vertex, std::uint32_t subtask) {
    graph.on_deploy(id(vertex, subtask), slot_at(subtask % 2 == 0 ? here : there), now++);
  }
  execution_decision report(std::uint32_t vertex, std::uint32_t subtask, execution_state state,
                            std::optional<error> why = std::nullopt) {
    return graph.on_task_state(id(vertex, subtask), state, why, now++);
  }
};

const error boom{errc::user_function, "boom"};

using ids = std::vector<execution_attempt_id>;

}  // namespace

TEST_CASE("a job finishes when its last subtask does") {
  running_job j;
  CHECK(j.graph.status() == job_status::running);
  CHECK_FALSE(j.report(0, 0, finished).status);
  j.report(0, 1, finished);
  j.report(1, 1, finished);
  auto last = j.report(1, 0, finished);
  CHECK(last.status == job_status::finished);
  CHECK(last.cancel.empty());
  CHECK(j.graph.status_history() == std::vector<status_change>{{job_status::created, 50},
                                                               {job_status::running, 100},
                                                               {job_status::finished, j.now - 1}});
  CHECK_FALSE(j.graph.root_cause());
}

TEST_CASE("executions remember when they entered each state and where they run") {
  running_job j;
  const auto& e = j.graph.vertex({0, 0}).current();
  CHECK(e.entered_ms(created) == 50);
  CHECK(e.entered_ms(scheduled) == 100);
  CHECK(e.entered_ms(deploying) == 100);
  CHECK_FALSE(e.entered_ms(initializing));
  CHECK(e.entered_ms(running) == 101);
  CHECK(e.slot() == slot_at(here));
  CHECK(j.graph.state_counts()[static_cast<std::size_t>(running)] == 4);
}

TEST_CASE("the first failure is the root cause and cancels everything else") {
  running_job j;
  auto decision = j.report(1, 1, failed, boom);
  CHECK(decision.status == job_status::failing);
  CHECK(decision.cancel == ids{j.id(0, 0), j.id(0, 1), j.id(1, 0)});
  j.report(0, 0, failed, error{errc::io, "a consequence"});
  CHECK(j.state(0, 0) == canceled);
  j.report(0, 1, canceled);
  CHECK(j.report(1, 0, finished).status == job_status::failed);
  REQUIRE(j.graph.root_cause());
  CHECK(j.graph.root_cause()->cause ==
        error{errc::user_function,
              "operator 'count -> Sink: print' (subtask 2/2, attempt 0) on task manager there:2: "
              "boom"});
  CHECK(j.graph.root_cause()->attempt == j.id(1, 1));
  CHECK(j.graph.vertex({1, 1}).current().failure() == boom);
}

TEST_CASE("a task that stops unasked is a failure") {
  running_job j;
  CHECK(j.report(0, 0, canceled).status == job_status::failing);
  CHECK(j.state(0, 0) == failed);
  CHECK(j.graph.root_cause()->cause.message.ends_with(
      "the task was stopped, but nobody asked for it"));
}

TEST_CASE("reports of other attempts, jobs and subtasks are ignored") {
  running_job j;
  auto ignored = [&](execution_attempt_id id) {
    return j.graph.on_task_state(id, failed, boom, 7).ignored;
  };
  auto id = j.id(0, 0);
  CHECK(ignored({job_id{9, 9}, 0, 0, 0}));
  CHECK(ignored({id.job, 0, 0, 1}));
  CHECK(ignored({id.job, 0, 5, 0}));
  CHECK(ignored({id.job, 7, 0, 0}));
  CHECK(j.graph.status() == job_status::running);
}

TEST_CASE("reports that lead backwards or that only the master may say are ignored") {
  running_job j;
  for (auto state : {created, scheduled, deploying, initializing, running, canceling,
                     static_cast<execution_state>(77)})
    CHECK(j.report(0, 0, state).ignored);
  j.report(0, 0, finished);
  CHECK(j.report(0, 0, failed, boom).ignored);
  j.graph.on_cancel(j.now);
  CHECK(j.report(0, 1, running).ignored);
  CHECK(j.state(0, 1) == canceling);
}

TEST_CASE("cancelling a job asks the live tasks to stop and waits for them") {
  running_job j;
  j.report(0, 0, finished);
  auto decision = j.graph.on_cancel(j.now);
  CHECK(decision.status == job_status::cancelling);
  CHECK(decision.cancel == ids{j.id(0, 1), j.id(1, 0), j.id(1, 1)});
  CHECK(j.graph.on_cancel(j.now).ignored);
  CHECK(j.graph.on_fail(boom, j.now).ignored);
  j.report(0, 1, canceled);
  j.report(1, 0, canceled);
  CHECK(j.report(1, 1, failed, boom).status == job_status::canceled);
  CHECK_FALSE(j.graph.root_cause());
  CHECK(j.graph.on_cancel(j.now).ignored);
}

TEST_CASE("cancelling a job that waits for slots is immediate") {
  execution_graph graph(job_of(word_count()), job, 0);
  graph.start(1);
  auto decision = graph.on_cancel(2);
  CHECK(decision.status == job_status::canceled);
  CHECK(decision.cancel.empty());
  CHECK(graph.status_history().size() == 4);
}

TEST_CASE("a job that gets no slots fails at once with that reason") {
  execution_graph graph(job_of(word_count()), job, 0);
  graph.start(1);
  error why{errc::no_slots, "needs 2 slots"};
  CHECK(graph.on_fail(why, 2).status == job_status::failed);
  CHECK(graph.root_cause()->cause == why);
  CHECK_FALSE(graph.root_cause()->attempt);
}

TEST_CASE("a lost task manager fails what ran there and cancels the rest only") {
  running_job j;
  error lost{errc::task_manager_lost, "the connection closed"};
  auto decision = j.graph.on_task_manager_lost(there, lost, j.now);
  CHECK(decision.status == job_status::failing);
  CHECK(decision.cancel == ids{j.id(0, 0), j.id(1, 0)});
  CHECK(j.graph.root_cause()->cause.code == errc::task_manager_lost);
  CHECK(j.graph.root_cause()->cause.message ==
        "operator 'Source: lines -> flat_map' (subtask 2/2, attempt 0) on task manager there:2: "
        "the connection closed");
  CHECK(j.graph.on_task_manager_lost(there, lost, j.now).ignored);
  CHECK(j.graph.on_task_manager_lost(here, lost, j.now).status == job_status::failed);
}

TEST_CASE("a suspended job changes no more") {
  running_job j;
  CHECK(j.graph.on_suspend(j.now).status == job_status::suspended);
  CHECK(j.report(0, 0, failed, boom).ignored);
  CHECK(j.graph.on_cancel(j.now).ignored);
}

TEST_CASE("a failed region restarts alone, with its next attempt") {
  running_job j(failure_response::restart_region, job_of_two_regions());
  REQUIRE(j.graph.regions().size() == 2);

  auto old = j.id(0, 1);
  auto decision = j.report(0, 1, failed, boom);
  CHECK(decision.status == job_status::restarting);
  CHECK(decision.cancel == ids{j.id(1, 1)});
  CHECK(decision.restartable.empty());
  CHECK(j.graph.reset_for_restart(1, j.now).ignored);
  CHECK(j.report(1, 1, canceled).restartable == std::vector<std::uint32_t>{1});
  CHECK(j.graph.reset_for_restart(0, j.now).ignored);

  CHECK(j.graph.reset_for_restart(1, j.now).status == job_status::running);
  CHECK(j.id(0, 1).attempt == 1);
  CHECK(j.state(0, 1) == scheduled);
  CHECK(j.id(0, 0).attempt == 0);
  CHECK(j.state(0, 0) == running);
  REQUIRE(j.graph.vertex({0, 1}).history().size() == 1);
  CHECK(j.graph.vertex({0, 1}).history()[0].failure() == boom);
  CHECK(j.graph.on_task_state(old, finished, std::nullopt, j.now).ignored);
  CHECK_FALSE(j.graph.root_cause());

  for (std::uint32_t vertex : {0, 1}) {
    j.deploy(vertex, 1);
    j.report(vertex, 0, finished);
    decision = j.report(vertex, 1, finished);
  }
  CHECK(decision.status == job_status::finished);
}

TEST_CASE("a failure of the job as a whole restarts all regions") {
  running_job j(failure_response::restart_region, job_of_two_regions());
  auto decision = j.graph.on_global_failure(boom, j.now);
  CHECK(decision.status == job_status::restarting);
  CHECK(decision.has_failed);
  CHECK(decision.cancel.size() == 4);
  CHECK(j.graph.root_cause()->cause == boom);
  CHECK_FALSE(j.graph.on_global_failure(boom, j.now).has_failed);
  for (std::uint32_t i : {0, 1}) {
    j.report(0, i, canceled);
    CHECK(j.report(1, i, canceled).restartable == std::vector<std::uint32_t>{i});
    decision = j.graph.reset_for_restart(i, j.now);
  }
  CHECK(decision.status == job_status::running);

  running_job never;
  CHECK(never.graph.on_global_failure(boom, never.now).status == job_status::failing);
}

TEST_CASE("a job that is restarting can be cancelled or given up") {
  running_job j(failure_response::restart_region);
  j.report(0, 0, failed, boom);
  SUBCASE("cancelled") {
    CHECK(j.graph.on_cancel(j.now).status == job_status::cancelling);
    j.report(0, 1, canceled);
    j.report(1, 0, canceled);
    CHECK(j.report(1, 1, canceled).status == job_status::canceled);
  }
  SUBCASE("given up: the failure that made it restart stays the root cause") {
    CHECK(j.graph.on_fail({errc::timeout, "no restart allowed"}, j.now).status ==
          job_status::failing);
    CHECK(j.graph.root_cause()->cause.code == errc::user_function);
  }
}

TEST_CASE("random reports never break the graph, and every job that is told to end does") {
  for (std::uint32_t seed = 0; seed < 150; ++seed) {
    CAPTURE(seed);
    std::mt19937 rng(seed);
    auto response = seed % 2 == 0 ? failure_response::fail_job : failure_response::restart_region;
    running_job j(response, job_of(random_graph(seed)));
    std::vector<subtask_ref> all;
    for (const auto& region : j.graph.regions())
      all.insert(all.end(), region.begin(), region.end());
    std::vector<std::uint32_t> restartable;
    auto apply = [&](const execution_decision& d) {
      if (d.ignored) REQUIRE((d.cancel.empty() && !d.status && d.restartable.empty()));
      for (const auto& id : d.cancel) REQUIRE(j.graph.find(id)->state() == canceling);
      restartable.insert(restartable.end(), d.restartable.begin(), d.restartable.end());
    };
    for (int step = 0; step < 200; ++step) {
      auto subtask = all[rng() % all.size()];
      switch (rng() % 12) {
        case 0:
          apply(j.graph.on_task_manager_lost(rng() % 2 ? here : there, boom, j.now));
          break;
        case 1:
          for (auto region : restartable) apply(j.graph.reset_for_restart(region, j.now));
          restartable.clear();
          break;
        case 2:
        case 3:
          j.deploy(subtask.vertex, subtask.subtask);
          break;
        default:
          apply(j.report(subtask.vertex, subtask.subtask, static_cast<execution_state>(rng() % 9)));
      }
    }
    apply(j.graph.on_cancel(j.now));
    for (auto subtask : all) apply(j.report(subtask.vertex, subtask.subtask, canceled));
    REQUIRE(is_globally_terminal(j.graph.status()));
    for (auto subtask : all) REQUIRE(is_terminal(j.state(subtask.vertex, subtask.subtask)));
  }
}

}  // namespace execution_graph_test
