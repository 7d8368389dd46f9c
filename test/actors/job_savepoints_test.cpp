#include <filesystem>
#include <fstream>

#include "checkpointed_master.hpp"
#include "millrace/checkpoint/snapshot_directory.hpp"

namespace job_savepoints_test {

using namespace millrace;
using namespace millrace::test;
using graph::execution_state;
using graph::job_status;

// Savepoints, and jobs that stop with or start from one, as the job master drives them, in virtual
// time.

namespace {

struct master_with_savepoints : checkpointed_master {
  std::shared_ptr<fake_task_manager> tm = add_task_manager(2);

  job_id running(std::map<std::string, std::string> settings = {}) {
    settings.try_emplace("state.savepoints.dir", directory.path("savepoints"));
    const auto job = start(settings);
    tell_all(*tm, execution_state::running);
    return job;
  }
  template <class Request>
  auto request(Request what) {
    auto asked = client->request(dispatcher, caf::infinite, std::move(what));
    run();
    return asked;
  }
  /// Of jobs that have ended.
  std::string savepoint_of_stopped(bool drain = false) {
    const auto job = running();
    auto stopped = request(wire::stop_job{job, {}, drain});
    acknowledge_all(*tm, 1);
    tell_all(*tm, execution_state::finished);
    free_slots(*tm);
    return answer_of(stopped)->location;
  }
};

}  // namespace

TEST_CASE_FIXTURE(master_with_savepoints, "a savepoint goes where it was asked for, and stays") {
  const auto job = running();
  auto asked = request(wire::take_savepoint{job, {}});
  REQUIRE(tm->targets.size() == 1);
  CHECK(tm->targets[0].tasks.size() == 4);
  const auto place = tm->targets[0].location;
  CHECK(place.starts_with(directory.path("savepoints") + "/savepoint-" +
                          to_string(job).substr(0, 6)));
  REQUIRE(tm->triggers.size() == 1);
  CHECK(tm->triggers[0].cut.kind == checkpoint_kind::savepoint);
  CHECK(tm->triggers[0].tasks.size() == 2);
  acknowledge_all(*tm, 1);
  const auto taken = answer_of(asked);
  REQUIRE(taken);
  CHECK(taken->location == place);
  CHECK(std::filesystem::exists(place + "/_metadata"));
  CHECK(tm->completions.empty());  // nothing is committed with it
  CHECK_FALSE(describe(job).last_checkpoint);
  const auto list = checkpoints(job);
  REQUIRE(list.checkpoints.size() == 1);
  CHECK(list.checkpoints[0].kind == checkpoint_kind::savepoint);
  CHECK(list.checkpoints[0].location == place);

  // Elsewhere, and beside a checkpoint.
  auto other = request(wire::take_savepoint{job, directory.path("mine")});
  pass_with_heartbeats(10s);
  CHECK(tm->triggers.size() == 2);  // one at a time
  acknowledge_all(*tm, 2);
  CHECK(answer_of(other)->location.starts_with(directory.path("mine") + "/savepoint-"));
  pass_with_heartbeats(1s);
  CHECK(tm->triggers.size() == 3);
  acknowledge_all(*tm, 3);
  CHECK(tm->completions.size() == 1);

  ask<wire::ack>(wire::cancel_job{job});
  tell_all(*tm, execution_state::canceled);
  CHECK(std::filesystem::exists(place + "/_metadata"));
  CHECK_FALSE(std::filesystem::exists(directory.path("checkpoints/" + to_string(job))));
}

TEST_CASE_FIXTURE(master_with_savepoints, "a savepoint that fails leaves nothing, and no harm") {
  const auto job = running();
  auto asked = request(wire::take_savepoint{job, {}});
  const auto place = tm->targets.at(0).location;
  CHECK(std::filesystem::exists(place));
  report(*tm, wire::decline_checkpoint{tasks_of(*tm)[0], {1}, error{errc::io, "disk full"}});
  CHECK(answer_of(asked).error().message.find("disk full") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(place));
  CHECK(jobs()[0].status == job_status::running);

  std::filesystem::remove_all(directory.path("savepoints"));
  std::ofstream(directory.path("savepoints")) << "a file";
  auto again = request(wire::take_savepoint{job, {}});
  CHECK_FALSE(answer_of(again));
  CHECK(jobs()[0].status == job_status::running);
}

TEST_CASE_FIXTURE(master_with_savepoints, "a savepoint needs a place, and a job that runs") {
  const auto job = start();
  auto early = request(wire::take_savepoint{job, directory.path("s")});
  CHECK(answer_of(early).error().code == errc::stale);
  auto stop = request(wire::stop_job{job, directory.path("s"), false});
  CHECK(answer_of(stop).error().code == errc::stale);
  tell_all(*tm, execution_state::running);
  auto nowhere = request(wire::take_savepoint{job, {}});
  CHECK(answer_of(nowhere).error().message.find("state.savepoints.dir") != std::string::npos);
  CHECK(jobs()[0].status == job_status::running);
}

TEST_CASE_FIXTURE(master_with_savepoints,
                  "a job stops with a savepoint as the last thing it does") {
  const auto job = running();
  pass_with_heartbeats(10s);
  REQUIRE(tm->triggers.size() == 1);  // is given up
  auto stopped = request(wire::stop_job{job, {}, false});
  CHECK(tm->aborts.size() == 1);
  REQUIRE(tm->triggers.size() == 2);
  CHECK(tm->triggers[1].cut.kind == checkpoint_kind::final_savepoint);
  pass_with_heartbeats(30s);
  CHECK(tm->triggers.size() == 2);  // no checkpoints any more
  auto otherwise = request(wire::stop_job{job, {}, true});
  CHECK(answer_of(otherwise).error().code == errc::stale);
  acknowledge_all(*tm, 2);
  REQUIRE(tm->completions.size() == 1);  // so sinks commit
  CHECK(tm->completions[0].checkpoint == checkpoint_id{2});
  tell_all(*tm, execution_state::finished);
  const auto savepoint = answer_of(stopped);
  REQUIRE(savepoint);
  CHECK(savepoint->kind == checkpoint_kind::final_savepoint);
  CHECK(std::filesystem::exists(savepoint->location + "/_metadata"));
  CHECK(jobs()[0].status == job_status::finished);
}

TEST_CASE_FIXTURE(master_with_savepoints, "a drained job has its savepoint when all is emitted") {
  const auto job = running();
  auto stopped = request(wire::stop_job{job, {}, true});
  REQUIRE(tm->drains.size() == 1);
  CHECK(tm->drains[0].tasks.size() == 2);
  CHECK(tm->triggers.empty());
  for (const auto& task : tasks_of(*tm)) report(*tm, wire::last_checkpoint_awaited{task});
  REQUIRE(tm->triggers.size() == 1);
  CHECK(tm->triggers[0].cut.kind == checkpoint_kind::final_savepoint);

  SUBCASE("and ends with it") {
    acknowledge_all(*tm, 1);
    tell_all(*tm, execution_state::finished);
    CHECK(answer_of(stopped));
    CHECK(jobs()[0].status == job_status::finished);
  }
  SUBCASE("or is restarted as a whole if it fails") {
    report(*tm, wire::decline_checkpoint{tasks_of(*tm)[0], {1}, error{errc::io, "disk full"}});
    CHECK(answer_of(stopped).error().message.find("disk full") != std::string::npos);
    CHECK(jobs()[0].status == job_status::restarting);
    CHECK(tm->cancelled.size() == 4);
  }
}

TEST_CASE_FIXTURE(master_with_savepoints, "a job that could not be stopped goes on as before") {
  const auto job = running();
  auto stopped = request(wire::stop_job{job, {}, false});
  SUBCASE("when the savepoint fails") {
    report(*tm, wire::decline_checkpoint{tasks_of(*tm)[0], {1}, error{errc::io, "disk full"}});
    CHECK(answer_of(stopped).error().message.find("the job goes on") != std::string::npos);
    CHECK(tm->aborts.size() == 1);
    pass_with_heartbeats(10s);
    CHECK(tm->triggers.size() == 2);
    CHECK(jobs()[0].status == job_status::running);
  }
  SUBCASE("when a task fails before it is complete") {
    tell(*tm, tasks_of(*tm)[0], execution_state::failed, error{errc::user_function, "boom"});
    CHECK_FALSE(answer_of(stopped));
    CHECK(jobs()[0].status == job_status::restarting);
  }
  SUBCASE("when it is cancelled meanwhile") {
    ask<wire::ack>(wire::cancel_job{job});
    CHECK(answer_of(stopped).error().code == errc::cancelled);
  }
}

TEST_CASE_FIXTURE(master_with_savepoints,
                  "whoever asks for a stop that is under way waits for it") {
  const auto job = running();
  auto first = request(wire::stop_job{job, {}, false});
  auto second = request(wire::stop_job{job, {}, false});
  auto otherwise = request(wire::stop_job{job, {}, true});
  CHECK(answer_of(otherwise).error().code == errc::stale);
  acknowledge_all(*tm, 1);
  tell_all(*tm, execution_state::finished);
  const auto told = answer_of(first);
  const auto told_again = answer_of(second);
  REQUIRE(told);
  REQUIRE(told_again);
  CHECK(told->location == told_again->location);
}

TEST_CASE_FIXTURE(master_with_savepoints,
                  "a job whose task fails while it stops goes back to the savepoint, and stops") {
  const auto job = running();
  pass_with_heartbeats(10s);
  acknowledge_all(*tm, 1);
  auto stopped = request(wire::stop_job{job, {}, false});
  acknowledge_all(*tm, 2);
  const auto place = tm->targets.at(0).location;
  const auto tasks = tasks_of(*tm);
  tell(*tm, tasks[3], execution_state::failed, error{errc::user_function, "boom"});
  for (std::size_t i = 0; i < 3; ++i) tell(*tm, tasks[i], execution_state::canceled);
  pass_with_heartbeats(2s);
  REQUIRE(tm->deployments.back().restore);
  CHECK(tm->deployments.back().restore->checkpoint == checkpoint_id{2});
  CHECK(tm->deployments.back().restore->location == place);
  CHECK(tm->triggers.size() == 2);
  tell_all(*tm, execution_state::running);
  REQUIRE(tm->triggers.size() == 3);
  CHECK(tm->triggers[2].cut.kind == checkpoint_kind::final_savepoint);
  SUBCASE("with another savepoint") {
    acknowledge_all(*tm, 3);
    tell_all(*tm, execution_state::finished);
    const auto savepoint = answer_of(stopped);
    REQUIRE_MESSAGE(savepoint, (savepoint ? std::string() : savepoint.error().message));
    CHECK(savepoint->checkpoint == checkpoint_id{3});
    CHECK(jobs()[0].status == job_status::finished);
    CHECK(std::filesystem::exists(savepoint->location + "/_metadata"));
    CHECK_FALSE(std::filesystem::exists(place));  // nobody is told of it
  }
  SUBCASE("or goes on if that fails, and takes checkpoints again") {
    report(*tm, wire::decline_checkpoint{tasks_of(*tm)[0], {3}, error{errc::io, "disk full"}});
    CHECK(answer_of(stopped).error().message.find(place) != std::string::npos);
    pass_with_heartbeats(10s);
    acknowledge_all(*tm, 4);
    CHECK(checkpoints(job).completed == 3);
    CHECK(std::filesystem::exists(place + "/_metadata"));
  }
}

TEST_CASE_FIXTURE(
    master_with_savepoints,
    "a job that fails for good behind its final savepoint names that, and nothing older") {
  const auto job = running();
  pass_with_heartbeats(10s);
  acknowledge_all(*tm, 1);
  auto stopped = request(wire::stop_job{job, {}, false});
  acknowledge_all(*tm, 2);
  const auto place = tm->targets.at(0).location;
  const auto tasks = tasks_of(*tm);
  tell(*tm, tasks[0], execution_state::failed, error{errc::invalid_config, "boom"});
  for (std::size_t i = 1; i < tasks.size(); ++i) tell(*tm, tasks[i], execution_state::canceled);
  CHECK(answer_of(stopped).error().message.find(place) != std::string::npos);
  REQUIRE(jobs()[0].status == job_status::failed);
  const auto last = describe(job).last_checkpoint;
  REQUIRE(last);
  CHECK(last->location == place);
  CHECK(std::filesystem::exists(place + "/_metadata"));
  const auto named = "its latest checkpoint is in '" + place + "'";
  auto stop = request(wire::stop_job{job, {}, false});
  CHECK(answer_of(stop).error().message.find(named) != std::string::npos);
  auto take = request(wire::take_savepoint{job, {}});
  CHECK(answer_of(take).error().message.find(named) != std::string::npos);
}

TEST_CASE_FIXTURE(master_with_savepoints,
                  "a stop is answered when it is known what has become of the savepoint") {
  const auto job = running();
  auto stopped = request(wire::stop_job{job, {}, false});
  REQUIRE(tm->targets.size() == 1);
  const auto place = tm->targets[0].location;
  io->is_held = true;
  acknowledge_all(*tm, 1);
  CHECK(ask<wire::ack>(wire::cancel_job{job}));
  SUBCASE("complete, though the job was cancelled meanwhile") {
    tell_all(*tm, execution_state::canceled);
    io->is_held = false;
    run();
    const auto answer = answer_of(stopped);
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == errc::cancelled);
    CHECK(answer.error().message.find("the savepoint at " + place + " is complete") == 0);
    CHECK(std::filesystem::exists(place + "/_metadata"));
    CHECK(jobs()[0].status == job_status::canceled);
    const auto last = describe(job).last_checkpoint;
    REQUIRE(last);
    CHECK(last->location == place);
  }
  SUBCASE("failed, and then the job was just cancelled") {
    std::filesystem::remove_all(directory.path("savepoints"));
    std::ofstream(directory.path("savepoints")) << "a file";
    io->is_held = false;
    run();
    const auto answer = answer_of(stopped);
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == errc::cancelled);
    CHECK(answer.error().message.find("savepoint") == std::string::npos);
  }
}

