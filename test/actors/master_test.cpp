#include "actors/master_fixture.hpp"
#include "millrace/actors/artifact_store.hpp"
#include "millrace/core/sha256.hpp"

namespace master_test {

using namespace millrace;
using namespace millrace::test;
using graph::execution_state;
using graph::job_status;

namespace {

wire::task_state_changed failure_of(const execution_attempt_id& task, std::string message,
                                    std::string failed_operator = {}) {
  wire::task_state_changed change;
  change.task = task;
  change.report.task = task;
  change.state = execution_state::failed;
  change.cause = error{errc::user_function, std::move(message)};
  change.failed_operator = std::move(failed_operator);
  return change;
}

/// A job whose tasks run on two task managers, and a client that waits for its end.
struct running_job : master_fixture {
  std::shared_ptr<fake_task_manager> a = add_task_manager(1);
  std::shared_ptr<fake_task_manager> b = add_task_manager(1);
  job_id job = submit(2);

  running_job() {
    REQUIRE(ask<wire::ack>(wire::watch_job{job}));
    REQUIRE(a->deployments.size() == 1);
    REQUIRE(b->deployments.size() == 1);
    hold_allocations(*a);
    hold_allocations(*b);
    report_all(*a, execution_state::running);
    report_all(*b, execution_state::running);
  }

  execution_attempt_id task_at(const fake_task_manager& tm, std::size_t n = 0) const {
    return tm.deployments.at(0).tasks.at(n).task;
  }
};

}  // namespace

// -- task managers --------------------------------------------------------------------------------

TEST_CASE_FIXTURE(master_fixture, "task managers register through the dispatcher and are listed") {
  auto a = add_task_manager(2);
  auto b = add_task_manager(3);
  pass(2s);
  beat(*b);
  const auto all = nodes();
  REQUIRE(all.size() == 2);
  CHECK(all[0].address == "worker1:7001");
  CHECK(all[0].slots == 2);
  CHECK(all[0].slots_free == 2);
  CHECK(all[0].pid == 101);
  CHECK(all[0].last_heartbeat_ms == 2000);
  CHECK(all[1].slots == 3);
  CHECK(all[1].last_heartbeat_ms == 0);
}

TEST_CASE_FIXTURE(master_fixture, "a heartbeat of another life of the master asks to register") {
  auto a = add_task_manager(1);
  const auto stale = ask<wire::heartbeat_answer>(
      resource_manager, wire::heartbeat{a->self.resource, epoch + 1, 1, a->self.slots});
  CHECK(stale->master_epoch == epoch);
  const auto unknown = ask<wire::heartbeat_answer>(
      resource_manager, wire::heartbeat{{9, 9}, epoch, 1, a->self.slots});
  CHECK(unknown->master_epoch != epoch);
}

TEST_CASE_FIXTURE(master_fixture, "a task manager that goes down is lost at once") {
  auto a = add_task_manager(1);
  kill(*a);
  CHECK(nodes().empty());
  CHECK(dropped.empty());
}

TEST_CASE_FIXTURE(master_fixture, "a silent task manager is lost after the heartbeat timeout") {
  auto a = add_task_manager(1);
  auto b = add_task_manager(1);
  pass_with_heartbeats(9s, a.get());
  CHECK(nodes().size() == 2);
  pass_with_heartbeats(4s, a.get());
  const auto all = nodes();
  REQUIRE(all.size() == 1);
  CHECK(all[0].address == b->address());
  SUBCASE("and is told to register again when it comes back") {
    CHECK(beat(*a).master_epoch != epoch);
    CHECK(register_at_master(*a));
    CHECK(beat(*a).master_epoch == epoch);
  }
}

TEST_CASE_FIXTURE(master_fixture, "silence is noticed when the timeout ends, between two looks") {
  pass(400ms);
  auto a = add_task_manager(1);
  pass(9900ms);
  CHECK(nodes().size() == 1);
  pass(100ms);
  CHECK(nodes().empty());
}

TEST_CASE_FIXTURE(running_job, "errors that somebody sends end no actor") {
  const auto stray = to_caf(error{errc::internal, "stray"});
  for (const auto& actor : {dispatcher, resource_manager, a->job_master})
    caf::anon_send(actor, stray);
  run();
  CHECK(nodes().size() == 2);
  CHECK(describe(job).overview.status == job_status::running);
}

TEST_CASE_FIXTURE(running_job, "handles that mean nothing do no harm") {
  const caf::actor nobody;
  wire::offer_slot stray;
  stray.job = job;
  const auto refused = ask<wire::registration>(dispatcher, a->self, nobody);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::protocol);
  CHECK_FALSE(ask<wire::slot_offer_answer>(a->job_master, stray, nobody)->accepted);
  caf::anon_send(resource_manager, wire::require_slots{{3, 3}, "x", 1}, nobody);
  caf::anon_send(dispatcher, wire::peer_hello{}, nobody);
  run();
  CHECK(nodes().size() == 2);
}

