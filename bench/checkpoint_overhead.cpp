// What checkpoints cost: a keyed count at parallelism 2 whose state fills up to the given size and
// is then counted on at random keys, with checkpoints each second against without any. Both are
// measured once the state is complete, and the one with checkpoints from the end of one checkpoint
// to the end of another, so that neither filling nor a part of a checkpoint counts.
//
//   bench_checkpoint_overhead [MB of state] [seconds] [rounds] [hashmap|rocksdb] [directory]
//
// MB as a full checkpoint counts them. The directory is for checkpoints and for RocksDB; by default
// below that of temporary files. A checkpoint that takes longer than a second delays the next one,
// so what there really were of them is printed, too.
//
// With hashmap the keyed sum counts. It has a table of its own whatever the backend, so with
// rocksdb it is a function with a value state of the same records.

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "compare.hpp"
#include "keyed_count_job.hpp"
#include "millrace/core/scratch_directory.hpp"

using namespace millrace;
using namespace std::chrono_literals;

namespace {

constexpr double goal = 0.9;
constexpr std::uint32_t parallelism = 2;
/// Of an entry of a full checkpoint: four lengths, the key, and key and count as the value
/// (docs/checkpoint-format.md).
constexpr std::uint64_t bytes_per_key = 4 + 8 + 16;

using settings = std::vector<std::pair<std::string, std::string>>;

/// How many records each of the source's subtasks has made, roughly. What is on its way to the
/// counting subtasks is bounded by the credit of their channels, and does not matter.
class source_progress_watch {
 public:
  /// Subtask s makes the records n with n % parallelism == s, in ascending order.
  void on_record(std::uint64_t n) noexcept {
    const auto made = n / parallelism + 1;
    if (made % records_per_note == 0) made_[n % parallelism].store(made, std::memory_order_relaxed);
  }

  std::uint64_t total() const noexcept {
    std::uint64_t sum = 0;
    for (const auto& made : made_) sum += made.load(std::memory_order_relaxed);
    return sum;
  }
  /// Of the subtask that is least far, as if all were that far.
  std::uint64_t complete() const noexcept {
    return parallelism * std::min(made_[0].load(std::memory_order_relaxed),
                                  made_[1].load(std::memory_order_relaxed));
  }

 private:
  static constexpr std::uint64_t records_per_note = 4096;
  std::array<std::atomic<std::uint64_t>, parallelism> made_{};
};

/// Which checkpoints of a job are complete, by its directory.
class checkpoint_watch {
 public:
  explicit checkpoint_watch(std::filesystem::path of_job) : of_job_(std::move(of_job)) {}

  /// The number of the latest one; 0 if there is none yet.
  std::uint64_t latest() {
    constexpr std::string_view prefix = "chk-";
    std::error_code gone;  // older ones are removed while this looks
    for (std::filesystem::directory_iterator at(of_job_, gone), end; !gone && at != end;
         at.increment(gone)) {
      const auto name = at->path().filename().string();
      std::uint64_t number = 0;
      if (name.starts_with(prefix))
        std::from_chars(name.data() + prefix.size(), name.data() + name.size(), number);
      std::error_code unknown;
      if (number > latest_ && std::filesystem::exists(at->path() / "_metadata", unknown))
        latest_ = number;
    }
    return latest_;
  }

 private:
  std::filesystem::path of_job_;
  std::uint64_t latest_ = 0;
};

/// The keyed sum of key_count::count, with its state in the backend.
struct count_in_state {
  value_state<bench::key_count> kept;

  void open(keyed_runtime_context<std::uint64_t>& context) {
    kept = context.get_state(value_state_descriptor<bench::key_count>("count"));
  }
  bench::key_count operator()(const bench::key_count& record) {
    auto& value = kept.get_or_default();
    value.key = record.key;
    value.count += record.count;
    return value;
  }
};

struct measured_job {
  double seconds = 0;
  std::uint64_t records = 0;
  std::uint64_t checkpoints = 0;  ///< Completed meanwhile.

  double seconds_per_record() const { return seconds / static_cast<double>(records); }
};

/// One backend, one size of state.
class benchmark {
 public:
  benchmark(std::uint64_t state_mb, double seconds, std::string backend, std::string directory)
      : keys_((state_mb << 20) / bytes_per_key),
        seconds_(seconds),
        backend_(std::move(backend)),
        directory_(std::move(directory)) {
    configuration config;
    for (const auto& [key, value] :
         settings{{"state.backend.type", backend_}, {"io.tmp.dirs", directory_ + "/tmp"}})
      if (auto set = config.set(key, value, "the benchmark"); !set) throw failure(set.error());
    auto made = make_embedded_runner(config, parallelism);
    if (!made) throw failure(made.error());
    runner_ = std::move(*made);
  }

  std::uint64_t keys() const noexcept { return keys_; }

  measured_job without_checkpoints() {
    const running r(*this, {});
    return r.measure(seconds_, nullptr);
  }

