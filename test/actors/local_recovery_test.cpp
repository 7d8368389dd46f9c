#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "millrace/core/logging.hpp"
#include "millrace/millrace.hpp"
#include "support/temporary_directory.hpp"

namespace local_recovery_test {

using namespace millrace;
namespace fs = std::filesystem;

// Jobs of the whole engine, whose tasks fail and are restored from copies on a local disk.

namespace {

constexpr std::uint64_t events = 8'000;
constexpr std::int64_t keys = 400;

struct event {
  std::int64_t key = 0;
  std::int64_t number = 0;
};

/// The files below a directory, of which some go while one looks.
std::vector<fs::path> files_in(const std::string& directory) {
  std::vector<fs::path> all;
  std::error_code failed;
  for (fs::recursive_directory_iterator each(directory, failed), end; !failed && each != end;
       each.increment(failed))
    if (each->is_regular_file(failed)) all.push_back(each->path());
  return all;
}

/// What all attempts have in common, as they run in one process.
struct shared_world {
  std::mutex mutex;
  std::map<std::int64_t, std::int64_t> counts;  ///< The highest of each key.
  std::atomic<int> failures_left{1};
  std::string checkpoints;
  std::function<void()> at_failure;

  bool has_checkpoint() const {
    for (const auto& path : files_in(checkpoints))
      if (path.filename() == "_metadata") return true;
    return false;
  }
  std::int64_t total() {
    std::lock_guard lock(mutex);
    std::int64_t all = 0;
    for (const auto& [key, count] : counts) all += count;
    return all;
  }
};

/// Counts the events of each key, and fails once, behind a checkpoint.
struct counting {
  std::shared_ptr<shared_world> world;
  value_state<std::int64_t> count{};

  void open(keyed_runtime_context<std::int64_t>& context) {
    count = context.get_state(value_state_descriptor<std::int64_t>("count"));
  }
  event operator()(const event& e) {
    if (e.number > 1'000 && world->failures_left > 0 && world->has_checkpoint() &&
        world->failures_left-- > 0) {
      world->at_failure();
      throw std::runtime_error("it fails");
    }
    return {e.key, ++count.get_or_default()};
  }
};

/// How much the tasks of a job were restored from, as the log says.
struct restored {
  std::mutex mutex;
  int tasks = 0;
  std::uint64_t local = 0;
  std::uint64_t remote = 0;
  int warnings = 0;  ///< Of copies that can't be used.

  void note(std::string_view line) {
    const auto number = [&](const std::string& name) -> std::uint64_t {
      const auto at = line.find(name + "=");
      return at == std::string_view::npos
                 ? 0
                 : std::stoull(std::string(line.substr(at + name.size() + 1)));
    };
    std::lock_guard lock(mutex);
    if (line.find("a local copy of state can't be used") != std::string_view::npos) ++warnings;
    if (line.find("state read") == std::string_view::npos) return;
    ++tasks;
    local += number("local bytes");
    remote += number("remote bytes");
  }
};

class recovering_job {
 public:
  std::shared_ptr<shared_world> world = std::make_shared<shared_world>();
  test::temporary_directory directory;
  restored from;

  explicit recovering_job(std::string backend) : backend_(std::move(backend)) {
    world->checkpoints = directory.path("checkpoints");
  }

