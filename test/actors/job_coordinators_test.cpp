#include <algorithm>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "checkpointed_master.hpp"
#include "millrace/checkpoint/checkpoint_storage.hpp"
#include "millrace/stream/operator_coordinator.hpp"

namespace job_coordinators_test {

using namespace millrace;
using namespace millrace::test;
using graph::execution_state;
using graph::job_status;

namespace {

std::vector<std::byte> bytes(std::string_view text) {
  const auto raw = std::as_bytes(std::span(text));
  return {raw.begin(), raw.end()};
}
std::string text(byte_view raw) {
  return {reinterpret_cast<const char*>(raw.data()), raw.size()};
}

/// What a scripted coordinator went through, and what it can be made to do.
struct coordinator_log {
  std::vector<std::string> calls;
  coordinator_context* context = nullptr;
  /// From within such calls, one after the other, it fails the job.
  std::vector<std::string> fails_at;
};

/// Notes its calls. Answers each event with "re: <event>", but throws at "throw" and fails at
/// "fail".
class scripted_coordinator final : public operator_coordinator {
 public:
  scripted_coordinator(coordinator_context& context, std::shared_ptr<coordinator_log> log)
      : log_(std::move(log)) {
    log_->context = &context;
  }
  ~scripted_coordinator() override { log_->context = nullptr; }

  status restore(byte_view snapshot) override {
    note("restore " + text(snapshot));
    return {};
  }
  void start() override { note("start"); }
  void on_subtask_ready(std::uint32_t s) override { note("ready", s); }
  void on_subtask_failed(std::uint32_t s, checkpoint_id restored) override {
    note("from " + std::to_string(restored.number) + " again", s);
  }
  void on_event(std::uint32_t s, byte_view event) override {
    note(text(event), s);
    if (text(event) == "throw") throw std::runtime_error("thrown by the coordinator");
    if (text(event) == "fail") return fail();
    log_->context->send_to_subtask(s, bytes("re: " + text(event)));
  }
  std::vector<std::byte> snapshot(checkpoint_id id) override {
    note("snapshot " + std::to_string(id.number));
    return bytes("state at " + std::to_string(id.number));
  }
  void on_checkpoint_complete(checkpoint_id id) override {
    note("complete " + std::to_string(id.number));
  }
  void on_checkpoint_aborted(checkpoint_id id) override {
    note("aborted " + std::to_string(id.number));
  }
  void on_wake() override { note("wake"); }
  void close() noexcept override { log_->calls.push_back("close"); }

 private:
  void fail() { log_->context->fail({errc::io, "the disk is gone"}); }
  void note(const std::string& call) {
    log_->calls.push_back(call);
    if (log_->fails_at.empty() || call != log_->fails_at.front()) return;
    log_->fails_at.erase(log_->fails_at.begin());
    fail();
  }
  void note(const std::string& what, std::uint32_t subtask) {
    note(what + " " + std::to_string(subtask));
  }
  std::shared_ptr<coordinator_log> log_;
};

class coordinated_factory final : public operator_factory {
 public:
  explicit coordinated_factory(std::shared_ptr<coordinator_log> log) : log_(std::move(log)) {}
  std::unique_ptr<stream_operator> create() const override { return nullptr; }
  const record_type* input_type(std::size_t) const noexcept override { return nullptr; }
  const record_type* output_type() const noexcept override { return nullptr; }
  bool has_coordinator() const noexcept override { return true; }
  std::unique_ptr<operator_coordinator> create_coordinator(
      coordinator_context& context) const override {
    return std::make_unique<scripted_coordinator>(context, log_);
  }

 private:
  std::shared_ptr<coordinator_log> log_;
};

/// The word count, whose source "lines" has a coordinator.
struct coordinated_job : checkpointed_master {
  std::shared_ptr<coordinator_log> log = std::make_shared<coordinator_log>();
  std::shared_ptr<fake_task_manager> tm = add_task_manager(2);
  job_id job;