TEST_CASE_FIXTURE(
    master_with_savepoints,
    "no region goes on or ends by itself if another fails while the savepoint is stored") {
  graph_maker make;
  make.sink("sink", make.source("numbers"));
  start({{"state.savepoints.dir", directory.path("savepoints")}}, job_of(make.graph, 2));
  tell_all(*tm, execution_state::running);
  const auto tasks = tasks_of(*tm);
  REQUIRE(tasks.size() == 2);  // each a region
  auto stopped = request(wire::stop_job{jobs()[0].job, {}, false});
  REQUIRE(tm->targets.size() == 1);
  const auto place = tm->targets[0].location;
  io->is_held = true;
  acknowledge_all(*tm, 1);
  tell(*tm, tasks[0], execution_state::failed, error{errc::user_function, "boom"});
  CHECK(tm->cancelled == std::vector{tasks[1]});
  CHECK(tm->completions.empty());
  io->is_held = false;
  run();
  tell(*tm, tasks[1], execution_state::canceled);
  pass_with_heartbeats(2s);
  CHECK(tasks_of(*tm).size() == 2);
  REQUIRE(tm->deployments.back().restore);
  CHECK(tm->deployments.back().restore->location == place);
  tell_all(*tm, execution_state::running);
  REQUIRE(tm->triggers.size() == 2);
  CHECK(tm->triggers[1].cut.kind == checkpoint_kind::final_savepoint);
  acknowledge_all(*tm, 2);
  tell_all(*tm, execution_state::finished);
  const auto savepoint = answer_of(stopped);
  REQUIRE_MESSAGE(savepoint, (savepoint ? std::string() : savepoint.error().message));
  CHECK(savepoint->checkpoint == checkpoint_id{2});
  CHECK_FALSE(std::filesystem::exists(place));
}

