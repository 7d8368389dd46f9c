#include <fstream>

#include "checkpointed_master.hpp"
#include "millrace/checkpoint/state_file.hpp"
#include "millrace/graph/job_epoch.hpp"

namespace damaged_checkpoint_test {

using namespace millrace;
using namespace millrace::test;
using graph::execution_state;
using graph::job_status;

// Checkpoints that turn out to be damaged when a job is to go on from them, in virtual time.

namespace {

/// A job that has two completed checkpoints and keeps both.
struct job_with_two : checkpointed_master {
  static constexpr const char* in_flight_file = "v0-s0-a0.state";
  std::shared_ptr<fake_task_manager> tm;
  job_id job;

  job_with_two()
      : checkpointed_master(std::map<std::string, std::string>{{"debug.chaos.enabled", "true"}}) {}

  void replace_master() {
    wire::kill_actor request;
    request.target = wire::chaos_target::job_master;
    request.task.job = job;
    REQUIRE(ask<wire::ack>(request));
    free_slots(*tm);
    pass_with_heartbeats(1s);
    hold_allocations(*tm);
    pass_with_heartbeats(1s);
  }
  void start_and_take_two(bool commits = false) {
    tm = add_task_manager(2);
    auto graph = job_of(word_count(), 2);
    graph.vertices.back().operators.back().commits = commits;
    graph.configuration = {{"execution.checkpointing.interval", "10 s"},
                           {"state.checkpoints.dir", directory.path("checkpoints")},
                           {"state.checkpoints.num-retained", "2"},
                           {"restart-strategy.type", "fixed-delay"},
                           {"restart-strategy.fixed-delay.attempts", "3"},
                           {"execution.checkpointing.unaligned.enabled", "true"}};
    job = ask<wire::job_submitted>(wire::submit_job{std::move(graph)}).value().job;
    hold_allocations(*tm);
    tell_all(*tm, execution_state::running);
    for (const std::uint64_t n : {1, 2}) {
      pass_with_heartbeats(10s);
      const auto tasks = tasks_of(*tm);
      for (std::size_t i = 1; i < tasks.size(); ++i) acknowledge(*tm, tasks[i], n);
      acknowledge_with_in_flight(tasks[0], n);
    }
    REQUIRE(tm->completions.size() == 2);
  }
  /// Its state is in a file: what was on its way.
  void acknowledge_with_in_flight(const execution_attempt_id& task, std::uint64_t n) {
    local_file_system files;
    auto file = state_file_writer::open(files, directory_of(job, n), in_flight_file);
    REQUIRE(file);
    const std::vector<std::byte> bytes(100);
    wire::acknowledge_checkpoint ack;
    ack.what.task = task;
    ack.what.checkpoint = {n};
    ack.what.state.operators.resize(1);
    ack.what.state.in_flight = file->append(bytes).value();
    REQUIRE(file->finish());
    report(*tm, std::move(ack));
  }
  void damage(std::uint64_t checkpoint) {
    std::ofstream(directory_of(job, checkpoint) + "/_metadata") << "{";
  }
  /// The first task fails, the others are cancelled for that.
  void fail_tasks(error why) {
    const auto tasks = tasks_of(*tm);
    tell(*tm, tasks[0], execution_state::failed, std::move(why));
    for (std::size_t i = 1; i < tasks.size(); ++i) tell(*tm, tasks[i], execution_state::canceled);
    pass_with_heartbeats(2s);
  }
  std::uint64_t restored() const {
    const auto& from = tm->deployments.back().restore;
    return from ? from->checkpoint.number : 0;
  }
  error damage_seen_by_tasks() const {
    return {errc::invalid_data, "checkpoint 2 can't be restored: a file is damaged"};
  }
};

}  // namespace

TEST_CASE_FIXTURE(job_with_two, "a job goes back to the checkpoint before one that is damaged") {
  start_and_take_two();
  fail_tasks({errc::user_function, "boom"});
  REQUIRE(tm->deployments.size() == 2);
  CHECK(restored() == 2);
  tell_all(*tm, execution_state::initializing);
  damage(2);
  fail_tasks(damage_seen_by_tasks());
  REQUIRE(tm->deployments.size() == 3);
  CHECK(restored() == 1);
  CHECK(tasks_of(*tm).size() == 4);
  CHECK(jobs()[0].status == job_status::running);

  // Nobody will go back to the damaged one, and the numbers go on.
  tell_all(*tm, execution_state::running);
  pass_with_heartbeats(10s);
  CHECK(tm->triggers.back().cut.checkpoint == checkpoint_id{3});
  acknowledge_all(*tm, 3);
  fail_tasks({errc::user_function, "boom"});
  CHECK(restored() == 3);
}

TEST_CASE_FIXTURE(job_with_two, "a job goes back if what was on its way is damaged or gone") {
  start_and_take_two();
  const auto path = directory_of(job, 2) + "/" + in_flight_file;
  auto why = damage_seen_by_tasks();
  SUBCASE("damaged") {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(20);
    file.put('x');
  }
  SUBCASE("gone") {
    why.code = errc::not_found;
    REQUIRE(local_file_system().remove(path));
  }
  fail_tasks(why);
  REQUIRE(tm->deployments.size() == 2);
  CHECK(restored() == 1);
  CHECK(jobs()[0].status == job_status::running);
}

TEST_CASE_FIXTURE(job_with_two,
                  "one that is found damaged while the next is stored gives way to it") {
  start_and_take_two();
  damage(2);
  pass_with_heartbeats(10s);
  io->is_held = true;
  acknowledge_all(*tm, 3);
  const auto tasks = tasks_of(*tm);
  tell(*tm, tasks[0], execution_state::failed, damage_seen_by_tasks());
  io->run_newest();
  run();
  CHECK(jobs()[0].status == job_status::restarting);
  for (std::size_t i = 1; i < tasks.size(); ++i) tell(*tm, tasks[i], execution_state::canceled);
  pass_with_heartbeats(2s);
  CHECK(tm->deployments.size() == 1);
  io->is_held = false;
  pass_with_heartbeats(2s);
  REQUIRE(tm->deployments.size() == 2);
  CHECK(restored() == 3);
}

TEST_CASE_FIXTURE(job_with_two, "a failure that no damaged checkpoint explains stays one") {
  start_and_take_two();
  fail_tasks({errc::invalid_data, "a row cannot be decoded"});
  CHECK(tm->deployments.size() == 1);
  CHECK(jobs()[0].status == job_status::failed);
  CHECK(describe(job).cause->message.find("a row cannot be decoded") != std::string::npos);
}

TEST_CASE_FIXTURE(job_with_two,
                  "a master that finds the latest checkpoint damaged goes further back") {
  start_and_take_two();
  damage(2);
  replace_master();
  REQUIRE(tm->deployments.size() == 2);
  CHECK(restored() == 1);
  CHECK(jobs()[0].status == job_status::running);
}

TEST_CASE_FIXTURE(job_with_two, "a job whose sinks commit does not go back behind their commits") {
  start_and_take_two(true);
  damage(2);
  SUBCASE("found by the next master") {
    replace_master();
  }
  SUBCASE("found by tasks") {
    fail_tasks(damage_seen_by_tasks());
  }
  CHECK(tm->deployments.size() == 1);
  REQUIRE(jobs()[0].status == job_status::failed);
  const auto message = describe(job).cause->message;
  CHECK(message.find(directory_of(job, 2) + "/_metadata") != std::string::npos);
  CHECK(message.find("millrace run -s '" + directory_of(job, 1) + "'") != std::string::npos);
}

}  // namespace damaged_checkpoint_test
