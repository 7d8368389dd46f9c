#include "millrace/checkpoint/checkpoint_coordinator.hpp"

#include <doctest/doctest.h>

#include "support/graphs.hpp"

namespace checkpoint_coordinator_test {

using namespace millrace;
using namespace millrace::test;
using graph::execution_state;

namespace {

using ids = std::vector<checkpoint_id>;

/// Two vertices with all-to-all between them, two subtasks each, and a coordinator.
struct checkpointed_job {
  graph::execution_graph execution;
  checkpoint_coordinator coordinator;
  std::int64_t now = 0;
  std::uint64_t in_flight_bytes = 0;  // of each acknowledgement

  explicit checkpointed_job(checkpoint_settings settings, bool is_enabled = true)
      : execution(job_of(word_count()), {1, 2}, 0, graph::failure_response::restart_region),
        coordinator(is_enabled ? enabled(settings) : settings, execution.plan(), {1, 2}) {
    execution.start(0);
    for (const auto& vertex : execution.plan().vertices)
      for (std::uint32_t i = 0; i < vertex.parallelism; ++i) {
        execution.on_deploy(id(vertex.id, i), {{4, 4}, {5, 5}, "here:1"}, 0);
        report(vertex.id, i, execution_state::running);
      }
  }

  static checkpoint_settings enabled(checkpoint_settings settings) {
    if (settings.interval_ms == 0) settings.interval_ms = 1000;
    return settings;
  }
  execution_attempt_id id(std::uint32_t vertex, std::uint32_t subtask) const {
    return execution.vertex({vertex, subtask}).current().id();
  }
  void report(std::uint32_t vertex, std::uint32_t subtask, execution_state state) {
    execution.on_task_state(id(vertex, subtask), state, std::nullopt, 0);
  }