TEST_CASE_FIXTURE(master_with_savepoints,
                  "a task that ends meanwhile is no reason to refuse a savepoint") {
  const auto job = running();
  const auto tasks = tasks_of(*tm);
  auto asked = request(wire::take_savepoint{job, {}});
  REQUIRE(tm->targets.size() == 1);
  const auto first = tm->targets[0].location;
  acknowledge(*tm, tasks[1], 1);
  tell(*tm, tasks[0], execution_state::finished);
  CHECK(tm->aborts.size() == 1);
  REQUIRE(tm->targets.size() == 2);
  CHECK(tm->targets[1].tasks.size() == 3);
  CHECK_FALSE(std::filesystem::exists(first));
  SUBCASE("which is whole then") {
    for (std::size_t i = 1; i < tasks.size(); ++i) acknowledge(*tm, tasks[i], 2);
    const auto taken = answer_of(asked);
    REQUIRE(taken);
    CHECK(taken->location == tm->targets[1].location);
    CHECK(std::filesystem::exists(taken->location + "/_metadata"));
  }
  SUBCASE("unless all do") {
    for (std::size_t i = 1; i < tasks.size(); ++i) tell(*tm, tasks[i], execution_state::finished);
    const auto taken = answer_of(asked);
    REQUIRE_FALSE(taken);
    CHECK(taken.error().code == errc::stale);
    CHECK(taken.error().message.find("the job has finished") != std::string::npos);
    for (const auto& target : tm->targets) CHECK_FALSE(std::filesystem::exists(target.location));
  }
}

