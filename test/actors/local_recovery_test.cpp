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

#include "actors/counted_events.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/millrace.hpp"
#include "support/temporary_directory.hpp"

namespace local_recovery_test {

using namespace millrace;
namespace fs = std::filesystem;

// Jobs of the whole engine, whose tasks fail and are restored from copies on a local disk.

namespace {

using event = test::numbered_event;

constexpr std::uint64_t events = 8'000;

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
  std::atomic<int> failures_left{1};
  std::string checkpoints;
  std::function<void()> at_failure;

  bool has_checkpoint() const {
    for (const auto& path : files_in(checkpoints))
      if (path.filename() == "_metadata") return true;
    return false;
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

  void run(std::map<std::string, std::string> more = {}) {
    redirect_log([this](log_level, std::string_view line) { from.note(line); });
    const auto counts = std::make_shared<test::event_counts>();
    more.insert({{"state.backend.type", backend_},
                 {"state.backend.local-recovery", "true"},
                 {"taskmanager.state.local.root-dirs", directory.path("local")}});
    const auto ended =
        test::count_events(test::recovering_configuration(directory, more), counting{world}, counts,
                           {.count = events, .per_second = 6'000})
            ->wait();
    CHECK_MESSAGE(ended.has_value(), (ended ? std::string() : ended.error().message));
    redirect_log({});
    CHECK(world->failures_left <= 0);
    CHECK(counts->total() == static_cast<std::int64_t>(events));
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
