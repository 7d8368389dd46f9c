#include <algorithm>
#include <filesystem>

#include "checkpointed_master.hpp"

namespace job_recovery_test {

using namespace millrace;
using namespace millrace::test;
using graph::execution_state;
using graph::job_status;

// Checkpoints and restarts as the job master drives them, in virtual time.

TEST_CASE_FIXTURE(checkpointed_master, "a checkpoint goes from the sources to its metadata") {
  auto tm = add_task_manager(2);
  const auto job = start();
  tell_all(*tm, execution_state::initializing);
  pass_with_heartbeats(20s);
  CHECK(tm->triggers.empty());
  tell_all(*tm, execution_state::running);
  pass_with_heartbeats(9s);
  CHECK(tm->triggers.empty());
  pass_with_heartbeats(1s);
  REQUIRE(tm->triggers.size() == 1);
  CHECK(tm->triggers[0].cut.checkpoint == checkpoint_id{1});
  CHECK(tm->triggers[0].tasks.size() == 2);  // the sources
  CHECK(std::filesystem::exists(directory_of(job, 1)));

  const auto tasks = tasks_of(*tm);
  auto zombie = tasks[0];
  ++zombie.attempt;
  acknowledge(*tm, zombie, 1);
  for (std::size_t i = 0; i + 1 < tasks.size(); ++i) acknowledge(*tm, tasks[i], 1);
  CHECK(tm->completions.empty());
  CHECK_FALSE(describe(job).last_checkpoint);
  acknowledge(*tm, tasks.back(), 1);
  REQUIRE(tm->completions.size() == 1);
  CHECK(tm->completions[0].tasks.size() == 4);
  CHECK(std::filesystem::exists(directory_of(job, 1) + "/_metadata"));
  const auto list = checkpoints(job);
  CHECK(list.completed == 1);
  REQUIRE(list.checkpoints.size() == 1);
  CHECK(list.checkpoints[0].status == checkpoint_status::completed);
  CHECK(list.checkpoints[0].location == directory_of(job, 1));
  CHECK(list.checkpoints[0].bytes == 28);
  CHECK(describe(job).last_checkpoint->checkpoint == checkpoint_id{1});

  // The next one takes its place.
  pass_with_heartbeats(10s);
  acknowledge_all(*tm, 2);
  CHECK(std::filesystem::exists(directory_of(job, 2) + "/_metadata"));
  CHECK_FALSE(std::filesystem::exists(directory_of(job, 1)));

  // Nothing is left when the job ends well.
  tell_all(*tm, execution_state::finished);
  CHECK(jobs()[0].status == job_status::finished);
  CHECK_FALSE(std::filesystem::exists(directory.path("checkpoints/" + to_string(job))));
}

TEST_CASE_FIXTURE(checkpointed_master,
                  "a task manager that is lost is replaced from a checkpoint") {
  auto tm = add_task_manager(2);
  const auto job = start();
  CHECK_FALSE(tm->deployments.back().restore);
  tell_all(*tm, execution_state::running);
  pass_with_heartbeats(10s);
  acknowledge_all(*tm, 1);
  pass_with_heartbeats(10s);
  CHECK(tm->triggers.size() == 2);  // the second will never be complete

  kill(*tm);
  CHECK(jobs()[0].status == job_status::restarting);
  pass(5s);
  CHECK(jobs()[0].status == job_status::restarting);
  CHECK(describe(job).waiting_for == "2 slots needed, 0 of 0 free");
  auto other = add_task_manager(2);
  hold_allocations(*other);
  pass_with_heartbeats(1s);
  REQUIRE(other->deployments.size() == 1);
  REQUIRE(other->deployments[0].restore);
  CHECK(other->deployments[0].restore->checkpoint == checkpoint_id{1});
  CHECK(other->deployments[0].restore->location == directory_of(job, 1));
  CHECK(other->deployments[0].tasks.size() == 4);
  for (const auto& task : tasks_of(*other)) CHECK(task.attempt == 1);
  CHECK_FALSE(std::filesystem::exists(directory_of(job, 2)));
  CHECK(jobs()[0].status == job_status::running);
  tell_all(*other, execution_state::running);
  CHECK(describe(job).restarts == 1);

  // The numbers go on, and acknowledgements of the dead are void.
  pass_with_heartbeats(10s);
  REQUIRE(other->triggers.size() == 1);
  CHECK(other->triggers[0].cut.checkpoint == checkpoint_id{3});
  for (auto task : tasks_of(*other)) {
    task.attempt = 0;
    acknowledge(*other, task, 3);
  }
  CHECK(other->completions.empty());
  acknowledge_all(*other, 3);
  CHECK(other->completions.size() == 1);
}

TEST_CASE_FIXTURE(checkpointed_master, "the barriers of incremental checkpoints name their base") {
  auto tm = add_task_manager(2);
  const auto job = start({{"state.backend.type", "rocksdb"}});
  const auto shared = directory.path("checkpoints/" + to_string(job) + "/shared");
  tell_all(*tm, execution_state::running);
  pass_with_heartbeats(10s);
  REQUIRE(tm->triggers.size() == 1);
  CHECK(tm->triggers[0].cut.base == checkpoint_id{});
  CHECK(std::filesystem::exists(shared + "/1"));
  acknowledge_all(*tm, 1);
  CHECK_FALSE(std::filesystem::exists(shared + "/1"));  // nothing was stored there
  pass_with_heartbeats(10s);
  REQUIRE(tm->triggers.size() == 2);
  CHECK(tm->triggers[1].cut.base == checkpoint_id{1});
  CHECK(std::filesystem::exists(shared + "/2"));

  // What was given up leaves nothing, and is nobody's base.
  kill(*tm);
  auto other = add_task_manager(2);
  hold_allocations(*other);
  pass_with_heartbeats(1s);
  CHECK_FALSE(std::filesystem::exists(shared + "/2"));
  tell_all(*other, execution_state::running);
  pass_with_heartbeats(10s);
  REQUIRE(other->triggers.size() == 1);
  CHECK(other->triggers[0].cut.base == checkpoint_id{1});
  acknowledge_all(*other, 3);
  tell_all(*other, execution_state::finished);
  CHECK_FALSE(std::filesystem::exists(directory.path("checkpoints/" + to_string(job))));
}

TEST_CASE_FIXTURE(checkpointed_master, "the barriers of a job that may count twice say so") {
  auto tm = add_task_manager(2);
  start({{"execution.checkpointing.mode", "at-least-once"}});
  tell_all(*tm, execution_state::running);
  pass_with_heartbeats(10s);
  REQUIRE(tm->triggers.size() == 1);
  CHECK(tm->triggers[0].cut.alignment == barrier_alignment::at_least_once);
}

TEST_CASE_FIXTURE(checkpointed_master,
                  "a job is shown as ended once no master would run it again") {
  const auto tm = add_task_manager(2);
  const auto job = start();
  tell_all(*tm, execution_state::running);
  io->is_held = true;
  auto shown = job_status::created, ended = job_status::created;
  SUBCASE("cancelled") {
    REQUIRE(ask<wire::ack>(wire::cancel_job{job}));
    tell_all(*tm, execution_state::canceled);
    shown = job_status::cancelling;
    ended = job_status::canceled;
  }
  SUBCASE("finished") {
    tell_all(*tm, execution_state::finished);
    shown = job_status::running;
    ended = job_status::finished;
  }
  CHECK(jobs()[0].status == shown);
  CHECK(describe(job).overview.status == shown);
  io->is_held = false;
  run();
  CHECK(jobs()[0].status == ended);
  CHECK(describe(job).overview.status == ended);
}

TEST_CASE_FIXTURE(checkpointed_master, "a failed task has its region cancelled and run again") {
  auto tm = add_task_manager(2);
  const auto job = start();
  tell_all(*tm, execution_state::running);
  const auto tasks = tasks_of(*tm);
  tell(*tm, tasks[3], execution_state::failed, error{errc::user_function, "boom"});
  CHECK(tm->cancelled.size() == 3);
  pass_with_heartbeats(5s);
  CHECK(tm->deployments.size() == 1);  // not while others still run
  for (std::size_t i = 0; i < 3; ++i) tell(*tm, tasks[i], execution_state::canceled);
  pass_with_heartbeats(1s);
  REQUIRE(tm->deployments.size() == 2);
  CHECK_FALSE(tm->deployments.back().restore);  // there was no checkpoint yet
  CHECK(tasks_of(*tm).size() == 4);
  CHECK(tm->freed.empty());
  tell_all(*tm, execution_state::running);
  CHECK(jobs()[0].status == job_status::running);
  const auto described = describe(job);
  CHECK_FALSE(described.cause);
  REQUIRE(described.last_failure);
  CHECK(described.last_failure->message.find("boom") != std::string::npos);

  // One attempt was allowed.
  tell(*tm, tasks_of(*tm)[0], execution_state::failed, error{errc::user_function, "again"});
  for (const auto& task : tasks_of(*tm)) tell(*tm, task, execution_state::canceled);
  CHECK(jobs()[0].status == job_status::failed);
  CHECK(describe(job).cause->message.find("again") != std::string::npos);
}

TEST_CASE_FIXTURE(checkpointed_master,
                  "a slot that its task manager has given back is given up for the next one") {
  auto a = add_task_manager(1);
  auto b = add_task_manager(1);
  a->deploy_failure = error{errc::stale, "not the job's any more"};
  start();
  REQUIRE(a->freed.size() == 1);
  CHECK(a->freed[0].allocation == a->allocations.at(0).allocation);
  CHECK(a->freed[0].goes_on);
  tell_all(*b, execution_state::canceled);
  pass_with_heartbeats(2s);
  CHECK(b->deployments.size() == 1);  // not with a slot too few

  a->deploy_failure.reset();
  free_slots(*a);
  hold_allocations(*a);
  pass_with_heartbeats(1s);
  CHECK(a->offer_answers == std::vector{true, true});
  REQUIRE(a->deployments.size() == 2);
  CHECK(a->deployments[1].tasks.at(0).allocation == a->allocations.at(0).allocation);
  CHECK(b->deployments.size() == 2);
  CHECK(b->freed.empty());
  CHECK(jobs()[0].status == job_status::running);
}

TEST_CASE_FIXTURE(checkpointed_master,
                  "tasks whose deployment is not answered in time are cancelled") {
  auto tm = add_task_manager(2);
  tm->answers_deployments = false;
  start();
  const auto late = tasks_of(*tm);
  pass_with_heartbeats(29s);
  CHECK(tm->cancelled.empty());
  tm->answers_deployments = true;
  pass_with_heartbeats(3s);
  for (const auto& task : late) CHECK(std::ranges::count(tm->cancelled, task) > 0);
  // The job keeps its slots, and has its next attempts there.
  CHECK(tm->freed.empty());
  REQUIRE(tm->deployments.size() == 2);
  CHECK(tasks_of(*tm).at(0).attempt == 1);
}

TEST_CASE_FIXTURE(checkpointed_master, "a failure that would come again is no reason to restart") {
  auto tm = add_task_manager(2);
  start();
  tell_all(*tm, execution_state::running);
  const auto tasks = tasks_of(*tm);
  tell(*tm, tasks[0], execution_state::failed, error{errc::type_mismatch, "another type"});
  for (const auto& task : tasks) tell(*tm, task, execution_state::canceled);
  CHECK(jobs()[0].status == job_status::failed);
}

TEST_CASE_FIXTURE(checkpointed_master, "too many failed checkpoints restart the job") {
  auto tm = add_task_manager(2);
  const auto job = start({{"execution.checkpointing.timeout", "2 s"},
                          {"execution.checkpointing.tolerable-failed-checkpoints", "1"}});
  tell_all(*tm, execution_state::running);
  pass_with_heartbeats(10s);
  const auto tasks = tasks_of(*tm);
  report(*tm, wire::decline_checkpoint{tasks[1], {1}, error{errc::io, "disk full"}});
  CHECK(tm->aborts.size() == 1);
  CHECK(jobs()[0].status == job_status::running);
  pass_with_heartbeats(13s);
  CHECK(tm->aborts.size() == 2);
  CHECK(jobs()[0].status == job_status::restarting);
  const auto list = checkpoints(job);
  CHECK(list.failed == 2);
  CHECK(list.checkpoints[0].failure.find("disk full") != std::string::npos);
  CHECK(list.checkpoints[1].failure.find("expired") != std::string::npos);
  for (const auto& task : tasks) tell(*tm, task, execution_state::canceled);
  pass_with_heartbeats(2s);
  CHECK(tm->deployments.size() == 2);
}

TEST_CASE_FIXTURE(checkpointed_master, "tasks that wait for the last checkpoint get it at once") {
  auto tm = add_task_manager(2);
  start({{"execution.checkpointing.interval", "1 h"}});
  tell_all(*tm, execution_state::running);
  const auto tasks = tasks_of(*tm);
  for (const auto& task : tasks) {
    CHECK(tm->triggers.empty());
    report(*tm, wire::last_checkpoint_awaited{task});
  }
  REQUIRE(tm->triggers.size() == 1);
  acknowledge_all(*tm, 1);
  CHECK(tm->completions.size() == 1);
  tell_all(*tm, execution_state::finished);
  CHECK(jobs()[0].status == job_status::finished);
}

TEST_CASE_FIXTURE(checkpointed_master, "who asks for a checkpoint hears when it is complete") {
  auto tm = add_task_manager(2);
  const auto job = start({{"execution.checkpointing.interval", "1 h"}});
  tell_all(*tm, execution_state::running);
  auto asked = client->request(dispatcher, caf::infinite, wire::take_checkpoint{job});
  run();
  REQUIRE(tm->triggers.size() == 1);
  acknowledge_all(*tm, 1);
  checkpoint_record taken;
  asked.receive([&](wire::checkpoint_taken& t) { taken = std::move(t.checkpoint); },
                [&](const caf::error&) {});
  CHECK(taken.checkpoint == checkpoint_id{1});
  CHECK(taken.location == directory_of(job, 1));
  CHECK(ask<wire::checkpoint_taken>(wire::take_checkpoint{{9, 9}}).error().code ==
        errc::unknown_job);
}

TEST_CASE_FIXTURE(checkpointed_master, "who looks at a checkpoint sees which subtasks it awaits") {
  using enum subtask_checkpoint_status;
  auto tm = add_task_manager(2);
  const auto job = start();
  const auto look = [&](std::uint64_t id) {
    return ask<wire::checkpoint_details>(wire::describe_checkpoint{job, {id}});
  };
  CHECK(look(1).error().message ==
        "job " + to_string(job) + " has no checkpoint 1: it has taken none yet");
  tell_all(*tm, execution_state::running);
  pass_with_heartbeats(10s);
  const auto task = tasks_of(*tm).at(1);
  acknowledge(*tm, task, 1);
  const auto details = look(1).value();
  CHECK(details.job == job);
  CHECK(details.checkpoint.status == checkpoint_status::in_progress);
  CHECK(details.checkpoint.acknowledged == 1);
  REQUIRE(details.vertices.size() == describe(job).graph.vertices.size());
  for (const auto& vertex : details.vertices) {
    CHECK(vertex.name == describe(job).graph.vertices[vertex.vertex].name);
    REQUIRE(vertex.subtasks.size() == vertex.parallelism);
    for (const auto& each : vertex.subtasks) {
      const bool is_it = vertex.vertex == task.vertex && each.subtask == task.subtask;
      CHECK(each.status == (is_it ? acknowledged : awaited));
      CHECK(each.bytes == (is_it ? 7 : 0));
    }
  }
  acknowledge_all(*tm, 1);
  CHECK(look(1)->checkpoint.location == directory_of(job, 1));
  CHECK(look(1)->vertices.back().subtasks.back().status == acknowledged);
  pass_with_heartbeats(10s);

  const auto missing = look(7);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == errc::not_found);
  CHECK(missing.error().message ==
        "job " + to_string(job) + " has no checkpoint 7 among its latest: there are 1, 2");
  CHECK(ask<wire::checkpoint_details>(wire::describe_checkpoint{{9, 9}, {1}}).error().code ==
        errc::unknown_job);
}

