#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <mutex>
#include <numeric>
#include <set>
#include <system_error>
#include <thread>

#include "millrace/checkpoint/shared_files.hpp"
#include "millrace/checkpoint/snapshot_directory.hpp"
#include "millrace/millrace.hpp"
#include "support/temporary_directory.hpp"

namespace rescaling_test {

using namespace millrace;
using namespace std::chrono_literals;

// Jobs of the whole engine that are stopped with a savepoint and go on at another parallelism: what
// all their lives emit together is what one life does.

namespace {

constexpr std::uint64_t readings = 24'000;
constexpr std::int64_t keys = 53;
constexpr std::int64_t bucket_ms = 1'000;

struct reading {
  std::int64_t key = 0;
  std::int64_t value = 0;
  timestamp_ms at = 0;
};
struct rule {
  std::string name;
  std::int64_t factor = 0;
};
struct total {
  std::int64_t key = 0;
  std::int64_t sum = 0;
};

/// What the sinks of all lives have got. The function that sinks run is copied, so this is shared.
struct received {
  std::mutex mutex;
  std::multiset<std::string> rows;

  void add(std::string row) {
    std::lock_guard lock(mutex);
    rows.insert(std::move(row));
  }
  std::size_t size() {
    std::lock_guard lock(mutex);
    return rows.size();
  }
};

const map_state_descriptor<std::string, std::int64_t> rules("rules");

/// Sums up values by key and bucket, and emits the sums times all factors when event time has come
/// to the bucket's end: map state, timers, broadcast state.
class bucket_sums final
    : public keyed_broadcast_process_function<std::int64_t, reading, rule, std::string> {
 public:
  void open(keyed_runtime_context<std::int64_t>& context) override {
    sums_ = context.get_map_state(map_state_descriptor<std::int64_t, std::int64_t>("sums"));
  }
  void process_element(const reading& r, keyed_broadcast_read_only_context<std::int64_t>& now,
                       collector<std::string>&) override {
    const auto bucket = r.at / bucket_ms;
    const auto* before = sums_.get(bucket);
    sums_.put(bucket, (before != nullptr ? *before : 0) + r.value);
    now.timer_service().register_event_time_timer((bucket + 1) * bucket_ms - 1);
  }
  void process_broadcast_element(const rule& r, keyed_broadcast_context<std::int64_t>& now,
                                 collector<std::string>&) override {
    now.get_broadcast_state(rules).put(r.name, r.factor);
  }
  void on_timer(timestamp_ms at, broadcast_timer_context<std::int64_t>& now,
                collector<std::string>& out) override {
    std::int64_t factor = 0;
    for (const auto& [name, each] : now.get_broadcast_state(rules).entries()) factor += each;
    const auto* sum = sums_.get(at / bucket_ms);
    out.emit("bucket " + std::to_string(now.current_key()) + " at " + std::to_string(at) + ": " +
             (sum != nullptr ? std::to_string(*sum * factor) : "lost"));
    sums_.remove(at / bucket_ms);
  }

 private:
  map_state<std::int64_t, std::int64_t> sums_;
};

/// What the subtasks of all lives have put into their operator state, and what those of the present
/// life have found there. The function that they run is copied, so this is shared.
class tallies {
 public:
  struct found {
    std::vector<std::int64_t> samples;  ///< Of a list that is dealt out anew,
    std::vector<std::int64_t> counts;   ///< and of one that each subtask gets whole.
  };

  void begin_life() {
    std::lock_guard lock(mutex_);
    samples_before_ = samples_;
    count_before_ = count_;
    subtasks_before_ = found_.size();
    found_.clear();
  }
  void open(found subtask) {
    std::lock_guard lock(mutex_);
    found_.push_back(std::move(subtask));
  }
  void count(const reading& r, bool is_sample) {
    std::lock_guard lock(mutex_);
    ++count_;
    if (is_sample) samples_.insert(r.at);
  }

  std::int64_t count() {
    std::lock_guard lock(mutex_);
    return count_;
  }
  /// Of a life that has ended, at another parallelism than the one before.
  void check_found(std::size_t subtasks) {
    std::lock_guard lock(mutex_);
    CHECK(found_.size() == subtasks);
    std::multiset<std::int64_t> dealt;
    for (const auto& each : found_) {
      dealt.insert(each.samples.begin(), each.samples.end());
      CHECK(each.samples.size() - samples_before_.size() / subtasks <= 1);  // evenly
      CHECK(each.counts.size() == subtasks_before_);
      CHECK(std::accumulate(each.counts.begin(), each.counts.end(), std::int64_t{0}) ==
            count_before_);
    }
    CHECK(dealt == samples_before_);
  }

