#include <caf/abstract_actor.hpp>
#include <caf/actor_cast.hpp>
#include <filesystem>
#include <fstream>

#include "checkpointed_master.hpp"
#include "millrace/checkpoint/job_store.hpp"
#include "millrace/graph/job_epoch.hpp"
#include "support/forwarded_files.hpp"

namespace master_recovery_test {

using namespace millrace;
using namespace millrace::test;
using graph::execution_state;
using graph::job_status;

// Masters that die, and what goes on without them, in virtual time.

namespace {

using settings = std::map<std::string, std::string>;

/// A master that can be killed.
struct mortal_master : checkpointed_master {
  explicit mortal_master(settings all = {},
                         std::shared_ptr<file_system> files = std::make_shared<local_file_system>())
      : checkpointed_master((all["debug.chaos.enabled"] = "true", all), std::move(files)) {}

  void kill_actor(wire::chaos_target what, const job_id& job = {}) {
    wire::kill_actor request;
    request.target = what;
    request.task.job = job;
    REQUIRE(ask<wire::ack>(request));
  }
  /// As its task manager does when it sees that a master is gone; it comes back to the next one.
  void come_back(fake_task_manager& tm) {
    for (const auto& a : tm.allocations) tm.self.slots[a.slot] = {a.slot, {}, {}};
    tm.allocations.clear();
    REQUIRE(register_at_master(tm));
    hold_allocations(tm);
    pass_with_heartbeats(1s);
  }
  /// A job that runs and has taken a checkpoint.
  job_id start_and_take_one(fake_task_manager& tm) {
    const auto job = start();
    take_one(tm);
    return job;
  }
  void take_one(fake_task_manager& tm) {
    tell_all(tm, execution_state::running);
    pass_with_heartbeats(10s);
    acknowledge_all(tm, 1);
    REQUIRE(tm.completions.size() == 1);
  }
  void check_that_it_goes_on(fake_task_manager& tm, const job_id& job,
                             std::uint64_t its_epoch = 2) {
    REQUIRE(tm.deployments.size() == 2);
    const auto& last = tm.deployments.back();
    CHECK(last.job == job);
    REQUIRE(last.restore);
    CHECK(last.restore->checkpoint == checkpoint_id{1});
    CHECK(last.restore->location == directory_of(job, 1));
    for (const auto& task : tasks_of(tm)) CHECK(task.attempt == graph::first_attempt_of(its_epoch));
    const auto listed = jobs();
    REQUIRE(listed.size() == 1);
    CHECK(listed[0].job == job);
    CHECK(listed[0].name == "test job");
    CHECK(listed[0].status == job_status::running);
    // Numbers of checkpoints go on, and the one before goes when the next is there.
    tell_all(tm, execution_state::running);
    pass_with_heartbeats(10s);
    REQUIRE_FALSE(tm.triggers.empty());
    const auto next = tm.triggers.back().cut.checkpoint;
    CHECK(next > checkpoint_id{1});
    acknowledge_all(tm, next.number);
    CHECK(tm.completions.back().checkpoint == next);
    CHECK_FALSE(std::filesystem::exists(directory_of(job, 1)));
    CHECK(std::filesystem::exists(directory_of(job, next.number) + "/_metadata"));
  }
};

bool has_ended(const caf::actor& actor) {
  return caf::actor_cast<caf::abstract_actor*>(actor)->getf(
      caf::abstract_actor::is_terminated_flag);
}

/// Is there before the master, and after it.
struct outliving_directory {
  temporary_directory storage;
};

struct surviving_master : outliving_directory, mortal_master {
  explicit surviving_master(
      std::shared_ptr<file_system> files = std::make_shared<local_file_system>())
      : mortal_master(ha_settings(), std::move(files)) {}