TEST_CASE_FIXTURE(running_job, "a client that is gone is no longer told about its job") {
  auto leaver = system.spawn([this](caf::event_based_actor* self) -> caf::behavior {
    self->send(dispatcher, wire::watch_job{job});
    return {[](const wire::ack&) {}, [self](wire::cancel) { self->quit(); }};
  });
  run();
  auto known = caf::actor_cast<caf::strong_actor_ptr>(leaver);
  leaver = nullptr;
  CHECK(known->strong_refs > 1);
  caf::anon_send(caf::actor_cast<caf::actor>(known), wire::cancel{});
  run();
  CHECK(known->strong_refs == 1);
}

TEST_CASE_FIXTURE(master_fixture, "a master that was itself paused loses nobody") {
  auto a = add_task_manager(1);
  pass_with_heartbeats(3s);
  scheduler.advance_time(60s);
  run();
  CHECK(nodes().size() == 1);
  SUBCASE("until the fresh period is over") {
    pass(12s);
    CHECK(nodes().empty());
  }
}

TEST_CASE_FIXTURE(master_fixture, "two task managers may have the same address") {
  auto a = add_task_manager(1);
  auto b = add_task_manager(1);
  b->self.host = a->self.host;
  b->self.port = a->self.port;
  REQUIRE(register_at_master(*b));
  CHECK(nodes().size() == 2);
}

TEST_CASE_FIXTURE(master_fixture, "registering again replaces what was known") {
  auto a = add_task_manager(2);
  a->self.slots.pop_back();
  REQUIRE(register_at_master(*a));
  const auto all = nodes();
  REQUIRE(all.size() == 1);
  CHECK(all[0].slots == 1);
}

TEST_CASE_FIXTURE(master_fixture, "slots held for a job of another life are to be freed") {
  auto a = add_task_manager(2);
  a->self.slots[0] = {0, {5, 5}, {6, 6}};
  REQUIRE(register_at_master(*a));
  REQUIRE(a->freed.size() == 1);
  CHECK(a->freed[0].allocation == allocation_id{5, 5});
  CHECK(nodes()[0].slots_free == 1);
  caf::anon_send(resource_manager, wire::slot_freed{a->self.resource, epoch, 0, {5, 5}});
  run();
  CHECK(nodes()[0].slots_free == 2);
}

// -- the life of a job ----------------------------------------------------------------------------

