#include "millrace/stream/iteration_coordinator.hpp"

#include <doctest/doctest.h>

#include "support/stream_jobs.hpp"

namespace iteration_coordinator_test {

using namespace millrace;
using namespace millrace::test;
using graph::partitioning;

namespace {

/// source => head => body => head, and body => sink, all between all, in two subtasks each.
struct coordinated_loop {
  job_maker make;
  graph::job_graph job;
  std::optional<iteration_coordinator> coordinator;

  static constexpr std::uint32_t head = 1, body = 2;

  coordinated_loop() {
    make.parallelism = 2;
    const auto source = make.source("source");
    script two;
    two.inputs = 2;
    const auto loop = make.op("head", two);
    const auto middle = make.op("body");
    const auto sink = make.sink("sink");
    make.connect(source, loop, partitioning::rebalance, 0);
    make.connect(loop, middle, partitioning::rebalance);
    make.feed_back(middle, loop, partitioning::rebalance);
    make.connect(middle, sink, partitioning::rebalance);
    job = make.build();
    coordinator.emplace(job, graph::find_iterations(job).value().at(0));
  }

  iteration_coordinator::decision start() {
    iteration_coordinator::decision last;
    for (const auto vertex : {head, body})
      for (const std::uint32_t s : {0u, 1u}) last = coordinator->on_running(subtask(vertex, s));
    return last;
  }

  /// All subtasks answer; each has sent `around` elements on each of its channels of the loop, and
  /// received as many, but `lost` fewer.
  iteration_coordinator::decision answer(std::uint64_t round, std::uint64_t around,
                                         std::uint64_t lost = 0, bool is_passive = true) {
    iteration_coordinator::decision last;
    for (const std::uint32_t s : {0u, 1u}) {
      // Channels of the head: 2 from the source, 2 from the body. Of the body: 2 and 2, 2 to the
      // sink.
      last = coordinator->on_report(subtask(head, s),
                                    {round, is_passive, {around, around}, {9, 9, around, around}});
      last = coordinator->on_report(
          subtask(body, s),
          {round, true, {around, around, 77, 77}, {around, around - (s == 1 ? lost : 0)}});
    }
    return last;
  }
};

using request = iteration_request;

bool asks(const iteration_coordinator::decision& d, request what, std::uint64_t round,
          std::size_t tasks) {
  const auto& last = d.orders.back();
  return last.command == iteration_command{what, round} && last.tasks.size() == tasks;
}

}  // namespace

TEST_CASE("all tasks of a loop are asked once all of them run") {
  coordinated_loop l;
  CHECK(l.coordinator->on_running(subtask(0, 0)).orders.empty());  // the source is no part of it
  for (const auto vertex : {l.head, l.body})
    CHECK(l.coordinator->on_running(subtask(vertex, 0)).orders.empty());
  CHECK(l.coordinator->on_running(subtask(l.head, 1)).orders.empty());
  const auto first = l.coordinator->on_running(subtask(l.body, 1));
  REQUIRE(first.orders.size() == 1);
  CHECK(asks(first, request::report, 1, 4));
}

TEST_CASE("an empty loop ends after its records and after event time, each confirmed") {
  coordinated_loop l;
  l.start();
  CHECK(asks(l.answer(1, 5), request::confirm, 2, 4));
  const auto event_time = l.answer(2, 5);
  REQUIRE(event_time.orders.size() == 2);
  CHECK(event_time.orders[0].command.request == request::end_event_time);
  CHECK(event_time.orders[0].tasks ==
        std::vector<execution_attempt_id>{subtask(l.head, 0), subtask(l.head, 1)});
  CHECK(asks(event_time, request::report, 3, 4));
  CHECK(asks(l.answer(3, 6), request::confirm, 4, 4));
  CHECK(!l.coordinator->has_ended());
  CHECK(asks(l.answer(4, 6), request::end, 4, 2));
  CHECK(l.coordinator->has_ended());
  CHECK(l.answer(4, 6).orders.empty());
}

TEST_CASE("a loop is not empty while an element is under way, however often all are passive") {
  coordinated_loop l;
  l.start();
  std::chrono::milliseconds before{0};
  for (std::uint64_t round = 1; round < 10; ++round) {
    const auto next = l.answer(round, 5 + round, 1);
    CHECK(next.orders.empty());
    REQUIRE(next.retry_after);
    CHECK(*next.retry_after >= before);
    CHECK(*next.retry_after <= std::chrono::milliseconds(16));
    before = *next.retry_after;
    CHECK(asks(l.coordinator->on_retry(), request::report, round + 1, 4));
  }
  CHECK(asks(l.answer(10, 20), request::confirm, 11, 4));
}

TEST_CASE("what is not confirmed is asked again at once, so that timers go on") {
  coordinated_loop l;
  l.start();
  l.answer(1, 5);
  SUBCASE("a timer has fired meanwhile") {
    CHECK(asks(l.answer(2, 6, 1), request::report, 3, 4));
  }
  SUBCASE("a task is at work") {
    CHECK(asks(l.answer(2, 5, 0, false), request::report, 3, 4));
  }
}

TEST_CASE("answers of another round, another attempt or given twice don't count") {
  coordinated_loop l;
  l.start();
  CHECK(l.answer(7, 5).orders.empty());
  const iteration_report report{1, true, {5, 5}, {9, 9, 5, 5}};
  for (int i = 0; i < 4; ++i)
    CHECK(l.coordinator->on_report(subtask(l.head, 0), report).orders.empty());
  auto zombie = subtask(l.head, 1);
  zombie.attempt = 3;
  CHECK(l.coordinator->on_report(zombie, report).orders.empty());
  CHECK(l.coordinator->on_retry().orders.empty());
  CHECK(asks(l.answer(1, 5), request::confirm, 2, 4));
}

TEST_CASE("reports with other channels than there are never agree") {
  coordinated_loop l;
  l.start();
  for (const auto vertex : {l.head, l.body})
    for (const std::uint32_t s : {0u, 1u})
      if (const auto next = l.coordinator->on_report(subtask(vertex, s), {1, true, {}, {}});
          vertex == l.body && s == 1)
        CHECK(next.retry_after);
}

TEST_CASE("a loop that was restarted begins from the start") {
  coordinated_loop l;
  l.start();
  l.answer(1, 5);
  l.answer(2, 5);  // event time has ended
  iteration_coordinator::decision last;
  for (const auto vertex : {l.head, l.body})
    for (const std::uint32_t s : {0u, 1u}) {
      CHECK(last.orders.empty());
      auto next = subtask(vertex, s);
      next.attempt = 1;
      last = l.coordinator->on_running(next);
    }
  CHECK(asks(last, request::report, 4, 4));
  CHECK(last.orders.back().tasks[0].attempt == 1);
}

}  // namespace iteration_coordinator_test