  void run(const std::map<std::string, std::string>& more = {}) {
    redirect_log([this](log_level, std::string_view line) { from.note(line); });
    configuration config;
    std::map<std::string, std::string> settings{
        {"execution.checkpointing.interval", "30 ms"},
        {"state.checkpoints.dir", world->checkpoints},
        {"state.backend.type", backend_},
        {"state.backend.rocksdb.memory.fixed-per-tm", "16 mb"},
        {"state.storage.fs.memory-threshold", "0"},
        {"state.backend.local-recovery", "true"},
        {"taskmanager.state.local.root-dirs", directory.path("local")},
        {"io.tmp.dirs", directory.path("scratch")},
        {"restart-strategy.type", "fixed-delay"},
        {"restart-strategy.fixed-delay.attempts", "10"},
        {"restart-strategy.fixed-delay.delay", "1 ms"}};
    for (const auto& [key, value] : more) settings[key] = value;
    for (const auto& [key, value] : settings) REQUIRE(config.set(key, value, "test"));
    {
      stream_environment env(config);
      env.set_parallelism(2);
      env.from_source(make_generator<event>(
                          [](const std::uint64_t& n) {
                            const auto i = static_cast<std::int64_t>(n);
                            return event{i * 7919 % keys, i};
                          },
                          {.count = events, .per_second = 6'000}),
                      watermark_strategy<event>::no_watermarks(), "events")
          .key_by(&event::key)
          .map(counting{world})
          .uid("counting")
          .add_sink([world = world](const event& e) {
            std::lock_guard lock(world->mutex);
            auto& highest = world->counts[e.key];
            highest = std::max(highest, e.number);
          });
      const auto ended = env.execute_async("recovering")->wait();
      CHECK_MESSAGE(ended.has_value(), (ended ? std::string() : ended.error().message));
    }
    redirect_log({});
    CHECK(world->failures_left <= 0);
    CHECK(world->total() == static_cast<std::int64_t>(events));
    // Nothing is left, neither of the checkpoints nor of the copies.
    CHECK(files_in(directory.path()).empty());
    std::error_code ignored;
    if (fs::exists(directory.path("local"), ignored))
      CHECK(fs::is_empty(directory.path("local"), ignored));
  }

  /// Of tasks, not the metadata.
  std::vector<fs::path> state_files(const std::string& below) const {
    auto all = files_in(directory.path(below));
    std::erase_if(all, [](const fs::path& path) {
      const auto name = path.filename().string();
      return !name.starts_with("v") || name.find("-s") == std::string::npos;
    });
    return all;
  }

 private:
  std::string backend_;
};

}  // namespace

TEST_CASE("Tasks that restart are restored from local copies, even with the originals gone") {
  for (const std::string backend : {"hashmap", "rocksdb"}) {
    CAPTURE(backend);
    recovering_job job(backend);
    job.world->at_failure = [&job] {
      std::error_code ignored;
      for (const auto& path : job.state_files("checkpoints")) fs::remove(path, ignored);
    };
    // With the originals of its base gone, no later checkpoint could be relied on.
    job.run({{"execution.checkpointing.incremental", "false"}});
    CHECK(job.from.tasks > 0);
    CHECK(job.from.local > 0);
    CHECK(job.from.remote == 0);
  }
  // Shared files of incremental checkpoints, too.
  recovering_job job("rocksdb");
  job.world->at_failure = [&job] {
    std::error_code ignored;
    for (const auto& path : job.state_files("checkpoints"))
      if (path.string().find("/shared/") != std::string::npos) fs::remove(path, ignored);
  };
  job.run();
  CHECK(job.from.local > 0);
  CHECK(job.from.remote == 0);
}

TEST_CASE("Tasks whose local copies are damaged are restored from the originals") {
  for (const std::string backend : {"hashmap", "rocksdb"}) {
    CAPTURE(backend);
    recovering_job job(backend);
    job.world->at_failure = [&job] {
      std::error_code ignored;
      for (const auto& path : job.state_files("local")) {
        const auto size = fs::file_size(path, ignored);
        // Not in place: the copy may be another name of the original.
        fs::remove(path, ignored);
        std::ofstream(path) << std::string(ignored ? 0 : size, 'x');
      }
    };
    job.run();
    CHECK(job.from.tasks > 0);
    CHECK(job.from.remote > 0);
    CHECK(job.from.warnings > 0);
  }
}

TEST_CASE("Without local recovery, or with a disk that can't be had, tasks read the originals") {
  for (const std::string setting : {"off", "no directory"}) {
    CAPTURE(setting);
    recovering_job job("hashmap");
    job.world->at_failure = [] {};
    std::map<std::string, std::string> more;
    if (setting == "no directory") {
      more["taskmanager.state.local.root-dirs"] = "/proc/no/such";
    } else {
      more["state.backend.local-recovery"] = "false";
    }
    job.run(more);
    CHECK(job.from.tasks > 0);
    CHECK(job.from.local == 0);
    CHECK(job.from.remote > 0);
  }
}

}  // namespace local_recovery_test