TEST_CASE_FIXTURE(running_job, "a job runs and finishes") {
  {
    const auto& at_a = a->deployments[0];
    CHECK(at_a.job == job);
    CHECK(at_a.peers.size() == 2);
    CHECK(at_a.placements.size() == 4);
    REQUIRE(at_a.tasks.size() == 2);
    // A slot holds one subtask of each vertex.
    CHECK(at_a.tasks[0].task == execution_attempt_id{job, 0, 0, 0});
    CHECK(at_a.tasks[1].task == execution_attempt_id{job, 1, 0, 0});
    CHECK(at_a.tasks[0].allocation == a->allocations[0].allocation);

    auto details = describe(job);
    CHECK(details.overview.status == job_status::running);
    CHECK(details.overview.tasks_running == 4);
    CHECK(details.waiting_for == "");
    CHECK(details.vertices[1].subtasks[1].task_manager == b->address());
  }
  report_all(*a, execution_state::finished);
  CHECK_FALSE(result_of_watched_job());
  pass(2s);
  report_all(*b, execution_state::finished);

  const auto result = result_of_watched_job();
  REQUIRE(result);
  CHECK(result->job == job);
  CHECK(result->name == "test job");
  CHECK(result->status == job_status::finished);
  CHECK_FALSE(result->cause);
  CHECK(result->duration_ms == 2000);
  CHECK(a->freed.size() == 1);
  CHECK(b->freed.size() == 1);
  CHECK(a->cancelled.empty());

  free_slots(*a);
  free_slots(*b);
  for (const auto& node : nodes()) CHECK(node.slots_free == 1);
  // It stays known.
  CHECK(describe(job).overview.status == job_status::finished);
  const auto all = jobs();
  REQUIRE(all.size() == 1);
  CHECK(all[0].tasks_finished == 4);
  CHECK(all[0].duration_ms == 2000);
  // Whoever watches it now is told at once.
  REQUIRE(ask<wire::ack>(wire::watch_job{job}));
  CHECK(result_of_watched_job()->status == job_status::finished);
}

TEST_CASE_FIXTURE(running_job, "accumulators of all tasks are merged into the result") {
  for (const auto& tm : {a, b})
    for (const auto& t : tm->deployments[0].tasks) {
      wire::task_state_changed change;
      change.task = t.task;
      change.state = execution_state::finished;
      change.accumulators["words"].value = std::int64_t{10};
      report(*tm, std::move(change));
    }
  const auto result = result_of_watched_job();
  REQUIRE(result);
  CHECK(std::get<std::int64_t>(result->accumulators.at("words").value) == 40);
  // Whoever was not there when it ended finds them, too.
  CHECK(describe(job).accumulators == result->accumulators);
}

TEST_CASE_FIXTURE(running_job, "a failing task fails the job, which names it") {
  report(*b, failure_of(task_at(*b), "boom"));
  // The others are cancelled first.
  CHECK_FALSE(result_of_watched_job());
  CHECK(describe(job).overview.status == job_status::failing);
  CHECK(a->cancelled.size() == 2);
  CHECK(b->cancelled.size() == 1);
  CHECK(a->freed.empty());
  report_all(*a, execution_state::canceled);
  report(*b, failure_of(task_at(*b, 1), "noise of being cancelled"));

  const auto result = result_of_watched_job();
  REQUIRE(result);
  CHECK(result->status == job_status::failed);
  REQUIRE(result->cause);
  CHECK(result->cause->code == errc::user_function);
  CHECK(result->cause->message ==
        "operator 'Source: lines -> flat_map' (subtask 2/2, attempt 0) on task manager "
        "worker2:7002: boom");
  CHECK(b->freed.size() == 1);
  CHECK(describe(job).cause == result->cause);
}

TEST_CASE_FIXTURE(running_job, "a failure within a chain names the operator, too") {
  report(*a, failure_of(task_at(*a), "boom", "flat_map"));
  report_all(*a, execution_state::canceled);
  report_all(*b, execution_state::canceled);
  const auto result = result_of_watched_job();
  REQUIRE(result);
  CHECK(result->cause->message ==
        "operator 'Source: lines -> flat_map' (subtask 1/2, attempt 0) on task manager "
        "worker1:7001: in 'flat_map': boom");
}

TEST_CASE_FIXTURE(running_job, "a running job can be cancelled") {
  CHECK(ask<wire::ack>(wire::cancel_job{job}));
  CHECK(describe(job).overview.status == job_status::cancelling);
  CHECK(a->cancelled.size() == 2);
  report_all(*a, execution_state::canceled);
  SUBCASE("once or twice") {
    CHECK(ask<wire::ack>(wire::cancel_job{job}));
  }
  report_all(*b, execution_state::canceled);
  const auto result = result_of_watched_job();
  REQUIRE(result);
  CHECK(result->status == job_status::canceled);
  CHECK(result->cause == error{errc::cancelled, "job 'test job' was cancelled"});

  const auto again = ask<wire::ack>(wire::cancel_job{job});
  REQUIRE_FALSE(again);
  CHECK(again.error().message == "job " + to_string(job) + " cannot be cancelled: it is CANCELED");
}