TEST_CASE_FIXTURE(master_with_savepoints,
                  "more savepoints than the history remembers end at once, and each is answered") {
  constexpr std::uint64_t count = 25;
  const auto job = running();
  const auto tasks = tasks_of(*tm);
  std::vector<decltype(request(wire::take_savepoint{}))> asked;
  for (std::uint64_t i = 0; i < count; ++i) asked.push_back(request(wire::take_savepoint{job, {}}));
  REQUIRE(tm->targets.size() == count);
  SUBCASE("taken anew, when a task has ended") {
    tell(*tm, tasks[0], execution_state::finished);
    REQUIRE(tm->targets.size() == 2 * count);
    for (std::uint64_t i = 1; i <= count; ++i)
      for (std::size_t t = 1; t < tasks.size(); ++t) acknowledge(*tm, tasks[t], count + i);
    for (auto& each : asked) {
      const auto taken = answer_of(each);
      REQUIRE_MESSAGE(taken, (taken ? std::string() : taken.error().message));
      CHECK(std::filesystem::exists(taken->location + "/_metadata"));
    }
  }
  SUBCASE("with an error, when a task has failed") {
    tell(*tm, tasks[0], execution_state::failed, error{errc::user_function, "boom"});
    for (auto& each : asked) {
      const auto taken = answer_of(each);
      REQUIRE_FALSE(taken);
      CHECK(taken.error().message.find("the savepoint could not be taken") == 0);
    }
  }
  // Of those that have failed nothing is left.
  for (std::uint64_t i = 0; i < count; ++i)
    CHECK_FALSE(std::filesystem::exists(tm->targets[i].location));
}