  settings ha_settings() const {
    return {{"high-availability.type", "filesystem"},
            {"high-availability.storageDir", storage.path("ha")}};
  }
  /// Another process over the same directories, with these settings of its own. The one before is
  /// not told.
  void start_again(settings all = {}) {
    zombies.push_back(dispatcher);
    all.merge(ha_settings());
    all["debug.chaos.enabled"] = "true";
    spawn(all);
  }
  /// The job finishes, and the master dies before it is through with that; the next one is.
  void die_at_the_end_of(const job_id& job, fake_task_manager& tm) {
    const auto graph = storage.path("ha/default/graphs/" + to_string(job));
    const auto ledger = storage.path("ha/default/ledgers/" + to_string(job));
    std::filesystem::copy(graph, storage.path("graph"));
    std::filesystem::copy(ledger, storage.path("ledger"));
    std::filesystem::copy(directory_of(job, 1), storage.path("chk-1"));
    tell_all(tm, execution_state::finished);
    CHECK_FALSE(std::filesystem::exists(graph));
    std::filesystem::copy(storage.path("graph"), graph);
    std::filesystem::copy(storage.path("ledger"), ledger);
    std::filesystem::create_directories(directory_of(job, 1));
    std::filesystem::copy(storage.path("chk-1"), directory_of(job, 1));
    start_again();
    CHECK(jobs().at(0).status == job_status::finished);
    CHECK_FALSE(std::filesystem::exists(graph));
    CHECK_FALSE(std::filesystem::exists(directory.path("checkpoints/" + to_string(job))));
  }
  ~surviving_master() {
    for (const auto& zombie : zombies) stop_master(zombie);
    run();
  }

  std::vector<caf::actor> zombies;
};

/// A storage that does what it is told and may say that it has failed.
class unsure_files final : public forwarded_files {
 public:
  unsure_files() : forwarded_files(std::make_shared<local_file_system>()) {}

  /// From now on, or no longer, of directories whose path contains this; if only once, then what is
  /// below them is held.
  void deny(std::string part, bool only_once = false) {
    denied_ = std::move(part);
    is_held_next_ = only_once;
  }
  /// From now on, or no longer, nothing whose path contains this can be renamed or removed.
  void hold(std::string part) { held_ = std::move(part); }

  status rename(const std::string& from, const std::string& to) override {
    return is_in(held_, from) ? failed(from) : forwarded_files::rename(from, to);
  }
  status remove(const std::string& path) override {
    return is_in(held_, path) ? failed(path) : forwarded_files::remove(path);
  }

  status sync_directory(const std::string& path) override {
    auto done = forwarded_files::sync_directory(path);
    if (!is_in(denied_, path)) return done;
    if (is_held_next_) held_ = std::exchange(denied_, {});
    return failed(path);
  }

 private:
  static bool is_in(const std::string& part, const std::string& path) {
    return !part.empty() && path.find(part) != std::string::npos;
  }
  static status failed(const std::string& path) {
    return fail(errc::io, "can't access '" + path + "': Input/output error");
  }

  std::string denied_;
  std::string held_;
  bool is_held_next_ = false;
};

struct unsure_storage {
  std::shared_ptr<unsure_files> disk = std::make_shared<unsure_files>();
};

/// A job is started from the savepoint of another one, which it claims.
struct master_with_claimed_savepoint : unsure_storage, surviving_master {
  std::shared_ptr<fake_task_manager> tm;
  job_id job;
  std::string savepoint;

  master_with_claimed_savepoint() : surviving_master(disk) {
    tm = add_task_manager(2);
    const auto first = start({{"state.savepoints.dir", directory.path("savepoints")}});
    tell_all(*tm, execution_state::running);
    auto stopped = client->request(dispatcher, caf::infinite, wire::stop_job{first, {}, false});
    run();
    acknowledge_all(*tm, 1);
    tell_all(*tm, execution_state::finished);
    free_slots(*tm);
    stopped.receive([&](wire::checkpoint_taken& t) { savepoint = t.checkpoint.location; },
                    [&](const caf::error&) {});
    REQUIRE(std::filesystem::exists(savepoint + "/_metadata"));
    job = start(
        {{"execution.savepoint.path", savepoint}, {"execution.savepoint-restore-mode", "CLAIM"}});
    tell_all(*tm, execution_state::running);
  }
};

/// A job whose second checkpoint the storage has, ledger included, but says that it has not. One
/// that fails is one too many.
struct master_of_unsure_storage : unsure_storage, surviving_master {
  std::shared_ptr<fake_task_manager> tm;
  job_id job;