TEST_CASE_FIXTURE(running_job, "tasks that do not end are given up after a while") {
  CHECK(ask<wire::ack>(wire::cancel_job{job}));
  report_all(*a, execution_state::canceled);
  pass_with_heartbeats(179s);
  CHECK_FALSE(result_of_watched_job());
  pass_with_heartbeats(2s);
  const auto result = result_of_watched_job();
  REQUIRE(result);
  CHECK(result->status == job_status::canceled);
}

TEST_CASE_FIXTURE(running_job, "a lost task manager fails its jobs, and they say so") {
  SUBCASE("when its process ends") {
    kill(*b);
    CHECK(a->cancelled.size() == 2);
    report_all(*a, execution_state::canceled);
    const auto result = result_of_watched_job();
    REQUIRE(result);
    CHECK(result->cause->code == errc::task_manager_lost);
    CHECK(result->cause->message ==
          "task manager worker2:7002 was lost (connection lost) while running 'Source: lines -> "
          "flat_map' (subtask 2/2, attempt 0)");
  }
  SUBCASE("when it hangs") {
    pass_with_heartbeats(13s, b.get());
    report_all(*a, execution_state::canceled);
    const auto result = result_of_watched_job();
    REQUIRE(result);
    CHECK(result->cause->message ==
          "task manager worker2:7002 was lost (no heartbeat for 10000 ms) while running 'Source: "
          "lines -> flat_map' (subtask 2/2, attempt 0)");
  }
  SUBCASE("when it is lost while the job is being cancelled") {
    CHECK(ask<wire::ack>(wire::cancel_job{job}));
    kill(*b);
    report_all(*a, execution_state::canceled);
    CHECK(result_of_watched_job()->status == job_status::canceled);
  }
}

TEST_CASE_FIXTURE(running_job, "messages about other attempts and jobs change nothing") {
  auto stale = failure_of(task_at(*a), "from the past");
  stale.task.attempt = 1;
  report(*a, stale);
  stale = failure_of(task_at(*a), "from elsewhere");
  stale.task.job = {1, 1};
  report(*a, stale);
  stale = failure_of(task_at(*a), "from nowhere");
  stale.task.vertex = 77;
  report(*a, stale);
  CHECK(describe(job).overview.status == job_status::running);
  // What is over stays over.
  report_all(*a, execution_state::finished);
  report(*a, failure_of(task_at(*a), "too late"));
  CHECK(describe(job).overview.tasks_finished == 2);
  CHECK(describe(job).overview.status == job_status::running);
}

TEST_CASE_FIXTURE(running_job, "members of an alignment group hear how far they may go") {
  const auto reached = [this](const fake_task_manager& tm, std::size_t task, timestamp_ms at) {
    report(tm, wire::alignment_reached{task_at(tm, task), 0, {"group", at, false, 100}});
  };
  reached(*a, 0, 1000);
  REQUIRE(a->limits.size() == 1);
  CHECK(a->limits[0].group == "group");
  CHECK(a->limits[0].limit == 1100);
  CHECK(a->limits[0].tasks == std::vector{task_at(*a, 0)});
  CHECK(b->limits.empty());

  reached(*b, 0, 500);
  REQUIRE(b->limits.size() == 1);
  CHECK(b->limits[0].limit == 600);
  CHECK(b->limits[0].tasks == std::vector{task_at(*b, 0)});
  CHECK(a->limits.back().limit == 600);

  auto stranger = task_at(*b, 0);
  ++stranger.attempt;
  report(*b, wire::alignment_reached{stranger, 0, {"group", 5, false, 100}});
  CHECK(a->limits.back().limit == 600);

  // Whoever has ended holds back nobody.
  wire::task_state_changed finished;
  finished.task = task_at(*b, 0);
  finished.state = graph::execution_state::finished;
  finished.report.task = finished.task;
  report(*b, finished);
  CHECK(a->limits.back().limit == 1100);
}