TEST_CASE_FIXTURE(master_with_savepoints, "a job that finishes while it is to stop says so") {
  const auto job = running();
  bool drain = false;
  SUBCASE("at once") {}
  SUBCASE("drained") {
    drain = true;
  }
  auto stopped = request(wire::stop_job{job, {}, drain});
  tell_all(*tm, execution_state::finished);
  CHECK(answer_of(stopped).error().message ==
        "the job finished by itself before the savepoint was taken");
  CHECK(jobs()[0].status == job_status::finished);
}

TEST_CASE_FIXTURE(master_with_savepoints, "a job that takes no checkpoints has savepoints") {
  const auto job =
      running({{"execution.checkpointing.interval", "0 ms"}, {"state.checkpoints.dir", ""}});
  pass_with_heartbeats(1'000s);
  CHECK(tm->triggers.empty());
  const auto checkpoint = ask<wire::checkpoint_taken>(wire::take_checkpoint{job});
  REQUIRE_FALSE(checkpoint);
  CHECK(checkpoint.error().message.find("takes no checkpoints") != std::string::npos);
  auto asked = request(wire::take_savepoint{job, {}});
  acknowledge_all(*tm, 1);
  const auto taken = answer_of(asked);
  REQUIRE_MESSAGE(taken, (taken ? std::string() : taken.error().message));
  CHECK(std::filesystem::exists(taken->location + "/_metadata"));
  CHECK(tm->completions.empty());

  SUBCASE("and may stop with one") {
    auto stopped = request(wire::stop_job{job, {}, false});
    acknowledge_all(*tm, 2);
    REQUIRE(tm->completions.size() == 1);
    tell_all(*tm, execution_state::finished);
    const auto savepoint = answer_of(stopped);
    REQUIRE(savepoint);
    free_slots(*tm);
    const auto next = running({{"execution.checkpointing.interval", "0 ms"},
                               {"execution.savepoint.path", savepoint->location},
                               {"execution.savepoint-restore-mode", "CLAIM"}});
    CHECK(tm->deployments.back().restore->location == savepoint->location);
    ask<wire::ack>(wire::cancel_job{next});
    tell_all(*tm, execution_state::canceled);
    CHECK_FALSE(std::filesystem::exists(savepoint->location));
  }
}

TEST_CASE_FIXTURE(master_with_savepoints,
                  "there is no savepoint while a task runs that none can hold") {
  const auto job = start({{"execution.checkpointing.interval", "0 ms"}});
  const auto tasks = tasks_of(*tm);
  wire::task_state_changed change;
  change.task = change.report.task = tasks[0];
  change.state = execution_state::running;
  change.savepoint_refusal = "operator 'loop' can't be part of a savepoint, because it is one";
  report(*tm, change);
  for (std::size_t i = 1; i < tasks.size(); ++i) tell(*tm, tasks[i], execution_state::running);
  auto asked = request(wire::take_savepoint{job, directory.path("s")});
  const auto refused = answer_of(asked);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::invalid_argument);
  CHECK(refused.error().message.find("operator 'loop'") != std::string::npos);
  for (const bool drain : {false, true}) {
    auto stop = request(wire::stop_job{job, directory.path("s"), drain});
    CHECK(answer_of(stop).error().code == errc::invalid_argument);
  }
  CHECK(tm->triggers.empty());
  CHECK(tm->drains.empty());
  tell(*tm, tasks[0], execution_state::finished);
  static_cast<void>(request(wire::take_savepoint{job, directory.path("s")}));
  CHECK(tm->triggers.size() == 1);
}