  checkpoint_decision at(std::int64_t when) { return coordinator.on_time(now = when, 0); }
  /// Begins what is due at `when` and tells the tasks.
  checkpoint_id begin(std::int64_t when) {
    auto decision = at(when);
    REQUIRE(decision.begin);
    coordinator.on_begun(*decision.begin, *plan_checkpoint(execution), {{"enumerator", {}}});
    return *decision.begin;
  }
  checkpoint_decision acknowledge(checkpoint_id checkpoint, std::uint32_t vertex,
                                  std::uint32_t subtask, bool operators_finished = false) {
    checkpoint_acknowledgement ack;
    ack.state.operators_finished = operators_finished;
    ack.task = id(vertex, subtask);
    ack.checkpoint = checkpoint;
    ack.state.bytes = 10;
    ack.state.stored_anew = 3 + subtask;
    if (in_flight_bytes != 0) ack.state.in_flight.emplace().length = in_flight_bytes;
    ack.alignment_ms = vertex + subtask;
    ack.synchronous_ms = 5;
    ack.asynchronous_ms = 6;
    return coordinator.on_acknowledged(std::move(ack), now);
  }
  checkpoint_decision acknowledge_all(checkpoint_id checkpoint) {
    checkpoint_decision last;
    for (const auto& task : coordinator.pending(checkpoint)->tasks())
      last = acknowledge(checkpoint, task.vertex, task.subtask);
    return last;
  }
  checkpoint_decision complete(checkpoint_id checkpoint) {
    CHECK(acknowledge_all(checkpoint).store == ids{checkpoint});
    return coordinator.on_stored(checkpoint, {}, now, 0);
  }
};

constexpr checkpoint_id one{1}, two{2}, three{3};

}  // namespace

TEST_CASE("an incremental checkpoint begins upon the latest that is complete") {
  checkpointed_job job({.concurrent_max = 3, .is_incremental = true});
  job.coordinator.on_running(0, 0);
  const auto base_of = [&](checkpoint_id id) { return job.coordinator.pending(id)->cut().base; };
  CHECK(job.begin(1000) == one);
  CHECK(base_of(one) == checkpoint_id{});
  CHECK(job.begin(2000) == two);
  CHECK(base_of(two) == checkpoint_id{});
  job.complete(one);
  CHECK(base_of(two) == checkpoint_id{});
  CHECK(job.begin(3000) == three);
  CHECK(base_of(three) == one);
  // Savepoints stand on their own.
  const auto savepoint =
      job.coordinator.on_savepoint_request(checkpoint_kind::savepoint, job.now, 0).begin;
  REQUIRE(savepoint);
  CHECK_FALSE(base_of(*savepoint));

  checkpointed_job other({});
  other.coordinator.on_running(0, 0);
  CHECK_FALSE(other.coordinator.pending(other.begin(1000))->cut().base);
}

TEST_CASE("checkpoints begin when all tasks run, an interval from one to the next") {
  checkpointed_job job({});
  CHECK_FALSE(job.at(5000).begin);
  CHECK_FALSE(job.coordinator.next_ms());
  CHECK_FALSE(job.coordinator.on_running(10'000, 0).begin);
  CHECK(job.coordinator.next_ms() == 11'000);
  CHECK_FALSE(job.at(10'999).begin);
  CHECK(job.begin(11'000) == one);
  CHECK(job.complete(one).completed == one);
  CHECK(job.coordinator.next_ms() == 12'000);
  CHECK(job.begin(12'300) == two);  // late
  CHECK(job.complete(two).completed == two);
  CHECK(job.coordinator.next_ms() == 13'300);
}

TEST_CASE("only those that no barrier reaches are told, all that run are waited for") {
  checkpointed_job job({});
  auto plan = plan_checkpoint(job.execution);
  REQUIRE(plan);
  CHECK(plan->trigger == std::vector{job.id(0, 0), job.id(0, 1)});
  CHECK(plan->acknowledge.size() == 4);
  CHECK(plan->finished.empty());

  job.report(0, 1, execution_state::finished);
  plan = plan_checkpoint(job.execution);
  CHECK(plan->trigger == std::vector{job.id(0, 0)});
  CHECK(plan->finished == std::vector<graph::subtask_ref>{{0, 1}});
  job.report(0, 0, execution_state::finished);
  plan = plan_checkpoint(job.execution);
  CHECK(plan->trigger == std::vector{job.id(1, 0), job.id(1, 1)});
  job.report(1, 0, execution_state::finished);
  job.report(1, 1, execution_state::finished);
  CHECK_FALSE(plan_checkpoint(job.execution));
}

TEST_CASE("a checkpoint is complete when all have acknowledged and it is stored") {
  checkpointed_job job({});
  job.coordinator.on_running(0, 77);
  const auto id = job.begin(1000);
  CHECK(job.acknowledge(id, 0, 0).store.empty());
  CHECK(job.acknowledge(id, 0, 0).store.empty());  // twice
  CHECK(job.acknowledge(id, 0, 1).store.empty());
  CHECK(job.acknowledge(id, 1, 0).store.empty());
  CHECK(job.acknowledge(two, 1, 1).store.empty());  // of none
  CHECK(job.coordinator.records(1500).back().acknowledged == 3);
  CHECK(job.coordinator.records(1500).back().duration_ms == 500);
  CHECK_FALSE(job.coordinator.is_storing());
  CHECK(job.acknowledge(id, 1, 1).store == ids{id});
  CHECK(job.coordinator.is_storing());
  CHECK(job.coordinator.latest() == checkpoint_id{});

  const auto metadata = job.coordinator.metadata_of(id);
  CHECK(metadata.checkpoint == id);
  CHECK(metadata.job == job_id{1, 2});
  std::size_t operators = 0;
  for (const auto& vertex : job.execution.plan().vertices) operators += vertex.operators.size();
  CHECK(metadata.operators.size() == operators);

  const auto decision = job.coordinator.on_stored(id, {}, 1200, 0);
  CHECK(decision.completed == id);
  CHECK(decision.completed_at.size() == 4);
  CHECK(decision.discard.empty());
  CHECK(job.coordinator.latest() == id);
  const auto record = job.coordinator.records(9999).back();
  CHECK(record.status == checkpoint_status::completed);
  CHECK(record.bytes == 40);
  CHECK(record.alignment_ms == 2);
  CHECK(record.duration_ms == 200);
}

TEST_CASE("the history tells what each subtask has done, and whom one waits for") {
  using enum subtask_checkpoint_status;
  checkpointed_job job({.timeout_ms = 500});
  job.in_flight_bytes = 2;
  job.coordinator.on_running(0, 0);
  job.report(0, 0, execution_state::finished);
  CHECK_FALSE(job.coordinator.subtasks_of(one));
  const auto begun = job.at(1000).begin;
  REQUIRE(begun == one);
  CHECK(job.coordinator.subtasks_of(one)->empty());  // nobody was told of it
  job.coordinator.on_begun(one, *plan_checkpoint(job.execution), {});
  job.now = 1100;
  job.acknowledge(one, 1, 1, true);
  job.now = 1250;
  job.acknowledge(one, 0, 1);
  job.acknowledge(one, 0, 1);  // twice
  const subtask_checkpoint early{1, 1, acknowledged, true, 100, 10, 4, 2, 2, 5, 6};
  const subtask_checkpoint late{0, 1, acknowledged, false, 250, 10, 4, 2, 1, 5, 6};
  const std::vector<subtask_checkpoint> expected{{0, 0, ended}, late, {1, 0}, early};
  CHECK(expected[2].status == awaited);
  CHECK(job.coordinator.subtasks_of(one) == expected);
  // It hangs until it expires, and is remembered as it was.
  CHECK(job.at(1500).aborted.size() == 1);
  CHECK(job.coordinator.subtasks_of(one) == expected);

  const auto completed = job.begin(job.coordinator.next_ms().value());
  job.complete(completed);
  const auto subtasks = job.coordinator.subtasks_of(completed).value();
  REQUIRE(subtasks.size() == 4);
  CHECK(subtasks[0].status == ended);
  for (std::size_t i = 1; i < 4; ++i) CHECK(subtasks[i].status == acknowledged);
  const auto savepoint =
      job.coordinator.on_savepoint_request(checkpoint_kind::savepoint, job.now, 0).begin.value();
  job.coordinator.on_begun(savepoint, *plan_checkpoint(job.execution), {});
  job.complete(savepoint);
  CHECK(job.coordinator.subtasks_of(savepoint) == subtasks);
}

TEST_CASE("the history remembers subtasks of as many checkpoints as it lists, and no more") {
  checkpoint_history history;
  constexpr std::uint64_t all = checkpoint_history::size_max + 3;
  for (std::uint64_t n = 1; n <= all; ++n) {
    checkpoint_record record;
    record.checkpoint = {n};
    history.add(record, {{0, static_cast<std::uint32_t>(n)}});
  }
  for (const auto& record : history.ended())
    CHECK(history.subtasks_of(record.checkpoint).at(0).subtask == record.checkpoint.number);
  CHECK_THROWS(history.subtasks_of({all - checkpoint_history::size_max}));

  checkpointed_job job({});
  job.coordinator.on_running(0, 0);
  for (std::uint64_t n = 1; n <= all; ++n)
    job.complete(job.begin(static_cast<std::int64_t>(1000 * n)));
  CHECK_FALSE(job.coordinator.subtasks_of({all - checkpoint_history::size_max}));
  CHECK(job.coordinator.subtasks_of({all - checkpoint_history::size_max + 1}));
}

TEST_CASE("subtasks that had finished are recorded as such") {
  checkpointed_job job({});
  job.coordinator.on_running(0, 0);
  job.report(0, 0, execution_state::finished);
  const auto id = job.begin(1000);
  job.acknowledge_all(id);
  const auto metadata = job.coordinator.metadata_of(id);
  CHECK(metadata.operators[0].subtasks[0].is_finished);
  CHECK_FALSE(metadata.operators[0].subtasks[1].is_finished);
}

TEST_CASE("subtasks that only waited for the checkpoint are recorded as such") {
  checkpointed_job job({});
  job.coordinator.on_running(0, 0);
  job.report(0, 0, execution_state::finished);
  const auto id = job.begin(1000);
  job.acknowledge(id, 0, 1, true);
  job.acknowledge_all(id);
  const auto subtasks = job.coordinator.metadata_of(id).operators[0].subtasks;
  CHECK_FALSE(subtasks[0].operators_finished);
  CHECK_FALSE(subtasks[1].is_finished);
  CHECK(subtasks[1].operators_finished);
  CHECK_FALSE(job.coordinator.had_finished({0, 1}));
  job.coordinator.on_stored(id, {}, job.now, 0);
  CHECK(job.coordinator.had_finished({0, 0}));
  CHECK(job.coordinator.had_finished({0, 1}));
  CHECK_FALSE(job.coordinator.had_finished({1, 0}));
}

TEST_CASE("a checkpoint that takes too long is given up") {
  checkpointed_job job({.timeout_ms = 500});
  job.coordinator.on_running(0, 0);
  const auto id = job.begin(1000);
  job.acknowledge(id, 0, 0);
  CHECK(job.coordinator.next_ms() == 1500);
  CHECK(job.at(1499).aborted.empty());
  const auto decision = job.at(1500);
  REQUIRE(decision.aborted.size() == 1);
  CHECK(decision.aborted[0].checkpoint == id);
  CHECK(decision.aborted[0].tasks.size() == 4);
  CHECK(decision.fail_job);  // none is tolerable
  CHECK(decision.fail_job->message.find("expired") != std::string::npos);
  CHECK(job.acknowledge(id, 0, 1).store.empty());
  CHECK(
      job.coordinator.records(0).back().failure ==
      "expired: not complete after 500 ms, waiting for 'Source: lines -> flat_map' (subtask 2/2), "
      "'count -> Sink: print' (subtask 1/2), 'count -> Sink: print' (subtask 2/2)");
  // Also if there was not even room for it.
  job.at(2000);
  CHECK(job.at(2500).aborted.size() == 1);
  CHECK(job.coordinator.records(0).back().failure ==
        "expired: not complete after 500 ms, waiting for the storage");
}

TEST_CASE("what is being stored does not expire") {
  checkpointed_job job({.timeout_ms = 500});
  job.coordinator.on_running(0, 0);
  const auto id = job.begin(1000);
  job.acknowledge_all(id);
  CHECK(job.at(9000).aborted.empty());
  CHECK(job.coordinator.on_stored(id, {}, 9100, 0).completed == id);
}

TEST_CASE("the minimal pause counts from the end of the last checkpoint") {
  checkpointed_job job({.min_pause_ms = 700});
  job.coordinator.on_running(0, 0);
  const auto id = job.begin(1000);
  job.now = 1900;
  job.complete(id);
  CHECK(job.coordinator.next_ms() == 2600);
  CHECK_FALSE(job.at(2000).begin);
  CHECK(job.begin(2600) == two);
}

TEST_CASE("no more checkpoints are under way at once than may be") {
  checkpointed_job job({.concurrent_max = 2});
  job.coordinator.on_running(0, 0);
  job.begin(1000);
  job.begin(2000);
  CHECK_FALSE(job.at(3000).begin);
  CHECK(job.complete(one).begin == three);
}

TEST_CASE("a completed checkpoint ends the earlier ones, which does not count as failure") {
  checkpointed_job job({.concurrent_max = 2});
  job.coordinator.on_running(0, 0);
  job.begin(1000);
  job.begin(2000);
  const auto decision = job.complete(two);
  REQUIRE(decision.aborted.size() == 1);
  CHECK(decision.aborted[0].checkpoint == one);
  CHECK(decision.aborted[0].why == checkpoint_failure::subsumed);
  CHECK_FALSE(decision.fail_job);
  CHECK(job.acknowledge(one, 0, 0).store.empty());
  CHECK(job.coordinator.latest() == two);
}

TEST_CASE("a checkpoint that ends more than the history remembers is in the history itself") {
  constexpr std::uint64_t ended = checkpoint_history::size_max + 5;
  checkpointed_job job({.concurrent_max = ended + 1});
  job.coordinator.on_running(0, 0);
  checkpoint_id last;
  for (std::uint64_t n = 0; n <= ended; ++n)
    last = job.begin(static_cast<std::int64_t>(1000 * (n + 1)));
  CHECK(job.complete(last).aborted.size() == ended);
  const auto& history = job.coordinator.history();
  CHECK(history.ended().back().checkpoint == last);
  CHECK(history.completed() == 1);
  CHECK(history.failed() == ended);
}

TEST_CASE("only so many completed checkpoints are kept") {
  checkpointed_job job({.retained = 2});
  job.coordinator.on_running(0, 0);
  for (int n = 1; n <= 2; ++n) CHECK(job.complete(job.begin(n * 1000)).discard.empty());
  CHECK(job.complete(job.begin(3000)).discard == ids{one});
  CHECK(job.complete(job.begin(4000)).discard == ids{two});
  CHECK(job.coordinator.kept().all() == ids{three, {4}});
}

TEST_CASE("failures in a row are tolerated up to a number") {
  checkpointed_job job({.tolerable_failures = 1});
  job.coordinator.on_running(0, 0);
  auto id = job.begin(1000);
  auto decision = job.coordinator.on_declined(job.id(1, 0), id, "no", 1100);
  CHECK(decision.aborted.size() == 1);
  CHECK_FALSE(decision.fail_job);
  id = job.begin(2000);
  job.complete(id);
  id = job.begin(3000);
  CHECK_FALSE(job.coordinator.on_declined(job.id(1, 0), id, "no", 3100).fail_job);
  id = job.begin(4000);
  job.acknowledge_all(id);
  decision = job.coordinator.on_stored(id, fail(errc::io, "disk full"), 4200, 0);
  CHECK(decision.aborted.size() == 1);
  REQUIRE(decision.fail_job);
  CHECK(decision.fail_job->message.find("disk full") != std::string::npos);
  CHECK(job.coordinator.history().failed() == 3);
  CHECK(job.coordinator.history().completed() == 1);
}

TEST_CASE("a task that does not take part can't decline, nor one that has acknowledged") {
  checkpointed_job job({});
  job.coordinator.on_running(0, 0);
  const auto id = job.begin(1000);
  job.acknowledge(id, 0, 0);
  CHECK(job.coordinator.on_declined(job.id(0, 0), id, "no", 0).aborted.empty());
  auto zombie = job.id(0, 1);
  ++zombie.attempt;
  CHECK(job.coordinator.on_declined(zombie, id, "no", 0).aborted.empty());
  checkpoint_acknowledgement ack;
  ack.task = zombie;
  ack.checkpoint = id;
  CHECK(job.coordinator.on_acknowledged(ack, 0).store.empty());
  CHECK(job.coordinator.pending(id)->waits_for(job.id(0, 1)));
}

TEST_CASE("a failure gives up what is under way, and nothing begins until all run again") {
  checkpointed_job job({.concurrent_max = 3});
  job.coordinator.on_running(0, 0);
  job.begin(1000);
  const auto stored = job.begin(2000);
  job.begin(3000);
  job.acknowledge_all(stored);
  const auto decision = job.coordinator.on_not_running(checkpoint_failure::task_failed, 3500);
  CHECK(decision.aborted.size() == 2);
  CHECK_FALSE(decision.fail_job);
  CHECK_FALSE(job.at(9000).begin);
  // What was being stored may still become what the job goes back to.
  CHECK(job.coordinator.is_storing());
  CHECK(job.coordinator.on_stored(stored, {}, 9100, 0).completed == stored);
  CHECK(job.coordinator.latest() == stored);
  job.coordinator.on_running(10'000, 0);
  CHECK(job.begin(11'000) == checkpoint_id{4});
}

TEST_CASE("a task that ends before its acknowledgement ends the checkpoint") {
  checkpointed_job job({.concurrent_max = 2});
  job.coordinator.on_running(0, 0);
  job.begin(1000);
  job.acknowledge(one, 0, 0);
  job.begin(2000);
  const auto decision = job.coordinator.on_task_finished(job.id(0, 0), 2500, 0);
  REQUIRE(decision.aborted.size() == 1);
  CHECK(decision.aborted[0].checkpoint == two);
  CHECK_FALSE(decision.fail_job);
  CHECK(job.coordinator.pending(one) != nullptr);
}

TEST_CASE("who asks for a checkpoint does not wait for the interval, nor for the pause") {
  checkpointed_job job({.min_pause_ms = 5000});
  job.coordinator.on_running(0, 0);
  CHECK(job.coordinator.on_request(10, 0).begin == one);
  job.coordinator.on_begun(one, *plan_checkpoint(job.execution), {});
  CHECK_FALSE(job.coordinator.on_request(20, 0).begin);  // one at a time
  CHECK(job.complete(one).begin == two);
}

TEST_CASE("the numbers of checkpoints go on where the job goes on from") {
  checkpointed_job job({});
  job.coordinator.restore({41}, true, {{0, 1}});
  CHECK(job.coordinator.had_finished({0, 1}));
  CHECK(job.coordinator.latest() == checkpoint_id{41});
  job.coordinator.on_running(0, 0);
  CHECK(job.complete(job.begin(1000)).discard == ids{{41}});
  checkpointed_job other({});
  other.coordinator.restore({41}, false, {});
  CHECK(other.coordinator.latest() == checkpoint_id{41});
  other.coordinator.on_running(0, 0);
  CHECK(other.complete(other.begin(1000)).discard.empty());
  CHECK(other.coordinator.latest() == checkpoint_id{42});
}

TEST_CASE("a savepoint begins at once, beside a checkpoint, and neither ends the other") {
  checkpointed_job job({.min_pause_ms = 5000});
  CHECK_FALSE(job.coordinator.on_savepoint_request(checkpoint_kind::savepoint, 0, 0).begin);
  job.coordinator.on_running(0, 0);
  job.begin(1000);
  auto decision = job.coordinator.on_savepoint_request(checkpoint_kind::savepoint, 1001, 0);
  REQUIRE(decision.begin == two);
  CHECK(job.coordinator.pending(two)->cut().kind == checkpoint_kind::savepoint);
  job.coordinator.on_begun(two, *plan_checkpoint(job.execution), {});
  decision = job.complete(two);
  CHECK(decision.saved == two);
  CHECK_FALSE(decision.completed);
  CHECK(decision.aborted.empty());
  CHECK(job.coordinator.latest() == checkpoint_id{});  // no restart goes back to it
  CHECK(job.complete(one).completed == one);
  CHECK(job.coordinator.latest() == one);

  job.coordinator.on_savepoint_request(checkpoint_kind::savepoint, 1002, 0);
  job.coordinator.on_begun(three, *plan_checkpoint(job.execution), {});
  const checkpoint_id four{4};
  CHECK(job.coordinator.on_request(1003, 0).begin == std::nullopt);  // one at a time
  decision = job.coordinator.on_declined(job.id(1, 0), three, "disk full", 1004);
  CHECK(decision.aborted.size() == 1);
  CHECK_FALSE(decision.fail_job);  // though no failure is tolerable
  CHECK(job.coordinator.on_time(1005, 0).begin == four);
}

TEST_CASE("before a job stops no checkpoint begins, and its savepoint is what it goes back to") {
  checkpointed_job job({});
  job.coordinator.on_running(0, 0);
  job.begin(1000);
  const auto held = job.coordinator.hold(1001);
  REQUIRE(held.aborted.size() == 1);
  CHECK_FALSE(held.fail_job);
  CHECK_FALSE(job.at(5000).begin);
  CHECK(job.coordinator.on_request(5000, 0).begin == std::nullopt);
  CHECK(job.coordinator.next_ms() == std::nullopt);
  CHECK(job.coordinator.on_savepoint_request(checkpoint_kind::final_savepoint, 5001, 0).begin ==
        two);
  job.coordinator.on_begun(two, *plan_checkpoint(job.execution), {});
  const auto decision = job.complete(two);
  CHECK(decision.completed == two);
  CHECK(decision.completed_at.size() == 4);
  CHECK(decision.discard.empty());
  CHECK(job.coordinator.latest() == two);
  CHECK(job.coordinator.kept().all().empty());  // never removed
  CHECK_FALSE(job.at(9000).begin);
  // A failure: it goes on after all.
  job.coordinator.on_not_running(checkpoint_failure::task_failed, 9001);
  CHECK(job.coordinator.on_running(9002, 0).begin == three);  // that was asked for
}

TEST_CASE("a job that does not stop after all takes checkpoints again") {
  checkpointed_job job({});
  job.coordinator.on_running(0, 0);
  job.coordinator.hold(10);
  CHECK_FALSE(job.at(3000).begin);
  CHECK(job.coordinator.resume(3001, 0).begin == one);
}

TEST_CASE("another master goes on with what is complete, and never removes a user's savepoint") {
  checkpointed_job job({.retained = 1});
  CHECK(job.coordinator.recover({{4}, {5}}, {6}, 8) == ids{{4}});
  CHECK(job.coordinator.latest() == checkpoint_id{6});
  CHECK(job.coordinator.kept().all() == ids{{5}});
  job.coordinator.on_running(0, 0);
  CHECK(job.begin(1000) == checkpoint_id{9});
}

TEST_CASE("savepoints are aligned, and what was on its way is counted") {
  checkpointed_job job({.alignment = barrier_alignment::aligned_at_first});
  job.coordinator.on_running(0, 0);
  job.begin(1000);
  CHECK(job.coordinator.pending(one)->cut().alignment == barrier_alignment::aligned_at_first);
  job.coordinator.on_savepoint_request(checkpoint_kind::savepoint, 1001, 0);
  CHECK(job.coordinator.pending(two)->cut().alignment == barrier_alignment::exactly_once);

  checkpoint_acknowledgement ack;
  ack.task = job.id(1, 1);
  ack.checkpoint = one;
  ack.state.operators.resize(1);
  ack.state.in_flight.emplace().length = 77;
  job.coordinator.on_acknowledged(std::move(ack), 1002);
  CHECK(job.coordinator.records(1002)[0].in_flight_bytes == 77);
  job.acknowledge(one, 0, 0);
  job.acknowledge(one, 0, 1);
  REQUIRE(job.acknowledge(one, 1, 0).store == ids{one});
  const auto metadata = job.coordinator.metadata_of(one);
  CHECK(metadata.shape != 0);
  std::size_t found = 0;
  for (const auto& op : metadata.operators)
    for (const auto& subtask : op.subtasks) found += subtask.in_flight.has_value();
  CHECK(found == 1);  // at the head of the chain
}

TEST_CASE("a job that may count twice has neither checkpoints nor savepoints aligned") {
  configuration config;
  REQUIRE(config.set("execution.checkpointing.mode", "at-least-once", "test"));
  checkpointed_job job(checkpoint_settings_of(config).value());
  job.coordinator.on_running(0, 0);
  job.begin(1000);
  CHECK(job.coordinator.pending(one)->cut().alignment == barrier_alignment::at_least_once);
  job.coordinator.on_savepoint_request(checkpoint_kind::savepoint, 1001, 0);
  CHECK(job.coordinator.pending(two)->cut().alignment == barrier_alignment::at_least_once);
}

TEST_CASE("a damaged checkpoint is given up for the one before") {
  checkpoint_settings settings;
  settings.retained = 3;
  checkpointed_job job(settings);
  SUBCASE("of its own") {
    job.coordinator.recover({one, two}, {}, 4);
    CHECK(job.coordinator.earlier() == one);
    job.coordinator.give_up_latest();
    CHECK(job.coordinator.latest() == one);
    CHECK_FALSE(job.coordinator.earlier());
  }
  SUBCASE("a savepoint of a user, after which nothing was completed") {
    job.coordinator.recover({one, two}, three, 4);
    CHECK(job.coordinator.latest() == three);
    CHECK(job.coordinator.earlier() == two);
    job.coordinator.give_up_latest();
    CHECK(job.coordinator.latest() == two);
  }
  job.coordinator.on_running(0, 0);
  CHECK(job.begin(1000) == checkpoint_id{5});  // numbers are never given again
  CHECK_FALSE(job.coordinator.has_committers());
  auto committing = job.execution.plan();
  committing.vertices.back().operators.back().commits = true;
  CHECK(checkpoint_coordinator(settings, committing, {1, 2}).has_committers());
}

TEST_CASE("a job that takes no checkpoints has savepoints all the same") {
  checkpointed_job job({.timeout_ms = 5'000}, false);
  CHECK_FALSE(job.coordinator.is_running());
  CHECK_FALSE(job.coordinator.on_running(0, 0).begin);
  CHECK(job.coordinator.is_running());
  CHECK_FALSE(job.coordinator.next_ms());
  CHECK_FALSE(job.at(1'000'000).begin);
  CHECK_FALSE(job.coordinator.on_request(job.now, 0).begin);

  const auto savepoint =
      job.coordinator.on_savepoint_request(checkpoint_kind::savepoint, job.now, 0).begin;
  REQUIRE(savepoint == one);
  CHECK(job.coordinator.next_ms() == job.now + 5'000);  // it may take too long
  job.coordinator.on_begun(one, *plan_checkpoint(job.execution), {});
  const auto saved = job.complete(one);
  CHECK(saved.saved == one);
  CHECK_FALSE(saved.begin);
  CHECK_FALSE(job.coordinator.latest());

  const auto last =
      job.coordinator.on_savepoint_request(checkpoint_kind::final_savepoint, job.now, 0).begin;
  REQUIRE(last == two);
  job.coordinator.on_begun(two, *plan_checkpoint(job.execution), {});
  CHECK(job.complete(two).completed == two);
  CHECK(job.coordinator.latest() == two);
}

}  // namespace checkpoint_coordinator_test