TEST_CASE_FIXTURE(running_job, "reports become totals and rates") {
  wire::task_reports reports;
  reports.job = job;
  auto& report_of_source = reports.reports.emplace_back();
  report_of_source.task = task_at(*a);
  report_of_source.operators.resize(2);
  report_of_source.operators[0].rows_out = 1000;
  report_of_source.progress_done = 10;
  report_of_source.progress_total = 100;
  caf::anon_send(a->job_master, reports);
  run();
  pass(500ms);
  report_of_source.operators[0].rows_out = 2000;
  report_of_source.operators[1].rows_out = 500;
  report_of_source.busy_ns = 300;
  report_of_source.idle_ns = 100;
  report_of_source.progress_done = 20;
  caf::anon_send(a->job_master, reports);
  run();
  const auto details = describe(job);
  CHECK(details.source_rows == 2000);
  CHECK(details.progress_done == 20);
  CHECK(details.progress_total == 0);  // The other subtask has not said.
  const auto& subtask = details.vertices[0].subtasks[0];
  CHECK(subtask.report.operators[0].rows_out == 2000);
  CHECK(subtask.rows_out_per_ks == 1'000'000);
  CHECK(subtask.busy_permille == 750);
  CHECK(subtask.blocked_permille == 0);
}

// -- deployment -----------------------------------------------------------------------------------

TEST_CASE_FIXTURE(master_fixture, "a refused deployment fails the job") {
  auto a = add_task_manager(2);
  a->deploy_failure = error{errc::invalid_library, "the library has no entry point"};
  const auto job = submit(2);
  REQUIRE(ask<wire::ack>(wire::watch_job{job}));
  const auto result = result_of_watched_job();
  REQUIRE(result);
  CHECK(result->status == job_status::failed);
  CHECK(result->cause->code == errc::invalid_library);
  CHECK(result->cause->message ==
        "operator 'Source: lines -> flat_map' (subtask 1/2, attempt 0) on task manager "
        "worker1:7001: it could not be deployed: the library has no entry point");
}

TEST_CASE_FIXTURE(master_fixture, "a task manager lost before the job was deployed is replaced") {
  auto a = add_task_manager(1);
  auto b = add_task_manager(1);
  b->offers = false;
  const auto job = submit(2);
  CHECK(a->offer_answers == std::vector{true});
  hold_allocations(*a);
  SUBCASE("the one that had offered its slot") {
    b->offers = true;
    beat(*a);
    kill(*a);
    CHECK(describe(job).overview.status == job_status::running);
    CHECK(describe(job).waiting_for == "2 slots needed, 0 of 1 free");
    auto c = add_task_manager(2);
    CHECK(c->allocations.size() == 1);
    // The slot of b was promised and never offered; a heartbeat without it shows that.
    beat(*b);
    run();
    CHECK(c->deployments.size() == 1);
  }
  SUBCASE("the one whose grant is still on its way") {
    const auto grant = b->allocations.at(0);
    b->allocations.clear();
    for (int i = 0; i < 5; ++i) beat(*b);
    CHECK(b->allocations.empty());
    // It has seen the grant and holds nothing: it gets another one, of another name.
    b->allocations.push_back(grant);
    beat(*b);
    REQUIRE(b->allocations.size() == 2);
    CHECK(b->allocations[1].allocation != grant.allocation);
  }
  SUBCASE("the one that had not yet") {
    kill(*b);
    auto c = add_task_manager(1);
    CHECK(a->deployments.size() == 1);
    CHECK(c->deployments.size() == 1);
  }
}

