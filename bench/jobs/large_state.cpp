// Keyed state of --keys keys, for bench/recovery.py. A source makes each key once, as fast as it
// can; then it goes on at random keys, --per-second of them. Each subtask that keeps the state
// writes into the directory --progress when it has processed how much.

#include <array>
#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "../spread_key.hpp"
#include "millrace/millrace.hpp"

namespace {

using namespace millrace;

struct visit {
  std::uint64_t visitor = 0;
  std::uint64_t page = 0;
};

/// With its key 108 bytes of a full checkpoint: 8 and 96, and four lengths
/// (docs/checkpoint-format.md). ENTRY_BYTES of bench/recovery.py.
struct profile {
  std::uint64_t visits = 0;
  std::array<std::uint64_t, 11> latest_pages{};
};

/// When records were processed, for whoever watches: the file "<subtask>-<attempt>" has a line for
/// the first record, and then at most one in 10 ms: "<milliseconds since the epoch> <records so
/// far>". Lines outlive the process.
class progress_log {
 public:
  explicit progress_log(std::string directory) : directory_(std::move(directory)) {}

  void open(const runtime_context& self) {
    const auto path = directory_ + "/" + std::to_string(self.subtask_index()) + "-" +
                      std::to_string(self.attempt());
    file_ = {std::fopen(path.c_str(), "w"), close_file};
    if (!file_) throw failure(errc::io, "can't write '" + path + "': is --progress a directory?");
  }

  void on_record() {
    // The clock would cost as much as the record does.
    if (records_++ % records_per_look != 0) return;
    const auto now = std::chrono::system_clock::now();
    if (now < due_) return;
    due_ = now + std::chrono::milliseconds(10);
    const auto since_epoch =
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch());
    std::fprintf(file_.get(), "%" PRId64 " %" PRIu64 "\n",
                 static_cast<std::int64_t>(since_epoch.count()), records_);
    std::fflush(file_.get());
  }

 private:
  static constexpr std::uint64_t records_per_look = 16;
  static void close_file(std::FILE* file) {
    if (file != nullptr) std::fclose(file);
  }

  std::string directory_;
  std::shared_ptr<std::FILE> file_;
  std::uint64_t records_ = 0;
  std::chrono::system_clock::time_point due_{};
};

class keep_profiles {
 public:
  explicit keep_profiles(std::string progress) : progress_(std::move(progress)) {}

  void open(keyed_runtime_context<std::uint64_t>& context) {
    profile_ = context.get_state(value_state_descriptor<profile>("profile"));
    new_keys_ = &context.runtime().metric("new_keys");
    progress_.open(context.runtime());
  }

  std::uint64_t operator()(const visit& v) {
    auto& kept = profile_.get_or_default();
    if (kept.visits == 0) new_keys_->add();
    kept.latest_pages[kept.visits++ % kept.latest_pages.size()] = v.page;
    progress_.on_record();
    return kept.visits;
  }

 private:
  progress_log progress_;
  value_state<profile> profile_;
  counter* new_keys_ = nullptr;
};

}  // namespace

void build(stream_environment& env, const arguments& args) {
  args.check_known({"keys", "per-second", "progress"});
  const auto keys = args.get<std::uint64_t>("keys");
  env.set_job_name("large state");
  hybrid_source<visit> visits(make_generator<visit>(
      [](std::uint64_t n) {
        return visit{n, n};
      },
      {.count = keys}));
  visits.then(make_generator<visit>(
      [keys](std::uint64_t n) {
        return visit{bench::spread_key(n, keys), n};
      },
      {.per_second = args.get_or("per-second", 50'000.0)}));
  env.from_source(std::move(visits), "visits")
      .key_by(&visit::visitor)
      .map(keep_profiles(args.get<std::string>("progress")))
      .name("profiles")
      .discard();
}
