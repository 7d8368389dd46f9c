#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <thread>

#include "millrace/checkpoint/snapshot_directory.hpp"
#include "millrace/connectors/file_sink.hpp"
#include "millrace/millrace.hpp"
#include "support/temporary_directory.hpp"

namespace savepoints_without_checkpoints_test {

using namespace millrace;
using namespace std::chrono_literals;

// Jobs of the whole engine that take no checkpoints, and savepoints all the same.

namespace {

constexpr std::int64_t numbers = 20'000;
constexpr std::int64_t others = 50;

using settings = std::map<std::string, std::string>;

/// Copies numbers to files, those that are generated, slowly, and some that come at once.
class copying_job {
 public:
  std::unique_ptr<job_client> start(const std::string& from, double per_second,
                                    const settings& more = {}) {
    auto all = more;
    all["execution.savepoint.path"] = from;
    stream_environment env(config(all));
    env.set_parallelism(2);
    generator_options pace{.count = numbers};
    if (per_second > 0) pace.per_second = per_second;
    std::vector<std::int64_t> negative;
    for (std::int64_t i = 1; i <= others; ++i) negative.push_back(-i);
    env.from_generator([](const std::uint64_t& n) { return static_cast<std::int64_t>(n); }, pace)
        .union_with(env.from_collection(negative))
        .key_by([](const std::int64_t& n) { return n % 5; })
        .filter([](const std::int64_t&) { return true; })
        .sink_to(file_sink<std::int64_t>::for_lines(path("rows")).with_rolling_policy(policy));
    return env.execute_async("copying");
  }

  configuration config(const settings& more = {}) const {
    configuration made;
    settings all{{"state.savepoints.dir", path("savepoints")},
                 {"metrics.update.interval", "20 ms"},
                 {"state.storage.fs.memory-threshold", "0"}};
    for (const auto& [key, value] : more) all[key] = value;
    for (const auto& [key, value] : all) REQUIRE(made.set(key, value, "test"));
    return made;
  }

  static void wait_for_rows(job_client& client, std::uint64_t count) {
    for (int i = 0; client.progress().source_rows < count && i < 4'000; ++i)
      std::this_thread::sleep_for(5ms);
    REQUIRE(client.progress().source_rows >= count);
  }

  /// What readers of the files see.
  std::multiset<std::int64_t> rows() const {
    std::multiset<std::int64_t> all;
    if (!std::filesystem::exists(path("rows"))) return all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path("rows"))) {
      if (!entry.is_regular_file() || entry.path().filename().string().starts_with('.')) continue;
      std::ifstream file(entry.path());
      for (std::int64_t row = 0; file >> row;) all.insert(row);
    }
    return all;
  }
  /// Whether each number is there once, up to the last that is.
  void check_each_once(std::size_t count) const {
    const auto all = rows();
    CHECK(all.size() == count);
    CHECK(std::set<std::int64_t>(all.begin(), all.end()).size() == all.size());
  }

  std::string path(const std::string& name) const { return directory_.path(name); }

  rolling_policy policy = rolling_policy::only_on_checkpoint();

 private:
  test::temporary_directory directory_;
};

}  // namespace