 private:
  std::mutex mutex_;
  std::multiset<std::int64_t> samples_, samples_before_;
  std::int64_t count_ = 0, count_before_ = 0;
  std::size_t subtasks_before_ = 0;
  std::vector<found> found_;
};

/// Keeps every tenth reading or so, and how many there were: both kinds of lists in operator state.
struct tallied {
  std::shared_ptr<tallies> all;
  operator_list_state<std::int64_t> samples{};
  operator_list_state<std::int64_t> counts{};

  void open(operator_context& context) {
    auto& state = context.operator_state();
    samples = state.get_list_state(list_state_descriptor<std::int64_t>("samples"));
    counts = state.get_union_list_state(list_state_descriptor<std::int64_t>("counts"));
    all->open({samples.get(), counts.get()});
    // One of them answers for what all have counted before.
    const auto before = std::accumulate(counts.get().begin(), counts.get().end(), std::int64_t{0});
    counts.update({context.runtime().subtask_index() == 0 ? before : 0});
  }
  reading operator()(const reading& r) {
    const bool is_sample = r.at % 10 == 0;
    all->count(r, is_sample);
    if (is_sample) samples.add(r.at);
    counts.update({counts.get().front() + 1});
    return r;
  }
};

/// What a life of the job is to do differently.
struct life {
  std::uint32_t parallelism = 1;
  std::string from{};  ///< A snapshot.
  std::string backend = "hashmap";
  double per_second = 0;  ///< 0 for as fast as can be.
  std::map<std::string, std::string> settings{};
};

class rescaled_job {
 public:
  std::shared_ptr<received> sink = std::make_shared<received>();
  std::shared_ptr<tallies> kept = std::make_shared<tallies>();

  std::unique_ptr<job_client> start(const life& its) {
    kept->begin_life();
    configuration config;
    std::map<std::string, std::string> settings{
        {"execution.checkpointing.interval", "1 h"},
        {"state.checkpoints.dir", directory_.path("checkpoints")},
        {"state.savepoints.dir", directory_.path("savepoints")},
        {"state.backend.type", its.backend},
        {"state.storage.fs.memory-threshold", "0"},
        {"pipeline.auto-watermark-interval", "5 ms"},
        {"execution.savepoint.path", its.from}};
    for (const auto& [key, value] : its.settings) settings[key] = value;
    for (const auto& [key, value] : settings) REQUIRE(config.set(key, value, "test"));
    stream_environment env(config);
    env.set_parallelism(its.parallelism);
    generator_options pace{.count = readings};
    if (its.per_second > 0) pace.per_second = its.per_second;
    const auto all =
        env.from_source(make_generator<reading>(
                            [](const std::uint64_t& n) {
                              const auto i = static_cast<std::int64_t>(n);
                              return reading{i * 7919 % keys, i % 101, i + i * 31 % 40};
                            },
                            pace),
                        watermark_strategy<reading>::for_bounded_out_of_orderness(50ms)
                            .with_timestamp_assigner([](const reading& r) { return r.at; }),
                        "readings")
            .map(tallied{kept})
            .key_by(&reading::key);
    const auto factors = env.from_elements<rule>({{"one", 1}, {"two", 2}, {"four", 4}});
    const auto add = [sink = sink](const std::string& row) { sink->add(row); };
    all.connect(factors.broadcast(rules)).process(bucket_sums{}).add_sink(add);
    all.window(tumbling_event_time_windows::of(700ms))
        .sum(&reading::value)
        .map([](const reading& r) {
          return "window of " + std::to_string(r.key) + ": " + std::to_string(r.value);
        })
        .add_sink(add);
    return env.execute_async("rescaled");
  }