TEST_CASE_FIXTURE(master_with_savepoints, "a job starts from a savepoint, which stays the user's") {
  const auto savepoint = savepoint_of_stopped();
  const auto job = running({{"execution.savepoint.path", savepoint}});
  REQUIRE(tm->deployments.back().restore);
  CHECK(tm->deployments.back().restore->location == savepoint);
  CHECK(tm->deployments.back().restore->checkpoint == checkpoint_id{1});
  // A restart before the first checkpoint goes back to it, too; numbers go on from there.
  tell(*tm, tasks_of(*tm)[0], execution_state::failed, error{errc::user_function, "boom"});
  for (const auto& task : tasks_of(*tm)) tell(*tm, task, execution_state::canceled);
  pass_with_heartbeats(2s);
  CHECK(tm->deployments.back().restore->location == savepoint);
  tell_all(*tm, execution_state::running);
  pass_with_heartbeats(10s);
  CHECK(tm->triggers.back().cut.checkpoint == checkpoint_id{2});
  acknowledge_all(*tm, 2);
  ask<wire::ack>(wire::cancel_job{job});
  tell_all(*tm, execution_state::canceled);
  CHECK(std::filesystem::exists(savepoint + "/_metadata"));
}

TEST_CASE_FIXTURE(master_with_savepoints, "a job that claims a savepoint removes it") {
  const auto savepoint = savepoint_of_stopped();
  const std::map<std::string, std::string> claiming{{"execution.savepoint.path", savepoint},
                                                    {"execution.savepoint-restore-mode", "CLAIM"}};
  SUBCASE("when a later checkpoint has taken its place") {
    running(claiming);
    pass_with_heartbeats(10s);
    CHECK(std::filesystem::exists(savepoint + "/_metadata"));
    acknowledge_all(*tm, 2);
    CHECK_FALSE(std::filesystem::exists(savepoint));
  }
  SUBCASE("when it is cancelled before") {
    const auto job = running(claiming);
    ask<wire::ack>(wire::cancel_job{job});
    tell_all(*tm, execution_state::canceled);
    CHECK_FALSE(std::filesystem::exists(savepoint));
  }
  SUBCASE("but not when its checkpoints are to stay") {
    auto retaining = claiming;
    retaining["execution.checkpointing.externalized-checkpoint-retention"] =
        "retain-on-cancellation";
    const auto job = running(retaining);
    ask<wire::ack>(wire::cancel_job{job});
    tell_all(*tm, execution_state::canceled);
    CHECK(std::filesystem::exists(savepoint + "/_metadata"));
  }
}

TEST_CASE_FIXTURE(master_with_savepoints, "a job that can't start from a savepoint fails by name") {
  const auto job = start({{"execution.savepoint.path", directory.path("nowhere")}});
  CHECK(jobs()[0].status == job_status::failed);
  CHECK(tm->deployments.empty());
  CHECK(describe(job).cause->message.find("there is no checkpoint or savepoint at") !=
        std::string::npos);
}

}  // namespace job_savepoints_test