  master_of_unsure_storage() : surviving_master(disk) {
    tm = add_task_manager(2);
    job = start({{"execution.checkpointing.tolerable-failed-checkpoints", "0"},
                 {"restart-strategy.fixed-delay.attempts", "5"}});
    tell_all(*tm, execution_state::running);
    pass_with_heartbeats(10s);
    acknowledge_all(*tm, 1);
    REQUIRE(tm->completions.size() == 1);
    pass_with_heartbeats(10s);
  }
  /// From then on, what changes the ledger is said to have failed, or does fail.
  void lose_second(bool still_changes) {
    disk->deny("/ledgers", !still_changes);
    acknowledge_all(*tm, 2);
    REQUIRE(tm->completions.size() == 1);
    REQUIRE(tm->aborts.size() == 1);
    CHECK(jobs()[0].status == job_status::restarting);
    tell_all(*tm, execution_state::canceled);
  }
  std::uint64_t restored() const {
    const auto& from = tm->deployments.back().restore;
    return from ? from->checkpoint.number : 0;
  }
  bool is_complete(std::uint64_t checkpoint) const {
    return std::filesystem::exists(directory_of(job, checkpoint) + "/_metadata");
  }
};

}  // namespace

TEST_CASE_FIXTURE(master_of_unsure_storage,
                  "no job is restarted while a later master might go back to what has failed") {
  lose_second(true);
  pass_with_heartbeats(20s);
  CHECK(tm->deployments.size() == 1);
  CHECK(is_complete(2));
  disk->deny("");
  pass_with_heartbeats(3s);
  REQUIRE(tm->deployments.size() == 2);
  CHECK(restored() == 1);
  CHECK_FALSE(std::filesystem::exists(directory_of(job, 2)));
  start_again();
  come_back(*tm);
  REQUIRE(tm->deployments.size() == 3);
  CHECK(restored() == 1);
  CHECK(jobs()[0].status == job_status::running);
}

TEST_CASE_FIXTURE(
    master_of_unsure_storage,
    "a checkpoint that was said to have failed is whole for the master that finds it") {
  lose_second(false);
  pass_with_heartbeats(3s);
  disk->hold("");
  start_again();  // before it is tried again
  come_back(*tm);
  pass_with_heartbeats(5s);
  REQUIRE(tm->deployments.size() == 2);
  CHECK(restored() == 2);
  CHECK(is_complete(2));
}

TEST_CASE_FIXTURE(master_of_unsure_storage,
                  "a savepoint that was said to have failed is removed by the next master") {
  auto asked = client->request(dispatcher, caf::infinite,
                               wire::take_savepoint{job, directory.path("savepoints")});
  run();
  REQUIRE(tm->targets.size() == 1);
  const auto place = tm->targets[0].location;
  disk->deny(place, true);
  acknowledge_all(*tm, tm->triggers.back().cut.checkpoint.number);
  CHECK_FALSE(answer_of(asked));
  CHECK(std::filesystem::exists(place + "/_metadata"));
  disk->hold("");
  start_again();
  pass_with_heartbeats(1s);
  CHECK_FALSE(std::filesystem::exists(place));
}

TEST_CASE_FIXTURE(master_with_claimed_savepoint,
                  "a claimed savepoint that a master has not removed is removed by the next") {
  disk->hold(savepoint);
  pass_with_heartbeats(10s);
  acknowledge_all(*tm, tm->triggers.back().cut.checkpoint.number);
  CHECK(std::filesystem::exists(savepoint + "/_metadata"));
  start_again();  // the storage fails still
  come_back(*tm);
  CHECK(std::filesystem::exists(savepoint + "/_metadata"));
  disk->hold("");
  start_again();
  come_back(*tm);
  CHECK_FALSE(std::filesystem::exists(savepoint));
  REQUIRE(tm->deployments.back().restore);
  CHECK(tm->deployments.back().restore->location.starts_with(directory.path("checkpoints")));
}

TEST_CASE_FIXTURE(mortal_master, "a job master that dies is replaced, and the job goes on") {
  auto tm = add_task_manager(2);
  const auto job = start_and_take_one(*tm);
  const auto zombie = tasks_of(*tm)[0];
  kill_actor(wire::chaos_target::job_master, job);
  free_slots(*tm);
  pass_with_heartbeats(1s);
  hold_allocations(*tm);
  CHECK(tm->deployments.back().tasks.size() == 4);
  CHECK(tm->allocations.back().epoch == 2);
  tell(*tm, zombie, execution_state::failed, error{errc::io, "late"});
  check_that_it_goes_on(*tm, job);

  // It may die as often as it likes.
  tm->deployments.resize(1);
  kill_actor(wire::chaos_target::job_master, job);
  kill_actor(wire::chaos_target::job_master, job);
  CHECK(jobs()[0].status == job_status::restarting);
  free_slots(*tm);
  pass_with_heartbeats(2s);
  REQUIRE(tm->deployments.size() == 2);
  CHECK(tasks_of(*tm)[0].attempt == graph::first_attempt_of(3));
}

TEST_CASE_FIXTURE(mortal_master,
                  "what is asked of a job without a master is answered by the next") {
  auto tm = add_task_manager(2);
  const auto job = start_and_take_one(*tm);
  kill_actor(wire::chaos_target::job_master, job);
  auto asked = client->request(dispatcher, caf::infinite, wire::describe_job{job});
  run();
  SUBCASE("about it") {
    pass(1s);
    std::string name;
    asked.receive([&](const wire::job_details& d) { name = d.overview.name; },
                  [&](const caf::error& e) { name = from_caf(e).message; });
    CHECK(name == "test job");
  }
  SUBCASE("to end it") {
    CHECK(ask<wire::ack>(wire::watch_job{job}));
    CHECK(ask<wire::ack>(wire::cancel_job{job}));
    pass(1s);
    const auto result = result_of_watched_job();
    REQUIRE(result);
    CHECK(result->status == job_status::canceled);
    CHECK_FALSE(std::filesystem::exists(directory.path("checkpoints/" + to_string(job))));
  }
}

TEST_CASE_FIXTURE(mortal_master, "a dispatcher or a resource manager that dies is replaced") {
  auto tm = add_task_manager(2);
  const auto job = start_and_take_one(*tm);
  const auto before = resource_manager;
  SUBCASE("the dispatcher") {
    kill_actor(wire::chaos_target::dispatcher);
  }
  SUBCASE("the resource manager") {
    kill_actor(wire::chaos_target::resource_manager);
  }
  pass(1s);
  CHECK(jobs().size() == 1);
  come_back(*tm);
  CHECK(resource_manager != before);
  check_that_it_goes_on(*tm, job);
  CHECK(ask<wire::ack>(wire::watch_job{job}));
  tell_all(*tm, execution_state::finished);
  REQUIRE(result_of_watched_job());
  CHECK(jobs()[0].status == job_status::finished);
}

TEST_CASE_FIXTURE(mortal_master, "what is asked while there is no dispatcher is answered later") {
  wire::kill_actor request;
  request.target = wire::chaos_target::dispatcher;
  client->send(dispatcher, request);
  run();
  auto asked = client->request(dispatcher, caf::infinite, wire::list_jobs{});
  pass(1s);
  bool is_answered = false;
  asked.receive([&](const wire::job_list&) { is_answered = true; }, [&](const caf::error&) {});
  CHECK(is_answered);
}

TEST_CASE_FIXTURE(mortal_master, "who waits for a savepoint hears that the dispatcher was lost") {
  auto tm = add_task_manager(2);
  const auto job = start_and_take_one(*tm);
  auto asked = client->request(dispatcher, caf::infinite,
                               wire::take_savepoint{job, directory.path("savepoints")});
  run();
  kill_actor(wire::chaos_target::dispatcher);
  std::string answer;
  asked.receive([&](const wire::checkpoint_taken&) { answer = "taken"; },
                [&](const caf::error& e) { answer = from_caf(e).message; });
  CHECK(answer == "the dispatcher was lost meanwhile: 'millrace checkpoints " + to_string(job) +
                      "' shows what had been completed");
}

TEST_CASE_FIXTURE(surviving_master, "another process goes on with the jobs of one that died") {
  auto tm = add_task_manager(2);
  const auto job = start_and_take_one(*tm);
  start_again();
  come_back(*tm);
  check_that_it_goes_on(*tm, job);
  CHECK(ask<wire::ack>(wire::watch_job{job}));
  tell_all(*tm, execution_state::finished);
  CHECK(result_of_watched_job()->status == job_status::finished);

  // How it ended outlives it, too.
  start_again();
  const auto listed = jobs();
  REQUIRE(listed.size() == 1);
  CHECK(listed[0].status == job_status::finished);
  CHECK(describe(job).overview.name == "test job");
  pass(1s);
  CHECK_FALSE(std::filesystem::exists(directory.path("checkpoints/" + to_string(job))));
}

namespace {

/// A job that has taken a checkpoint, and leaves it to its process where that is.
struct master_with_directory : surviving_master {
  const std::string place = directory.path("checkpoints");
  std::shared_ptr<fake_task_manager> tm;
  job_id job;