TEST_CASE_FIXTURE(checkpointed_master,
                  "the checkpoints of a cancelled job go, unless they are to stay") {
  auto tm = add_task_manager(2);
  for (const bool stays : {false, true}) {
    const auto job = start({{"execution.checkpointing.externalized-checkpoint-retention",
                             stays ? "retain-on-cancellation" : "delete-on-cancellation"}});
    tell_all(*tm, execution_state::running);
    pass_with_heartbeats(10s);
    acknowledge_all(*tm, 1);
    pass_with_heartbeats(10s);  // another is under way
    ask<wire::ack>(wire::cancel_job{job});
    tell_all(*tm, execution_state::canceled);
    CHECK(std::filesystem::exists(directory_of(job, 1) + "/_metadata") == stays);
    CHECK_FALSE(std::filesystem::exists(directory_of(job, 2)));
    free_slots(*tm);
  }
}

TEST_CASE_FIXTURE(checkpointed_master,
                  "task managers are told if and where there are checkpoints") {
  auto tm = add_task_manager(2);
  const auto told = [&](std::string_view key) {
    for (const auto& [name, value] : tm->deployments.back().graph.configuration)
      if (name == key) return value;
    return std::string("nothing");
  };
  SUBCASE("where there are") {
    start();
    CHECK(told("execution.checkpointing.interval") == "10 s");
    CHECK(told("state.checkpoints.dir") == directory.path("checkpoints"));
  }
  SUBCASE("that there are none, whatever they would do by themselves") {
    ask<wire::job_submitted>(wire::submit_job{job_of(word_count(), 2)}).value();
    for (auto& each : task_managers) hold_allocations(*each);
    CHECK(told("execution.checkpointing.interval").starts_with("0"));
  }
}

TEST_CASE_FIXTURE(checkpointed_master, "an interval without a directory is refused at once") {
  auto graph = job_of(word_count(), 1);
  graph.configuration = {{"execution.checkpointing.interval", "1 s"}};
  const auto refused = ask<wire::job_submitted>(wire::submit_job{graph});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("state.checkpoints.dir") != std::string::npos);
}

}  // namespace job_recovery_test