  /// Until it has emitted something more, and runs.
  void wait_for_rows(std::size_t more) {
    const auto before = sink->size();
    for (int i = 0; sink->size() < before + more && i < 2'000; ++i)
      std::this_thread::sleep_for(5ms);
    REQUIRE(sink->size() >= before + more);
  }

  /// As soon as all tasks run.
  static result<std::string> stop(job_client& client, const std::string& where = "") {
    auto savepoint = client.stop_with_savepoint(where, false);
    const auto is_early = [&] {
      return !savepoint &&
             savepoint.error().message.find("not all of its tasks") != std::string::npos;
    };
    for (int i = 0; is_early() && i < 1'000; ++i) {
      std::this_thread::sleep_for(5ms);
      savepoint = client.stop_with_savepoint(where, false);
    }
    return savepoint;
  }

  /// The latest checkpoint of a life that has emitted something and was cancelled.
  std::string retained_checkpoint(life its) {
    its.per_second = 3'000;
    its.settings.insert(retaining.begin(), retaining.end());
    const auto client = start(its);
    wait_for_rows(100);
    const auto before = latest_checkpoint().first;
    for (int i = 0; latest_checkpoint().first < before + 2 && i < 2'000; ++i)
      std::this_thread::sleep_for(5ms);
    client->cancel();
    CHECK_FALSE(client->wait());
    const auto [number, where] = latest_checkpoint();
    REQUIRE(number >= before + 2);
    return where;
  }

  std::string path(const std::string& name) const { return directory_.path(name); }

  /// Of jobs whose checkpoints outlive them.
  static inline const std::map<std::string, std::string> retaining{
      {"execution.checkpointing.interval", "30 ms"},
      {"execution.checkpointing.externalized-checkpoint-retention", "retain-on-cancellation"}};

 private:
  std::pair<std::uint64_t, std::string> latest_checkpoint() const {
    std::pair<std::uint64_t, std::string> latest;
    std::error_code gone;  // an old checkpoint, while it is looked at
    std::filesystem::recursive_directory_iterator at(path("checkpoints"), gone), end;
    for (; at != end; at.increment(gone)) {
      if (at->path().filename() != "_metadata") continue;
      const auto folder = at->path().parent_path();
      latest =
          std::max(latest, {std::stoull(folder.filename().string().substr(4)), folder.string()});
    }
    return latest;
  }

  test::temporary_directory directory_;
};

std::multiset<std::string> undisturbed() {
  static const auto rows = [] {
    rescaled_job job;
    REQUIRE(job.start({.parallelism = 2})->wait());
    return job.sink->rows;
  }();
  return rows;
}

}  // namespace

TEST_CASE("A job that is stopped and rescaled through savepoints emits what it would have") {
  const auto expected = undisturbed();
  CHECK(expected.size() > 1'000);
  rescaled_job job;
  std::string from;
  int lives = 0;
  for (const std::uint32_t parallelism : {7, 4, 3, 2, 1, 2, 3, 4}) {
    CAPTURE(parallelism);
    const auto client = job.start({.parallelism = parallelism,
                                   .from = from,
                                   .backend = lives++ % 2 == 0 ? "hashmap" : "rocksdb",
                                   .per_second = 3'000});
    job.wait_for_rows(20);
    const auto savepoint = rescaled_job::stop(*client);
    REQUIRE_MESSAGE(savepoint.has_value(), savepoint.error().message);
    REQUIRE(client->wait());
    job.kept->check_found(parallelism);
    CHECK(savepoint->starts_with(job.path("savepoints") + "/savepoint-"));
    from = *savepoint;
  }
  CHECK(job.sink->size() < expected.size());
  REQUIRE(job.start({.parallelism = 7, .from = from})->wait());
  job.kept->check_found(7);
  CHECK(job.kept->count() == readings);
  CHECK(job.sink->rows == expected);
  // Savepoints are the user's: all are still there.
  for (const auto& entry : std::filesystem::directory_iterator(job.path("savepoints")))
    CHECK(std::filesystem::exists(entry.path() / "_metadata"));
}

TEST_CASE("A job goes on from a retained checkpoint, and may own it") {
  const auto expected = undisturbed();
  for (const std::string mode : {"NO_CLAIM", "CLAIM"}) {
    CAPTURE(mode);
    rescaled_job job;
    const auto retained = job.retained_checkpoint({.parallelism = 3});
    local_file_system files;
    const auto before = load_checkpoint(files, retained)->checkpoint;

    // The rows since the checkpoint come again.
    auto settings = rescaled_job::retaining;
    settings["execution.savepoint-restore-mode"] = mode;
    const auto client =
        job.start({.parallelism = 2, .from = retained, .per_second = 3'000, .settings = settings});
    job.wait_for_rows(100);
    const auto savepoint = rescaled_job::stop(*client, job.path("mine"));
    REQUIRE(savepoint);
    CHECK(load_checkpoint(files, *savepoint)->checkpoint > before);
    CHECK(std::filesystem::exists(retained + "/_metadata") == (mode == "NO_CLAIM"));
    REQUIRE(job.start({.parallelism = 4, .from = *savepoint})->wait());
    std::set<std::string> came(job.sink->rows.begin(), job.sink->rows.end());
    CHECK(came == std::set<std::string>(expected.begin(), expected.end()));
  }
}

namespace {

void check_rescaled_from_checkpoints(const std::string& backend) {
  const auto expected = undisturbed();
  const std::vector<std::pair<std::uint32_t, std::uint32_t>> rescaled{{1, 2}, {2, 1}, {3, 4},
                                                                      {4, 3}, {4, 7}, {7, 4}};
  for (const auto& [before, after] : rescaled) {
    CAPTURE(before);
    CAPTURE(after);
    rescaled_job job;
    const auto retained = job.retained_checkpoint({.parallelism = before, .backend = backend});
    local_file_system files;
    // What checkpoints share is the files of databases, as they are.
    CHECK(shared_files_of(load_checkpoint(files, retained).value()).empty() ==
          (backend != "rocksdb"));
    const auto rows = job.sink->size();
    REQUIRE(job.start({.parallelism = after, .from = retained, .backend = backend})->wait());
    CHECK(job.sink->size() - rows < expected.size());  // it did not begin anew
    const std::set<std::string> came(job.sink->rows.begin(), job.sink->rows.end());
    CHECK(came == std::set<std::string>(expected.begin(), expected.end()));
  }
}

}  // namespace

TEST_CASE("A job with state in memory is rescaled from retained checkpoints") {
  check_rescaled_from_checkpoints("hashmap");
}

TEST_CASE("A job with state in RocksDB is rescaled from retained incremental checkpoints") {
  check_rescaled_from_checkpoints("rocksdb");
}

TEST_CASE("A drained job fires its windows and timers before its savepoint") {
  rescaled_job job;
  const auto client = job.start({.parallelism = 2, .per_second = 20'000});
  job.wait_for_rows(20);
  const auto savepoint = client->stop_with_savepoint("", true);
  REQUIRE_MESSAGE(savepoint.has_value(), savepoint.error().message);
  REQUIRE(client->wait());
  std::set<std::string> fired;
  for (const auto& row : job.sink->rows)
    if (row.starts_with("bucket")) fired.insert(row.substr(0, row.find(" at")));
  CHECK(fired.size() == keys);
  const auto rows = job.sink->size();
  CHECK(rows < undisturbed().size() + 2 * keys);
  // From there it reads on; what has fired does not fire again.
  REQUIRE(job.start({.parallelism = 3, .from = *savepoint})->wait());
  std::set<std::string> buckets, expected;
  for (const auto& row : job.sink->rows)
    if (row.starts_with("bucket")) buckets.insert(row.substr(0, row.find(':')));
  for (const auto& row : undisturbed())
    if (row.starts_with("bucket")) expected.insert(row.substr(0, row.find(':')));
  CHECK(buckets == expected);
}

TEST_CASE("A savepoint beside a running job changes nothing for it") {
  const auto expected = undisturbed();
  rescaled_job job;
  const auto client = job.start({.parallelism = 2, .per_second = 30'000});
  job.wait_for_rows(20);
  const auto savepoint = client->savepoint(job.path("beside"));
  REQUIRE(savepoint);
  REQUIRE(client->wait());
  CHECK(job.sink->rows == expected);
  rescaled_job branch;
  REQUIRE(branch.start({.parallelism = 3, .from = *savepoint})->wait());
  CHECK(branch.sink->size() > 0);
  CHECK(branch.sink->size() < expected.size());
}

TEST_CASE("A job that can't start from a savepoint says why") {
  rescaled_job job;
  auto client = job.start({.parallelism = 2, .per_second = 3'000});
  job.wait_for_rows(20);
  const auto savepoint = rescaled_job::stop(*client);
  REQUIRE(savepoint);
  REQUIRE(client->wait());
  const auto why = [&](const std::map<std::string, std::string>& settings) {
    auto ended = job.start({.parallelism = 2, .from = *savepoint, .settings = settings})->wait();
    return ended ? std::string("it ran") : ended.error().message;
  };
  CHECK(why({{"pipeline.max-parallelism", "64"}}).find("128 key groups, but the job has 64") !=
        std::string::npos);
  CHECK(
      why({{"execution.savepoint.path", job.path("nowhere")}}).find("no checkpoint or savepoint") !=
      std::string::npos);

  // Another job: none of its operators is known, unless that is fine.
  configuration config;
  REQUIRE(config.set("execution.savepoint.path", *savepoint, "test"));
  for (const bool allowed : {false, true}) {
    if (allowed) REQUIRE(config.set("execution.savepoint.ignore-unclaimed-state", "true", "test"));
    stream_environment env(config);
    env.from_sequence(1, 10).add_sink([](const std::int64_t&) {});
    const auto ended = env.execute_async("another")->wait();
    CHECK(ended.has_value() == allowed);
    if (!ended)
      CHECK(ended.error().message.find("give the operator that uid") != std::string::npos);
  }
}

}  // namespace rescaling_test