  master_with_directory() {
    start_again({{"state.checkpoints.dir", place}});
    tm = add_task_manager(2);
    auto graph = job_of(word_count(), 2);
    graph.configuration = {{"execution.checkpointing.interval", "10 s"},
                           {"execution.checkpointing.mode", "at-least-once"}};
    job = ask<wire::job_submitted>(wire::submit_job{std::move(graph)}).value().job;
    hold_allocations(*tm);
    take_one(*tm);
  }
  std::string path_in_store(const std::string& kind) const {
    return "ha/default/" + kind + "/" + to_string(job);
  }
  job_ledger ledger() const {
    job_store store(std::make_shared<directory_document_store>(
        std::make_shared<local_file_system>(), storage.path("ha/default")));
    auto its = store.ledger_of(job).value();
    its.epoch = 0;  // a process that has looked may have begun one
    return its;
  }
};

}  // namespace

TEST_CASE_FIXTURE(master_with_directory,
                  "a job that can't go on with another configuration waits for the right one") {
  settings other{{"state.checkpoints.dir", place}};
  std::string why;
  std::uint64_t last_epoch = 2;
  SUBCASE("when its settings are not valid any more") {
    other["execution.checkpointing.unaligned.enabled"] = "true";
    why = "execution.checkpointing.unaligned.enabled is set";
  }
  SUBCASE("when there is no directory for its checkpoints any more") {
    other.clear();
    why = "state.checkpoints.dir is not";
  }
  SUBCASE("when there is another directory for its checkpoints") {
    other["state.checkpoints.dir"] = directory.path("elsewhere");
    why = "its checkpoint 1 is in '" + directory_of(job, 1) + "', but state.checkpoints.dir is '" +
          directory.path("elsewhere") + "' now";
    last_epoch = 3;
  }
  const auto graph = storage.read(path_in_store("graphs"));
  const auto before = ledger();
  start_again(other);
  come_back(*tm);
  CHECK(tm->deployments.size() == 1);
  CHECK(tm->allocations.empty());
  REQUIRE(ask<wire::ack>(wire::watch_job{job}));
  const auto result = result_of_watched_job();
  REQUIRE(result);
  CHECK(result->status == job_status::failed);
  REQUIRE(result->cause);
  CHECK(result->cause->code == errc::invalid_config);
  CHECK(result->cause->message.starts_with("the job can't go on: "));
  CHECK_MESSAGE(result->cause->message.find(why) != std::string::npos, result->cause->message);

  CHECK_FALSE(graph.empty());
  CHECK(storage.read(path_in_store("graphs")) == graph);
  CHECK(ledger() == before);
  CHECK_FALSE(std::filesystem::exists(storage.path(path_in_store("results"))));
  start_again({{"state.checkpoints.dir", place}});
  come_back(*tm);
  check_that_it_goes_on(*tm, job, last_epoch);
}

TEST_CASE_FIXTURE(surviving_master, "a master that was replaced says so when it ends") {
  client->monitor(dispatcher);
  start_again();
  pass(6s);
  std::optional<error> why;
  client->receive([&](const caf::down_msg& down) { why = from_caf(down.reason); },
                  caf::after(0s) >> [] {});
  REQUIRE(why);
  CHECK(why->code == errc::stale);
}

TEST_CASE_FIXTURE(surviving_master,
                  "a zombie completes no checkpoint behind its successor's back") {
  auto tm = add_task_manager(2);
  const auto job = start_and_take_one(*tm);
  pass_with_heartbeats(10s);
  REQUIRE(tm->triggers.size() == 2);
  const auto tasks = tasks_of(*tm);
  const auto zombie = tm->job_master;
  start_again();
  for (const auto& task : tasks) {
    wire::acknowledge_checkpoint ack;
    ack.what.task = task;
    ack.what.checkpoint = {2};
    caf::anon_send(zombie, ack);
  }
  run();
  CHECK(tm->completions.size() == 1);
  CHECK(tm->aborts.empty());
  // It is no master of the job any more, nor is its process one of the cluster.
  CHECK(has_ended(zombie));
  pass(10s);
  CHECK(has_ended(zombies.front()));
  CHECK_FALSE(std::filesystem::exists(directory_of(job, 2) + "/_metadata"));
  CHECK(jobs().at(0).job == job);
}

TEST_CASE_FIXTURE(surviving_master,
                  "a master that is stopped in order keeps its jobs for the next") {
  auto tm = add_task_manager(2);
  const auto job = start_and_take_one(*tm);
  stop_master(dispatcher);
  run();
  pass(1s);
  CHECK(tm->completions.size() == 1);
  start_again();
  zombies.clear();
  come_back(*tm);
  check_that_it_goes_on(*tm, job);
}

TEST_CASE_FIXTURE(surviving_master, "what a master had begun when it died is removed by the next") {
  auto tm = add_task_manager(2);
  const auto job = start_and_take_one(*tm);
  pass_with_heartbeats(10s);
  CHECK(tm->triggers.size() == 2);
  std::filesystem::create_directory(directory_of(job, 9));
  REQUIRE(std::filesystem::exists(directory_of(job, 2)));
  start_again();
  pass_with_heartbeats(1s);
  CHECK_FALSE(std::filesystem::exists(directory_of(job, 2)));
  CHECK(std::filesystem::exists(directory_of(job, 1) + "/_metadata"));
  // No master before had begun this one: it may be of one that has come since.
  CHECK(std::filesystem::exists(directory_of(job, 9)));
}

TEST_CASE_FIXTURE(surviving_master, "a savepoint that dies with its master leaves nothing") {
  auto tm = add_task_manager(2);
  const auto job = start_and_take_one(*tm);
  const auto take = [&] {
    client->send(dispatcher, wire::take_savepoint{job, directory.path("savepoints")});
    run();
    return tm->targets.back().location;
  };
  const auto complete = take();
  acknowledge_all(*tm, 2);
  const auto unfinished = take();
  CHECK(std::filesystem::exists(unfinished));
  start_again();
  pass_with_heartbeats(1s);
  CHECK_FALSE(std::filesystem::exists(unfinished));
  CHECK(std::filesystem::exists(complete + "/_metadata"));
}

namespace {

/// A job whose master dies while it is being stopped, right behind the savepoint: sinks have been
/// told to commit, and windows may have fired early.
struct stopping_job : surviving_master {
  std::shared_ptr<fake_task_manager> tm = add_task_manager(2);
  job_id job;
  std::string first;  // its savepoint