TEST_CASE_FIXTURE(master_fixture, "an offer of a task manager that is lost already is void") {
  auto a = add_task_manager(1);
  a->offers = false;
  submit(1);
  const auto grant = a->allocations.at(0);
  const auto job_master = a->job_master;
  kill(*a);
  wire::offer_slot late;
  late.job = grant.job;
  late.allocation = grant.allocation;
  late.resource = a->self.resource;
  late.registration = grant.registration;
  const auto whoever = dispatcher;
  CHECK_FALSE(ask<wire::slot_offer_answer>(job_master, late, whoever)->accepted);
  late.registration = grant.registration + 1;
  CHECK(ask<wire::slot_offer_answer>(job_master, late, whoever)->accepted);
}

// -- slots ----------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(master_fixture, "a job waits for slots, says how many, and fails in the end") {
  auto a = add_task_manager(2);
  const auto job = submit(4);
  REQUIRE(ask<wire::ack>(wire::watch_job{job}));
  CHECK(describe(job).waiting_for == "4 slots needed, 2 of 2 free");
  CHECK(a->allocations.empty());
  SUBCASE("until enough are there") {
    auto b = add_task_manager(1);
    CHECK(describe(job).waiting_for == "4 slots needed, 3 of 3 free");
    auto c = add_task_manager(1);
    CHECK(describe(job).waiting_for == "");
    CHECK(c->deployments.size() == 1);
  }
  SUBCASE("or its time is up") {
    pass_with_heartbeats(299s);
    CHECK_FALSE(result_of_watched_job());
    pass_with_heartbeats(2s);
    const auto result = result_of_watched_job();
    REQUIRE(result);
    CHECK(result->status == job_status::failed);
    CHECK(result->cause->code == errc::no_slots);
    CHECK(result->cause->message ==
          "job 'test job' needs 4 slots, 2 free of 2 registered (on 1 task manager) after 300 s; "
          "start more task managers, raise taskmanager.numberOfTaskSlots, cancel another job or "
          "lower the parallelism");
  }
  SUBCASE("which is told exactly, whatever the heartbeat interval") {
    pass(400ms);
    const auto late = submit(8, "late");
    pass_with_heartbeats(299s);
    CHECK(ask<wire::ack>(wire::cancel_job{job}));
    REQUIRE(result_of_watched_job());
    REQUIRE(ask<wire::ack>(wire::watch_job{late}));
    pass(900ms);
    CHECK_FALSE(result_of_watched_job());
    pass(100ms);
    CHECK(result_of_watched_job());
  }
  SUBCASE("or it is cancelled") {
    CHECK(ask<wire::ack>(wire::cancel_job{job}));
    CHECK(result_of_watched_job()->status == job_status::canceled);
    auto b = add_task_manager(4);
    CHECK(b->allocations.empty());
  }
}

TEST_CASE_FIXTURE(master_fixture, "a job without any task manager waits for one") {
  const auto job = submit(1);
  CHECK(describe(job).waiting_for == "1 slot needed, 0 of 0 free");
  auto a = add_task_manager(1);
  CHECK(a->deployments.size() == 1);
}

TEST_CASE_FIXTURE(running_job, "of two jobs that compete for slots the second one waits") {
  const auto second = submit(2, "second");
  CHECK(describe(second).waiting_for == "2 slots needed, 0 of 2 free");
  report_all(*a, execution_state::finished);
  report_all(*b, execution_state::finished);
  free_slots(*a);
  CHECK(describe(second).waiting_for == "2 slots needed, 1 of 2 free");
  free_slots(*b);
  CHECK(describe(second).waiting_for == "");
  CHECK(a->deployments.size() == 2);
  const auto all = jobs();
  CHECK(all.size() == 2);
}

TEST_CASE_FIXTURE(running_job, "a slot that its task manager no longer reports is free") {
  beat(*a);
  a->self.slots[0] = {0, {}, {}};
  beat(*a);
  // The job, which still runs, is to get another one.
  CHECK(a->allocations.size() == 2);
  CHECK(a->offer_answers == std::vector{true, false});
}

// -- requests that make no sense ------------------------------------------------------------------