TEST_CASE("A job without checkpoints stops with a savepoint, and another goes on from there") {
  bool drain = false;
  copying_job job;
  SUBCASE("with parts that end with the savepoint") {}
  SUBCASE("with parts that go on in the next job") {
    job.policy = {.part_bytes = 3'000};
  }
  SUBCASE("drained: what was read is not read again") {
    drain = true;
  }
  const auto client = job.start("", 4'000);
  copying_job::wait_for_rows(*client, 2'000);
  const auto savepoint = client->stop_with_savepoint("", drain);
  REQUIRE_MESSAGE(savepoint.has_value(), (savepoint ? std::string() : savepoint.error().message));
  REQUIRE(client->wait());
  local_file_system files;
  CHECK(check_snapshot(files, *savepoint));
  const auto seen = job.rows().size();
  CHECK(seen > 1'000);
  CHECK(seen < numbers);
  job.check_each_once(seen);

  const auto next = job.start(*savepoint, 0);
  const auto ended = next->wait();
  REQUIRE_MESSAGE(ended.has_value(), (ended ? std::string() : ended.error().message));
  job.check_each_once(numbers + others);
}

TEST_CASE("A savepoint of a job without checkpoints changes nothing for it") {
  copying_job job;
  const auto client = job.start("", 4'000);
  copying_job::wait_for_rows(*client, 2'000);
  const auto savepoint = client->savepoint(job.path("beside"));
  REQUIRE_MESSAGE(savepoint.has_value(), (savepoint ? std::string() : savepoint.error().message));
  CHECK(savepoint->starts_with(job.path("beside") + "/savepoint-"));
  REQUIRE(client->wait());
  job.check_each_once(numbers + others);
  local_file_system files;
  CHECK(check_snapshot(files, *savepoint));
}

TEST_CASE("Who asks for a savepoint of a job that is just finishing is told how it went") {
  for (int round = 0; round < 5; ++round) {
    copying_job job;
    const auto client = job.start("", 0);
    std::size_t taken = 0;
    std::string refused;
    while (refused.empty()) {
      const auto savepoint = client->savepoint("");
      if (!savepoint) {
        const auto& why = savepoint.error().message;
        const bool is_early = why.find("not all tasks") != std::string::npos &&
                              client->status() != graph::job_status::finished;
        if (!is_early) refused = why;
        continue;
      }
      local_file_system files;
      CHECK(check_snapshot(files, *savepoint));
      ++taken;
    }
    CAPTURE(refused);
    CAPTURE(taken);
    REQUIRE(client->wait());
    job.check_each_once(numbers + others);
    const auto late = client->stop_with_savepoint("", round % 2 == 0);
    REQUIRE_FALSE(late);
    CHECK(late.error().message.find("FINISHED") != std::string::npos);
    // Nothing is left of those that could not be taken.
    std::size_t whole = 0;
    if (std::filesystem::exists(job.path("savepoints")))
      for (const auto& entry : std::filesystem::directory_iterator(job.path("savepoints")))
        whole += std::filesystem::exists(entry.path() / "_metadata") ? 1 : 1'000;
    CHECK(whole == taken);
  }
}

TEST_CASE("A job with an operator that no snapshot can hold refuses savepoints by its name") {
  const copying_job world;
  stream_environment env(world.config());
  std::string name;
  SUBCASE("a function as a source") {
    name = "ticks";
    env.add_source<std::int64_t>(
           [](collector<std::int64_t>& out) {
             out.emit(1);
             return poll_status::idle;
           },
           name)
        .discard();
  }
  SUBCASE("an iteration") {
    name = "iteration";
    auto loop = env.from_generator([](const std::uint64_t& n) { return static_cast<int>(n); },
                                   generator_options{.count = {}, .per_second = 100})
                    .iterate();
    loop.close_with(loop.filter([](const int& n) { return n < 0; }));
    loop.discard();
  }
  const auto client = env.execute_async("refusing");
  for (int i = 0; client->status() != graph::job_status::running && i < 2'000; ++i)
    std::this_thread::sleep_for(5ms);
  for (const bool drain : {false, true}) {
    auto stopped = client->stop_with_savepoint("", drain);
    for (int i = 0; i < 2'000 && stopped.error().message.find("not all") != std::string::npos;
         ++i) {
      std::this_thread::sleep_for(5ms);
      stopped = client->stop_with_savepoint("", drain);
    }
    REQUIRE_FALSE(stopped);
    CAPTURE(stopped.error().message);
    CHECK(stopped.error().message.find("can't be part of a savepoint") != std::string::npos);
    CHECK(stopped.error().message.find(name) != std::string::npos);
  }
  CHECK_FALSE(std::filesystem::exists(world.path("savepoints")));
  CHECK(client->status() == graph::job_status::running);
  client->cancel();
  CHECK_FALSE(client->wait());
}

}  // namespace savepoints_without_checkpoints_test