  auto ask_to_stop(bool drain) {
    auto asked = client->request(dispatcher, caf::infinite,
                                 wire::stop_job{job, directory.path("savepoints"), drain});
    run();
    return asked;
  }
  void await_last() {
    for (const auto& task : tasks_of(*tm)) report(*tm, wire::last_checkpoint_awaited{task});
  }
  /// Until its savepoint, number 2, is complete.
  auto stop(bool drain) {
    job = start_and_take_one(*tm);
    auto asked = ask_to_stop(drain);
    if (drain) await_last();
    acknowledge_all(*tm, 2);
    REQUIRE(tm->completions.size() == 2);
    first = tm->targets.back().location;
    tell(*tm, tasks_of(*tm)[0], execution_state::finished);
    return asked;
  }
  void kill_job_master() {
    kill_actor(wire::chaos_target::job_master, job);
    free_slots(*tm);
    pass_with_heartbeats(1s);
    hold_allocations(*tm);
  }
  void check_that_it_begins_from(std::uint64_t checkpoint) {
    const auto& restore = tm->deployments.back().restore;
    REQUIRE(restore);
    CHECK(restore->checkpoint == checkpoint_id{checkpoint});
  }
  /// The master that is there now stops it, with savepoint `number`.
  void run_until_saved(bool drain, std::uint64_t number) {
    tm->triggers.clear();
    tm->drains.clear();
    tell_all(*tm, execution_state::running);
    CHECK(tm->drains.size() == (drain ? 1 : 0));
    if (drain) {
      CHECK(tm->triggers.empty());
      await_last();
    }
    REQUIRE(tm->triggers.size() == 1);
    CHECK(tm->triggers[0].cut.checkpoint == checkpoint_id{number});
    CHECK(tm->triggers[0].cut.kind == checkpoint_kind::final_savepoint);
    CHECK(tm->targets.back().location.starts_with(directory.path("savepoints/")));
    pass_with_heartbeats(30s);
    CHECK(tm->triggers.size() == 1);  // no checkpoints any more
  }
};

}  // namespace

TEST_CASE_FIXTURE(stopping_job, "a job that was being stopped is stopped by the next master") {
  bool drain = false, is_process = false;
  SUBCASE("of the job") {}
  SUBCASE("of the job, drained") {
    drain = true;
  }
  SUBCASE("in another process") {
    is_process = true;
  }
  SUBCASE("in another process, drained") {
    drain = is_process = true;
  }
  auto asked = stop(drain);
  if (is_process) {
    start_again();
    come_back(*tm);
  } else {
    kill_job_master();
    const auto lost = answer_of(asked);
    REQUIRE_FALSE(lost);
    CHECK(lost.error().message == "the job's master was lost meanwhile");
  }
  check_that_it_begins_from(2);
  CHECK(tm->deployments.back().restore->location == first);
  // Whoever asks again waits for it, and is told.
  auto again = ask_to_stop(drain);
  auto otherwise = ask_to_stop(!drain);
  CHECK(answer_of(otherwise).error().code == errc::stale);
  run_until_saved(drain, 3);
  acknowledge_all(*tm, 3);
  CHECK(tm->completions.back().checkpoint == checkpoint_id{3});  // so sinks commit
  tell_all(*tm, execution_state::finished);
  const auto savepoint = answer_of(again);
  REQUIRE_MESSAGE(savepoint, (savepoint ? std::string() : savepoint.error().message));
  CHECK(savepoint->checkpoint == checkpoint_id{3});
  CHECK(std::filesystem::exists(savepoint->location + "/_metadata"));
  CHECK_FALSE(std::filesystem::exists(first));  // nobody was told of it
  CHECK(describe(job).overview.status == job_status::finished);
  CHECK(describe(job).savepoint == savepoint->location);
  auto late = ask_to_stop(drain);
  CHECK(answer_of(late).error().message.find("it was stopped with the savepoint in '" +
                                             savepoint->location + "'") != std::string::npos);
}

TEST_CASE_FIXTURE(stopping_job, "a job is stopped however many masters die, and nobody need wait") {
  stop(true);
  kill_job_master();
  tell_all(*tm, execution_state::running);
  kill_job_master();  // while it is drained anew
  check_that_it_begins_from(2);
  run_until_saved(true, 3);
  acknowledge_all(*tm, 3);
  kill_job_master();
  check_that_it_begins_from(3);
  SUBCASE("with another savepoint") {
    run_until_saved(true, 4);
    acknowledge_all(*tm, 4);
    tell_all(*tm, execution_state::finished);
    CHECK(std::filesystem::exists(tm->targets.back().location + "/_metadata"));
  }
  SUBCASE("with that, if there is nothing left to be done") {
    for (const auto& task : tasks_of(*tm)) tell(*tm, task, execution_state::finished);
    CHECK(std::filesystem::exists(tm->targets.back().location + "/_metadata"));
  }
  CHECK(describe(job).overview.status == job_status::finished);
}

TEST_CASE_FIXTURE(stopping_job,
                  "a job whose task fails while its savepoint is stored is stopped anew") {
  job = start_and_take_one(*tm);
  auto asked = ask_to_stop(false);
  for (const auto& task : tasks_of(*tm)) {
    wire::acknowledge_checkpoint ack;
    ack.what.task = task;
    ack.what.checkpoint = {2};
    caf::anon_send(tm->job_master, ack);
  }
  scheduler.run();  // without I/O
  CHECK(tm->completions.size() == 1);
  wire::task_state_changed change;
  change.task = change.report.task = tasks_of(*tm)[0];
  change.state = execution_state::failed;
  change.cause = error{errc::user_function, "boom"};
  caf::anon_send(tm->job_master, change);
  scheduler.run();
  run();
  CHECK(tm->completions.size() == 2);  // it is complete all the same
  SUBCASE("by its master") {
    tell_all(*tm, execution_state::canceled);
    pass_with_heartbeats(2s);
    REQUIRE(tm->deployments.back().restore);
    CHECK(tm->deployments.back().restore->checkpoint == checkpoint_id{2});
    run_until_saved(false, 3);
    acknowledge_all(*tm, 3);
    tell_all(*tm, execution_state::finished);
    const auto savepoint = answer_of(asked);
    REQUIRE_MESSAGE(savepoint, (savepoint ? std::string() : savepoint.error().message));
    CHECK(savepoint->checkpoint == checkpoint_id{3});
  }
  SUBCASE("or by the next") {
    kill_job_master();
    check_that_it_begins_from(2);
    run_until_saved(false, 3);
    acknowledge_all(*tm, 3);
    tell_all(*tm, execution_state::finished);
  }
  CHECK(describe(job).overview.status == job_status::finished);
}

TEST_CASE_FIXTURE(stopping_job, "a job that was said to go on is not stopped by a later master") {
  SUBCASE("when its savepoint was complete, and another one failed") {
    auto asked = stop(false);
    const auto tasks = tasks_of(*tm);
    tell(*tm, tasks[1], execution_state::failed, error{errc::user_function, "boom"});
    for (const auto& task : tasks) tell(*tm, task, execution_state::canceled);
    pass_with_heartbeats(2s);
    run_until_saved(false, 3);
    report(*tm, wire::decline_checkpoint{tasks_of(*tm)[0], {3}, error{errc::io, "disk full"}});
    CHECK(answer_of(asked).error().message.find("the job goes on") != std::string::npos);
  }
  SUBCASE("when an earlier master had begun to stop it") {
    stop(true);
    kill_job_master();
    run_until_saved(true, 3);
    report(*tm, wire::decline_checkpoint{tasks_of(*tm)[0], {3}, error{errc::io, "disk full"}});
    CHECK(jobs().at(0).status == job_status::restarting);
  }
  kill_job_master();
  check_that_it_begins_from(2);
  tm->triggers.clear();
  tm->drains.clear();
  tell_all(*tm, execution_state::running);
  CHECK(tm->triggers.empty());
  CHECK(tm->drains.empty());
  pass_with_heartbeats(10s);
  REQUIRE(tm->triggers.size() == 1);
  CHECK(tm->triggers[0].cut.kind == checkpoint_kind::checkpoint);
}

TEST_CASE_FIXTURE(surviving_master, "a job that had ended is not run again, and leaves nothing") {
  auto tm = add_task_manager(2);
  const auto job = start_and_take_one(*tm);
  die_at_the_end_of(job, *tm);
}

TEST_CASE_FIXTURE(surviving_master, "a damaged snapshot keeps no job that has ended") {
  auto tm = add_task_manager(2);
  const auto job = start_and_take_one(*tm);
  // Claimed it was, by what the ledger says.
  const auto damaged = storage.path("claimed");
  std::filesystem::create_directories(damaged);
  std::ofstream(damaged + "/_metadata") << "no metadata";
  job_store store(std::make_shared<directory_document_store>(std::make_shared<local_file_system>(),
                                                             storage.path("ha/default")));
  REQUIRE(store.checkpoint_completed(job, 1, {{9}, damaged, snapshot_owner::claimed}));
  die_at_the_end_of(job, *tm);
  CHECK(std::filesystem::exists(damaged + "/_metadata"));  // the user's to look at
}

TEST_CASE_FIXTURE(master_fixture, "chaos is refused where nobody has asked for it") {
  wire::kill_actor request;
  request.target = wire::chaos_target::dispatcher;
  const auto refused = ask<wire::ack>(request);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("debug.chaos.enabled") != std::string::npos);
}

}  // namespace master_recovery_test