  measured_job with_checkpoints() {
    const running r(*this, {{"execution.checkpointing.interval", "1 s"},
                            {"state.checkpoints.dir", directory_ + "/checkpoints"}});
    checkpoint_watch checkpoints(directory_ + "/checkpoints/" + to_string(r.id()));
    r.await([&, before = checkpoints.latest()] { return checkpoints.latest() > before; });
    return r.measure(seconds_, &checkpoints);
  }

 private:
  /// A job whose state is complete. Cancelled at the end.
  class running {
   public:
    running(const benchmark& of, const settings& of_job) {
      stream_environment env({}, of.runner_);
      for (const auto& [key, value] : of_job) env.set(key, value);
      env.set_parallelism(parallelism);
      const auto records =
          bench::records_by_key(env, {}, [watch = watch_, keys = of.keys_](std::uint64_t n) {
            watch->on_record(n);
            return bench::filling_key(n, keys);
          });
      if (of.backend_ == "hashmap")
        records.sum(&bench::key_count::count).discard();
      else
        records.map(count_in_state()).discard();
      client_ = env.execute_async("keyed count");
      await([&] { return watch_->complete() >= of.keys_; });
    }
    ~running() {
      client_->cancel();
      (void)client_->wait();
    }
    running(const running&) = delete;
    running& operator=(const running&) = delete;

    job_id id() const { return client_->id(); }

    /// Until it is so. Throws if the job ends before, or it takes very long.
    template <class Condition>
    void await(Condition&& is_so) const {
      const auto deadline = std::chrono::steady_clock::now() + 30min;
      while (!is_so()) {
        if (std::chrono::steady_clock::now() > deadline)
          throw failure(errc::timeout, "no end after half an hour: try less state or less time");
        const auto ended = client_->wait_for(10ms);
        if (!ended) continue;
        if (!*ended) throw failure(ended->error());
        throw failure(errc::internal, "the job has ended, though its source never does");
      }
    }

    /// For at least so long, and with `checkpoints` until the end of one.
    measured_job measure(double seconds, checkpoint_watch* checkpoints) const {
      using clock = std::chrono::steady_clock;
      const auto latest = [&] { return checkpoints != nullptr ? checkpoints->latest() : 0; };
      const auto first = latest();
      const auto made = watch_->total();
      const auto begin = clock::now();
      const auto elapsed = [&] {
        return std::chrono::duration<double>(clock::now() - begin).count();
      };
      auto last = first;
      await([&] {
        const auto before = std::exchange(last, latest());
        return (last != before || checkpoints == nullptr) && elapsed() >= seconds;
      });
      return {elapsed(), watch_->total() - made, last - first};
    }

   private:
    std::shared_ptr<source_progress_watch> watch_ = std::make_shared<source_progress_watch>();
    std::unique_ptr<job_client> client_;
  };

  std::uint64_t keys_;
  double seconds_;
  std::string backend_;
  std::string directory_;
  std::shared_ptr<job_runner> runner_;
};

int run(int argc, char** argv) {
  const std::uint64_t state_mb = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1024;
  const double seconds = argc > 2 ? std::atof(argv[2]) : 60;
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 3;
  const std::string backend = argc > 4 ? argv[4] : "hashmap";
  if (state_mb == 0 || seconds <= 0 || rounds <= 0 ||
      (backend != "hashmap" && backend != "rocksdb"))
    throw failure(errc::invalid_argument,
                  "usage: bench_checkpoint_overhead [MB of state] [seconds] [rounds] "
                  "[hashmap|rocksdb] [directory]");
  const auto directory = scratch_directory::make(
      argc > 5 ? std::string(argv[5]) : std::filesystem::temp_directory_path().string(),
      "millrace-bench-", "overhead");
  if (!directory) throw failure(directory.error());
  benchmark of(state_mb, seconds, backend, (*directory)->path());
  bench::print_machine();
  std::printf("%.1f M keys, %s backend; 'loop' is the job without checkpoints\n",
              static_cast<double>(of.keys()) / 1e6, backend.c_str());
  measured_job all;  // with checkpoints, over all rounds
  const auto c = bench::compare_measured(
      rounds, [&] { return of.without_checkpoints().seconds_per_record(); },
      [&] {
        const auto with = of.with_checkpoints();
        all.seconds += with.seconds;
        all.checkpoints += with.checkpoints;
        return with.seconds_per_record();
      });
  const bool good =
      bench::print("keyed count with checkpoints each second", c, 1e-6, "M records", goal);
  // What checkpoints take from the tasks, which have nothing to wait for.
  const double each = all.seconds / static_cast<double>(all.checkpoints);
  std::printf("a checkpoint every %.2f s, at the cost of %.2f s of the tasks' time\n", each,
              (1 - c.ratio) * parallelism * each);
  return bench::exit_code(good);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const failure& why) {
    std::fprintf(stderr, "bench_checkpoint_overhead: %s\n", why.what());
    return 1;
  }
}