TEST_CASE_FIXTURE(master_fixture, "unknown jobs are errors that say what to do") {
  const job_id unknown{1, 2};
  const std::string message =
      "no job with id 00000000000000010000000000000002; `millrace list -a` shows all, of those "
      "that have ended the latest";
  const error expected{errc::unknown_job, message};
  CHECK(ask<wire::ack>(wire::cancel_job{unknown}).error() == expected);
  CHECK(ask<wire::ack>(wire::watch_job{unknown}).error() == expected);
  CHECK(ask<wire::job_details>(wire::describe_job{unknown}).error() == expected);
}

TEST_CASE_FIXTURE(master_fixture, "a graph that makes no sense is refused") {
  auto graph = job_of(word_count());
  SUBCASE("of another version") {
    graph.format_version = 99;
    const auto answer = ask<wire::job_submitted>(wire::submit_job{graph});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().message ==
          "job 'test job' has a graph of format version 99, but this cluster understands " +
              std::to_string(graph::job_graph_format_version) +
              ": use the same release of Millrace for both");
  }
  SUBCASE("inconsistent") {
    graph.edges[0].target_vertex = 9;
    const auto answer = ask<wire::job_submitted>(wire::submit_job{graph});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == errc::invalid_graph);
  }
  SUBCASE("whose library is not there") {
    graph.artifact = std::string(64, 'a');
    const auto answer = ask<wire::job_submitted>(wire::submit_job{graph});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == errc::not_found);
    CHECK(answer.error().message == "the library of job 'test job' (SHA-256 " +
                                        std::string(64, 'a') + ") has not been uploaded");
  }
  CHECK(jobs().empty());
}

TEST_CASE_FIXTURE(master_fixture, "only the latest ended jobs are remembered") {
  job_id first;
  for (int i = 0; i < 101; ++i) {
    const auto job = submit(1);
    if (i == 0) first = job;
    REQUIRE(ask<wire::ack>(wire::cancel_job{job}));
  }
  CHECK(jobs().size() == 100);
  CHECK_FALSE(ask<wire::job_details>(wire::describe_job{first}));
}

// -- artifacts ------------------------------------------------------------------------------------