  graph::job_graph make_graph(bool has_code = true) {
    auto graph = job_of(word_count(), 2);
    auto& source = graph.vertices[0].operators[0];
    source.has_coordinator = true;
    auto program = std::make_shared<job_program>();
    program->operators.resize(8);
    if (has_code) program->operators[source.node].reset(new coordinated_factory(log));
    programs->add(graph, std::move(program));
    return graph;
  }
  void start(graph::job_graph graph) {
    job = ask<wire::job_submitted>(wire::submit_job{std::move(graph)}).value().job;
    REQUIRE(ask<wire::ack>(wire::watch_job{job}));
  }
  void run_all_tasks() {
    hold_allocations(*tm);
    report_all(*tm, execution_state::initializing);
    report_all(*tm, execution_state::running);
  }
  execution_attempt_id source_task(std::uint32_t subtask, std::uint32_t attempt = 0) const {
    return {job, 0, subtask, attempt};
  }
  void say(std::uint32_t subtask, std::string_view what, std::uint32_t attempt = 0,
           std::uint32_t operator_index = 0) {
    report(*tm, wire::operator_event{source_task(subtask, attempt), operator_index, bytes(what)});
  }
  void start_checkpointed() {
    auto graph = make_graph();
    graph.configuration = {{"execution.checkpointing.interval", "10 s"},
                           {"state.checkpoints.dir", directory.path("checkpoints")},
                           {"state.savepoints.dir", directory.path("savepoints")},
                           {"restart-strategy.type", "fixed-delay"},
                           {"restart-strategy.fixed-delay.attempts", "3"}};
    start(std::move(graph));
  }
  // Of the attempts that were deployed last.
  void acknowledge_all(std::uint64_t checkpoint) {
    checkpointed_master::acknowledge_all(*tm, checkpoint);
  }
  void change_all(execution_state state) { tell_all(*tm, state); }
  void change(const execution_attempt_id& task, execution_state state) { tell(*tm, task, state); }
  /// Tasks that were told to end do so, and run again.
  void restart() {
    CHECK(jobs()[0].status == job_status::restarting);
    change_all(execution_state::canceled);
    pass_with_heartbeats(2s);
    REQUIRE(tm->deployments.size() == 2);
    change_all(execution_state::initializing);
    change_all(execution_state::running);
    CHECK(jobs()[0].status == job_status::running);
  }
  template <class Request>
  auto request(Request what) {
    auto asked = client->request(dispatcher, caf::infinite, std::move(what));
    run();
    return asked;
  }
};

using words = std::vector<std::string>;

}  // namespace

TEST_CASE_FIXTURE(coordinated_job, "tasks are deployed when the coordinators have started") {
  start(make_graph());
  CHECK(tm->deployments.size() == 1);
  CHECK(log->calls == words{"start"});
  run_all_tasks();
  CHECK(log->calls == words{"start", "ready 0", "ready 1"});
  CHECK(log->context->parallelism() == 2);
  CHECK(log->context->operator_name() == "lines");
}

TEST_CASE_FIXTURE(coordinated_job, "events go both ways between a task and its coordinator") {
  start(make_graph());
  run_all_tasks();
  say(1, "hello");
  CHECK(log->calls.back() == "hello 1");
  REQUIRE(tm->events.size() == 1);
  CHECK(tm->events[0].task == source_task(1));
  CHECK(tm->events[0].operator_index == 0);
  CHECK(text(tm->events[0].event) == "re: hello");
}

TEST_CASE_FIXTURE(coordinated_job, "events of what is not a current, ready attempt are dropped") {
  start(make_graph());
  say(0, "too early");
  run_all_tasks();
  log->calls.clear();
  say(0, "another attempt", 7);
  say(9, "no such subtask");
  say(0, "another operator", 0, 1);
  report(*tm, wire::operator_event{{{9, 9}, 0, 0, 0}, 0, bytes("another job")});
  change(source_task(0), execution_state::finished);
  say(0, "too late");
  log->context->send_to_subtask(0, bytes("too late"));
  log->context->send_to_subtask(9, bytes("nobody"));
  run();
  CHECK(log->calls.empty());
  CHECK(tm->events.empty());
  say(1, "in time");
  CHECK(log->calls == words{"in time 1"});
}

TEST_CASE_FIXTURE(coordinated_job,
                  "a coordinator's failure that may pass restarts the job and all coordinators") {
  start_checkpointed();
  run_all_tasks();
  pass_with_heartbeats(10s);
  acknowledge_all(1);
  say(0, "fail");
  CHECK(jobs()[0].status == job_status::restarting);
  CHECK(log->calls.back() == "close");
  log->calls.clear();
  pass_with_heartbeats(2s);
  CHECK(log->calls.empty());  // tasks of theirs still run
  change_all(execution_state::canceled);
  pass_with_heartbeats(2s);
  CHECK(log->calls == words{"restore state at 1", "start", "from 1 again 0", "from 1 again 1"});
  REQUIRE(tm->deployments.size() == 2);
  CHECK(tm->deployments.back().restore->checkpoint == checkpoint_id{1});
  CHECK(jobs()[0].status == job_status::running);
  change_all(execution_state::initializing);
  CHECK(log->calls.back() == "ready 1");
  say(1, "hello", 1);
  CHECK(log->calls.back() == "hello 1");
}

TEST_CASE_FIXTURE(coordinated_job,
                  "a coordinator that throws fails the job with its operator's name") {
  start(make_graph());
  run_all_tasks();
  say(0, "throw");
  CHECK(log->calls.back() == "close");
  CHECK(tm->cancelled.size() == 4);
  report_all(*tm, execution_state::canceled);
  const auto result = result_of_watched_job();
  REQUIRE(result);
  CHECK(result->status == job_status::failed);
  CHECK(result->cause->message == "in 'lines': thrown by the coordinator");
  CHECK(result->cause->code == errc::user_function);
}

TEST_CASE_FIXTURE(coordinated_job, "a coordinator can fail its job") {
  start(make_graph());
  run_all_tasks();
  say(0, "fail");
  report_all(*tm, execution_state::canceled);
  CHECK(result_of_watched_job()->cause == error{errc::io, "in 'lines': the disk is gone"});
}

TEST_CASE_FIXTURE(coordinated_job, "a job whose coordinators have no code fails saying so") {
  SUBCASE("the program is another one") {
    start(make_graph(false));
    CHECK(result_of_watched_job()->cause->message ==
          "the job manager has no code for the coordinator of operator 'lines': its program was "
          "built from another job than the one submitted");
  }
  SUBCASE("the program can't be loaded") {
    auto graph = make_graph();
    graph.arguments.clear();
    start(std::move(graph));
    const auto result = result_of_watched_job();
    REQUIRE(result);
    CHECK(result->cause->message ==
          "the job manager cannot load the job's program, which 'lines' needs there: the program "
          "of job " +
              to_string(job) + " ('test job') is not in this process");
  }
  CHECK(tm->deployments.empty());
}

TEST_CASE_FIXTURE(coordinated_job, "coordinators have I/O and time") {
  start(make_graph());
  run_all_tasks();
  const auto now = log->context->time().now();
  log->context->wake_at(now + 2min);
  log->context->wake_at(now + 1min);
  log->calls.clear();
  pass_with_heartbeats(59s);
  CHECK(log->calls.empty());
  pass_with_heartbeats(2s);
  CHECK(log->calls == words{"wake"});
  bool has_run = false;
  log->context->io().submit([&] { has_run = true; }, [&] { log->calls.push_back("done"); });
  log->context->io().submit([] {}, [] { throw std::runtime_error("thrown by a completion"); });
  pass(1s);
  CHECK(has_run);
  CHECK(log->calls == words{"wake", "done", "close"});
  report_all(*tm, execution_state::canceled);
  CHECK(result_of_watched_job()->cause->message == "in 'lines': thrown by a completion");
}

TEST_CASE_FIXTURE(coordinated_job, "coordinators are closed when the job is over") {
  start(make_graph());
  run_all_tasks();
  SUBCASE("in the end") {
    report_all(*tm, execution_state::finished);
  }
  SUBCASE("after a task's failure") {
    change(source_task(0), execution_state::failed);
    CHECK(log->calls.back() == "close");
    report_all(*tm, execution_state::canceled);
  }
  SUBCASE("cancelled") {
    REQUIRE(ask<wire::ack>(wire::cancel_job{job}));
    run();
    CHECK(log->calls.back() == "close");
    report_all(*tm, execution_state::canceled);
  }
  CHECK(log->calls.back() == "close");
  CHECK(std::count(log->calls.begin(), log->calls.end(), "close") == 1);
  pass(1s);
  CHECK(log->context == nullptr);
}

TEST_CASE_FIXTURE(coordinated_job, "coordinators take part in checkpoints") {
  start_checkpointed();
  CHECK(log->context->is_checkpointed());
  run_all_tasks();
  log->calls.clear();
  pass_with_heartbeats(10s);
  CHECK(log->calls == words{"snapshot 1"});
  acknowledge_all(1);
  CHECK(log->calls == words{"snapshot 1", "complete 1"});
  local_file_system files;
  const auto saved =
      load_checkpoint(files, directory.path("checkpoints/" + to_string(job) + "/chk-1"));
  REQUIRE(saved);
  CHECK(saved->operators[0].name == "lines");
  CHECK(saved->operators[0].coordinator == bytes("state at 1"));
  CHECK_FALSE(saved->operators[1].coordinator);

  pass_with_heartbeats(10s);
  report(*tm, wire::decline_checkpoint{source_task(0), {2}, error{errc::io, "disk full"}});
  CHECK(log->calls == words{"snapshot 1", "complete 1", "snapshot 2", "aborted 2"});
}

TEST_CASE_FIXTURE(coordinated_job, "coordinators hear from which checkpoint tasks are restarted") {
  start_checkpointed();
  run_all_tasks();
  pass_with_heartbeats(10s);
  acknowledge_all(1);
  pass_with_heartbeats(10s);  // another is under way
  log->calls.clear();
  change(source_task(1), execution_state::failed);
  say(0, "still there");
  log->context->send_to_subtask(1, bytes("nobody hears this"));
  CHECK(log->calls == words{"aborted 2", "still there 0"});
  CHECK(tm->events.size() == 1);
  const auto cancelled = tm->cancelled;
  for (const auto& task : cancelled) change(task, execution_state::canceled);
  pass_with_heartbeats(1s);
  REQUIRE(tm->deployments.size() == 2);
  CHECK(log->calls == words{"aborted 2", "still there 0", "from 1 again 0", "from 1 again 1"});
  log->calls.clear();
  say(0, "from the dead");
  change_all(execution_state::initializing);
  say(0, "hello", 1);
  CHECK(log->calls == words{"ready 0", "ready 1", "hello 0"});
}

TEST_CASE_FIXTURE(coordinated_job,
                  "a coordinator may fail when it hears of a checkpoint, though another is due") {
  start_checkpointed();
  run_all_tasks();
  pass_with_heartbeats(10s);
  std::vector<decltype(request(wire::take_checkpoint{}))> asked;
  SUBCASE("by the interval") {
    pass_with_heartbeats(11s);
  }
  SUBCASE("because somebody wants it") {
    asked.push_back(request(wire::take_checkpoint{job}));
  }
  log->fails_at = {"complete 1"};
  acknowledge_all(1);
  CHECK(tm->triggers.size() == 1);
  restart();
  CHECK(tm->deployments.back().restore->checkpoint == checkpoint_id{1});
  pass_with_heartbeats(10s);
  CHECK(tm->triggers.size() == 2);
  acknowledge_all(3);
  CHECK(log->calls.back() == "complete 3");
  for (auto& each : asked) {
    const auto taken = answer_of(each);
    REQUIRE(taken);
    CHECK(taken->checkpoint == checkpoint_id{3});
  }
}

TEST_CASE_FIXTURE(
    coordinated_job,
    "a job whose coordinator fails behind the final savepoint goes back to it, and stops") {
  start_checkpointed();
  run_all_tasks();
  auto stopped = request(wire::stop_job{job, {}, false});
  REQUIRE(tm->targets.size() == 1);
  const auto first = tm->targets[0].location;
  log->fails_at = {"complete 1"};
  acknowledge_all(1);
  restart();
  CHECK(tm->deployments.back().restore->location == first);
  REQUIRE(tm->triggers.size() == 2);
  CHECK(tm->triggers[1].cut.kind == checkpoint_kind::final_savepoint);
  acknowledge_all(2);
  change_all(execution_state::finished);
  const auto savepoint = answer_of(stopped);
  REQUIRE_MESSAGE(savepoint, (savepoint ? std::string() : savepoint.error().message));
  CHECK(savepoint->checkpoint == checkpoint_id{2});
  CHECK(jobs()[0].status == job_status::finished);
  CHECK_FALSE(std::filesystem::exists(first));  // nobody is told of it
}

TEST_CASE_FIXTURE(coordinated_job,
                  "a coordinator that fails as tasks are restarted is replaced before they are") {
  start_checkpointed();
  run_all_tasks();
  pass_with_heartbeats(10s);
  acknowledge_all(1);
  change(source_task(1), execution_state::failed);
  const auto cancelled = tm->cancelled;
  for (const auto& task : cancelled) change(task, execution_state::canceled);
  log->calls.clear();
  log->fails_at = {"from 1 again 0"};
  pass_with_heartbeats(1s);
  CHECK(log->calls == words{"from 1 again 0", "close"});  // there is a pause again
  CHECK(tm->deployments.size() == 1);
  log->calls.clear();
  pass_with_heartbeats(2s);
  REQUIRE(tm->deployments.size() == 2);
  change_all(execution_state::initializing);
  CHECK(log->calls == words{"restore state at 1", "start", "from 1 again 0", "from 1 again 1",
                            "ready 0", "ready 1"});
  say(0, "hello", 1);
  CHECK(log->calls.back() == "hello 0");
}

TEST_CASE_FIXTURE(coordinated_job,
                  "coordinators that can't begin again fail the job, after a pause each time") {
  start_checkpointed();
  run_all_tasks();
  log->calls.clear();
  log->fails_at = {"start", "start", "start"};
  say(0, "fail");
  change_all(execution_state::canceled);
  const auto starts = [this] { return std::count(log->calls.begin(), log->calls.end(), "start"); };
  for (int restart = 0; restart < 3; ++restart) {
    CHECK(starts() == restart);
    CHECK(jobs()[0].status == job_status::restarting);
    pass_with_heartbeats(1s);
  }
  CHECK(starts() == 3);
  CHECK(jobs()[0].status == job_status::failed);
}

TEST_CASE_FIXTURE(coordinated_job,
                  "coordinators that can't begin at once from the checkpoint before try it again") {
  auto graph = make_graph();
  graph.configuration = {{"execution.checkpointing.interval", "10 s"},
                         {"state.checkpoints.dir", directory.path("checkpoints")},
                         {"state.checkpoints.num-retained", "2"},
                         {"restart-strategy.type", "fixed-delay"},
                         {"restart-strategy.fixed-delay.attempts", "3"}};
  start(std::move(graph));
  run_all_tasks();
  for (const std::uint64_t n : {1, 2}) {
    pass_with_heartbeats(10s);
    acknowledge_all(n);
  }
  std::ofstream(directory_of(job, 2) + "/_metadata") << "{";
  log->calls.clear();
  log->fails_at = {"start"};
  const auto tasks = tasks_of(*tm);
  tell(*tm, tasks[0], execution_state::failed, error{errc::invalid_data, "a file is damaged"});
  for (std::size_t i = 1; i < tasks.size(); ++i) change(tasks[i], execution_state::canceled);
  pass_with_heartbeats(5s);
  CHECK(log->fails_at.empty());
  CHECK(std::count(log->calls.begin(), log->calls.end(), "restore state at 1") == 2);
  REQUIRE(tm->deployments.size() == 2);
  REQUIRE(tm->deployments[1].restore);
  CHECK(tm->deployments[1].restore->checkpoint == checkpoint_id{1});
}

TEST_CASE_FIXTURE(coordinated_job,
                  "a subtask that had ended before the checkpoint gets no events") {
  start_checkpointed();
  run_all_tasks();
  change(source_task(0), execution_state::finished);
  pass_with_heartbeats(10s);
  acknowledge_all(1);
  change(source_task(1), execution_state::failed);
  const auto cancelled = tm->cancelled;
  for (const auto& task : cancelled) change(task, execution_state::canceled);
  pass_with_heartbeats(1s);
  REQUIRE(tm->deployments.size() == 2);
  log->calls.clear();
  change_all(execution_state::initializing);
  CHECK(log->calls == words{"ready 1"});
}

}  // namespace job_coordinators_test
