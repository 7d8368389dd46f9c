#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <system_error>
#include <thread>

#include "actors/counted_events.hpp"
#include "millrace/checkpoint/shared_files.hpp"
#include "millrace/checkpoint/snapshot_directory.hpp"
#include "millrace/millrace.hpp"
#include "support/temporary_directory.hpp"

namespace incremental_recovery_test {

using namespace millrace;
using namespace std::chrono_literals;

// Jobs of the whole engine with state in RocksDB, whose tasks fail and go on from incremental
// checkpoints.

namespace {

using event = test::numbered_event;

constexpr std::uint64_t events = 12'000;

/// What all attempts have in common, as they run in one process.
struct shared_world {
  std::atomic<int> failures_left{0};
  std::atomic<std::int64_t> fails_behind{0};  ///< The number of an event.
  bool may_come_twice = false;                ///< Events, in the life of a state.
};

/// Counts the events of each key, and fails now and then.
struct counting {
  std::shared_ptr<shared_world> world;
  value_state<std::int64_t> count{};
  map_state<std::int64_t, std::string> seen{};

  void open(keyed_runtime_context<std::int64_t>& context) {
    count = context.get_state(value_state_descriptor<std::int64_t>("count"));
    seen = context.get_map_state(map_state_descriptor<std::int64_t, std::string>("seen"));
  }
  event operator()(const event& e) {
    if (e.number > world->fails_behind && world->failures_left > 0) {
      --world->failures_left;
      world->fails_behind = e.number + 1500;
      throw std::runtime_error("it fails now and then");
    }
    if (seen.get(e.number) != nullptr) {
      if (!world->may_come_twice) throw std::logic_error("an event is counted twice");
      return {e.key, count.get_or_default()};
    }
    seen.put(e.number, std::string(20, 'x'));
    return {e.key, ++count.get_or_default()};
  }
};

class counted_job {
 public:
  std::shared_ptr<shared_world> world = std::make_shared<shared_world>();

  std::shared_ptr<test::event_counts> counts = std::make_shared<test::event_counts>();

  std::unique_ptr<job_client> start(std::map<std::string, std::string> more = {},
                                    double per_second = 6'000) {
    more.insert({"state.backend.type", "rocksdb"});
    return test::count_events(test::recovering_configuration(directory, more), counting{world},
                              counts, {.count = events, .per_second = per_second});
  }

  /// Runs for a while, slowly, and is cancelled. Where its checkpoint is.
  std::string cancelled_life() {
    const auto client = start(
        {{"execution.checkpointing.externalized-checkpoint-retention", "retain-on-cancellation"}},
        1'000);
    for (int i = 0; (counts->total() < 1'000 || checkpoint().empty()) && i < 2'000; ++i)
      std::this_thread::sleep_for(5ms);
    client->cancel();
    CHECK_FALSE(client->wait());
    auto retained = checkpoint();
    REQUIRE_FALSE(retained.empty());
    return retained;
  }

  test::temporary_directory directory;

 private:
  /// A complete one, or nothing. They come and go.
  std::string checkpoint() const {
    std::error_code failed;
    for (std::filesystem::recursive_directory_iterator each(directory.path("checkpoints"), failed),
         end;
         !failed && each != end; each.increment(failed))
      if (each->path().filename() == "_metadata") return each->path().parent_path();
    return {};
  }
};

std::size_t files_in(const std::string& directory) {
  std::size_t count = 0;
  if (!std::filesystem::exists(directory)) return 0;
  for (const auto& each : std::filesystem::recursive_directory_iterator(directory))
    count += each.is_regular_file();
  return count;
}

}  // namespace

TEST_CASE("A job with incremental checkpoints whose tasks fail counts each event once") {
  counted_job job;
  job.world->failures_left = 5;
  job.world->fails_behind = 1'000;
  const auto ended = job.start()->wait();
  REQUIRE_MESSAGE(ended.has_value(), (ended ? std::string() : ended.error().message));
  CHECK(job.world->failures_left == 0);
  CHECK(job.counts->total() == static_cast<std::int64_t>(events));
  // Nothing is left, neither of the checkpoints nor of the databases.
  CHECK(files_in(job.directory.path("checkpoints")) == 0);
  CHECK(files_in(job.directory.path("scratch")) == 0);
}

TEST_CASE("A job that may count twice and whose tasks fail loses no event") {
  counted_job job;
  job.world->may_come_twice = true;
  job.world->failures_left = 5;
  job.world->fails_behind = 1'000;
  const auto ended = job.start({{"execution.checkpointing.mode", "at-least-once"}})->wait();
  REQUIRE_MESSAGE(ended.has_value(), (ended ? std::string() : ended.error().message));
  CHECK(job.world->failures_left == 0);
  CHECK(job.counts->total() == static_cast<std::int64_t>(events));
}

TEST_CASE(
    "A job goes on from a retained incremental checkpoint of another, whatever becomes of it") {
  for (const std::string mode : {"NO_CLAIM", "CLAIM"}) {
    CAPTURE(mode);
    counted_job job;
    const auto retained = job.cancelled_life();
    local_file_system files;
    const auto metadata = load_checkpoint(files, retained).value();
    CHECK_FALSE(shared_files_of(metadata).empty());
    REQUIRE(check_snapshot(files, retained));
    const auto shared = std::filesystem::path(retained).parent_path() / "shared";
    const auto before = files_in(shared);
    CHECK(before == shared_files_of(metadata).size());  // no orphans

    job.world->failures_left = 2;
    job.world->fails_behind = 5'000;
    const auto client = job.start(
        {{"execution.savepoint.path", retained},
         {"execution.savepoint-restore-mode", mode},
         {"execution.checkpointing.externalized-checkpoint-retention", "retain-on-cancellation"}});
    const auto ended = client->wait();
    REQUIRE_MESSAGE(ended.has_value(), (ended ? std::string() : ended.error().message));
    CHECK(job.counts->total() == static_cast<std::int64_t>(events));
    if (mode == "NO_CLAIM") {
      CHECK(check_snapshot(files, retained));
      CHECK(files_in(shared) == before);
    } else {
      CHECK_FALSE(std::filesystem::exists(retained));
      CHECK_FALSE(std::filesystem::exists(shared));
    }
  }
}

TEST_CASE("A job goes on in memory from an incremental checkpoint of state on disk") {
  counted_job job;
  const auto retained = job.cancelled_life();
  const auto ended =
      job.start({{"execution.savepoint.path", retained}, {"state.backend.type", "hashmap"}})
          ->wait();
  REQUIRE_MESSAGE(ended.has_value(), (ended ? std::string() : ended.error().message));
  CHECK(job.counts->total() == static_cast<std::int64_t>(events));
}

}  // namespace incremental_recovery_test