namespace {

struct artifact_fixture : master_fixture {
  std::vector<std::byte> bytes = [] {
    std::vector<std::byte> b(600'000);
    for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<std::byte>(i * 31 >> 3);
    return b;
  }();
  std::string name = to_string(sha256_of(bytes));

  wire::artifact_chunk chunk(std::uint64_t offset) const {
    const auto end = std::min<std::size_t>(offset + wire::artifact_chunk_bytes_max, bytes.size());
    return {name,
            offset,
            bytes.size(),
            {bytes.begin() + static_cast<long>(offset), bytes.begin() + static_cast<long>(end)}};
  }
  result<wire::artifact_status> offer() {
    return ask<wire::artifact_status>(wire::artifact_offer{name, bytes.size()});
  }
  result<wire::artifact_status> send(std::uint64_t offset) {
    return ask<wire::artifact_status>(chunk(offset));
  }
};

constexpr std::uint64_t step = wire::artifact_chunk_bytes_max;

}  // namespace

TEST_CASE_FIXTURE(artifact_fixture, "an artifact is stored once and handed out in chunks") {
  CHECK(offer()->stored_bytes == 0);
  CHECK(send(0)->stored_bytes == step);
  // An upload that breaks off goes on where it was.
  CHECK(offer()->stored_bytes == step);
  CHECK_FALSE(send(step)->complete);
  CHECK(send(2 * step)->complete);
  CHECK(offer()->complete);
  CHECK(directory.read("blobs/" + name).size() == bytes.size());

  const auto last = ask<wire::artifact_chunk>(wire::artifact_request{name, 2 * step});
  REQUIRE(last);
  CHECK(last->size == bytes.size());
  CHECK(last->bytes == chunk(2 * step).bytes);
  auto graph = job_of(word_count());
  graph.artifact = name;
  CHECK(ask<wire::job_submitted>(wire::submit_job{graph}));
}

TEST_CASE_FIXTURE(artifact_fixture,
                  "chunks that repeat are fine, chunks that leave a gap are not") {
  REQUIRE(offer());
  const auto gap = send(step);
  REQUIRE_FALSE(gap);
  CHECK(gap.error().code == errc::protocol);
  CHECK(gap.error().message ==
        "artifact " + name.substr(0, 12) + "…: a chunk at 262144 came where 0 bytes are stored");
  CHECK(send(0)->stored_bytes == step);
  CHECK(send(0)->stored_bytes == step);
  CHECK(send(step)->stored_bytes == 2 * step);
  CHECK(send(2 * step)->complete);
  CHECK(send(2 * step)->complete);
}

TEST_CASE_FIXTURE(artifact_fixture, "several chunks may be under way at a time") {
  REQUIRE(offer());
  for (std::uint64_t offset = 0; offset < bytes.size(); offset += step)
    caf::anon_send(dispatcher, chunk(offset));
  run();
  CHECK(offer()->complete);
}

TEST_CASE_FIXTURE(artifact_fixture, "bytes with another hash are not stored") {
  REQUIRE(offer());
  REQUIRE(send(0));
  bytes[step + 5] ^= std::byte{1};
  REQUIRE(send(step));
  const auto end = send(2 * step);
  REQUIRE_FALSE(end);
  CHECK(end.error().code == errc::invalid_data);
  CHECK(end.error().message.find("; the file changed while it was uploaded, try again") !=
        std::string::npos);
  CHECK(offer()->stored_bytes == 0);
  bytes[step + 5] ^= std::byte{1};
  REQUIRE(send(0));
  REQUIRE(send(step));
  CHECK(send(2 * step)->complete);
}

TEST_CASE_FIXTURE(artifact_fixture, "an artifact that was damaged on disk is uploaded again") {
  auto damaged = std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  damaged[step + 5] ^= 1;
  directory.write("blobs/" + name, damaged);
  auto graph = job_of(word_count());
  graph.artifact = name;
  CHECK(ask<wire::job_submitted>(wire::submit_job{graph}).error().code == errc::not_found);
  CHECK(offer()->stored_bytes == 0);
  for (std::uint64_t offset = 0; offset < bytes.size(); offset += step) REQUIRE(send(offset));
  CHECK(offer()->complete);
  CHECK(directory.read("blobs/" + name) != damaged);
  CHECK(ask<wire::job_submitted>(wire::submit_job{graph}));
}

TEST_CASE_FIXTURE(artifact_fixture, "what is no artifact is refused") {
  CHECK(send(0).error().code == errc::protocol);  // not offered
  for (const std::string bad : {"", "../../etc/passwd", "ABC"}) {
    CHECK(ask<wire::artifact_status>(wire::artifact_offer{bad, 1}).error().code ==
          errc::invalid_argument);
    CHECK(ask<wire::artifact_chunk>(wire::artifact_request{bad, 0}).error().code ==
          errc::invalid_argument);
  }
  CHECK(ask<wire::artifact_status>(wire::artifact_offer{name, 0}).error().code ==
        errc::invalid_argument);
  CHECK(
      ask<wire::artifact_status>(wire::artifact_offer{name, artifact_store::artifact_bytes_max + 1})
          .error()
          .code == errc::invalid_argument);
  CHECK(ask<wire::artifact_chunk>(wire::artifact_request{name, 0}).error().code == errc::not_found);
  REQUIRE(offer());
  auto beyond = chunk(2 * step);
  beyond.offset = bytes.size() - 10;
  CHECK(ask<wire::artifact_status>(beyond).error().code == errc::protocol);
  CHECK(ask<wire::artifact_status>(wire::artifact_offer{name, 5}).error().code ==
        errc::invalid_argument);
}

// -- the end --------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(running_job, "a master that stops cancels its jobs first") {
  stop_master(dispatcher);
  run();
  CHECK(a->cancelled.size() == 2);
  const auto refused = ask<wire::job_submitted>(wire::submit_job{job_of(word_count())});
  CHECK(refused.error().message == "the job manager is shutting down");
  report_all(*a, execution_state::canceled);
  report_all(*b, execution_state::canceled);
  CHECK(result_of_watched_job()->status == job_status::canceled);
}

}  // namespace master_test
