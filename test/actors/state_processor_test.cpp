#include "millrace/state_processor/state_processor.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

#include "millrace/checkpoint/snapshot_directory.hpp"
#include "millrace/millrace.hpp"
#include "support/temporary_directory.hpp"

namespace state_processor_test {

using namespace millrace;
using namespace std::chrono_literals;

// Snapshots of jobs of the whole engine that are read, written and changed by other jobs.

namespace {

constexpr std::int64_t keys = 53;
constexpr timestamp_ms event_timer = 1'000'000;
constexpr timestamp_ms processing_timer = 9'000'000'000'000;

struct entry {
  std::string key;
  std::int64_t n = 0;
};

struct greatest final : aggregate_function<std::int64_t, std::int64_t, std::int64_t> {
  void add(std::int64_t& into, const std::int64_t& n) const override { into = std::max(into, n); }
  std::int64_t get_result(const std::int64_t& from) const override { return from; }
  void merge(std::int64_t& into, const std::int64_t& from) const override { add(into, from); }
};

const value_state_descriptor<std::int64_t> value("value");
const list_state_descriptor<std::int64_t> list("list");
const map_state_descriptor<std::string, std::int64_t> map("map");
const reducing_state_descriptor<std::int64_t> sum("sum",
                                                  [](const std::int64_t& a, const std::int64_t& b) {
                                                    return std::max(a, b);
                                                  });
const aggregating_state_descriptor<std::int64_t, std::int64_t, std::int64_t> most("most",
                                                                                  greatest());

/// A state of each kind, which only depends on the key: it is the same after the first record of
/// the key and after the thousandth.
struct all_states {
  value_state<std::int64_t> its_value;
  list_state<std::int64_t> its_list;
  map_state<std::string, std::int64_t> its_map;
  reducing_state<std::int64_t> its_sum;
  aggregating_state<std::int64_t, std::int64_t> its_most;

  void open(keyed_runtime_context<std::string>& context) {
    its_value = context.get_state(value);
    its_list = context.get_list_state(list);
    its_map = context.get_map_state(map);
    its_sum = context.get_reducing_state(sum);
    its_most = context.get_aggregating_state(most);
  }
  void fill(std::int64_t n) const {
    its_value.update(n);
    its_list.update({n, n + 1});
    its_map.put("a", n);
    its_map.put("b", n + 1);
    its_sum.add(n);
    its_most.add(n);
  }
  std::string text(const std::string& key) const {
    std::string all = key + ":";
    const auto add = [&](const std::int64_t* n) { all += n ? " " + std::to_string(*n) : " -"; };
    add(its_value.find());
    for (const auto& n : its_list.get()) add(&n);
    std::int64_t of_map = 0;
    its_map.for_each(
        [&](const std::string& name, std::int64_t n) { of_map += name == "a" ? 1'000 * n : n; });
    add(&of_map);
    add(its_sum.get());
    const auto result = its_most.get();
    add(result ? &*result : nullptr);
    return all;
  }
};

/// What it says for a key that was filled with `n`.
std::string text_of(const std::string& key, std::int64_t n) {
  std::string all = key + ":";
  for (const auto each : {n, n, n + 1, 1'000 * n + n + 1, n, n}) all += " " + std::to_string(each);
  return all;
}

std::string key_of(std::int64_t n) {
  return "k" + std::to_string(n);
}

std::atomic<std::uint64_t> remembered;

/// Has a state of each kind and timers, and says what it has when event time ends.
class remember final : public keyed_process_function<std::string, entry, std::string> {
 public:
  void open(keyed_runtime_context<std::string>& context) override { states_.open(context); }
  void process_element(const entry& row, keyed_process_context<std::string>& context,
                       collector<std::string>&) override {
    states_.fill(row.n);
    context.timer_service().register_event_time_timer(event_timer + row.n);
    context.timer_service().register_processing_time_timer(processing_timer + row.n);
    ++remembered;
  }
  void on_timer(timestamp_ms at, on_timer_context<std::string>& context,
                collector<std::string>& out) override {
    out.emit(states_.text(context.current_key()) + " at " + std::to_string(at));
  }

 private:
  all_states states_;
};

/// Reads what `remember` has.
class read_memory final : public keyed_state_reader_function<std::string, std::string> {
 public:
  void open(keyed_runtime_context<std::string>& context) override { states_.open(context); }
  void read_key(const std::string& key, keyed_state_reader_context& context,
                collector<std::string>& out) override {
    auto text = states_.text(key) + " at";
    for (const auto at : context.registered_event_time_timers()) text += " " + std::to_string(at);
    for (const auto at : context.registered_processing_time_timers())
      text += " and " + std::to_string(at);
    out.emit(std::move(text));
  }

 private:
  all_states states_;
};

/// Makes what `remember` has.
class make_memory final : public keyed_state_bootstrap_function<std::string, entry> {
 public:
  void open(keyed_runtime_context<std::string>& context) override { states_.open(context); }
  void process_element(const entry& row,
                       keyed_state_bootstrap_context<std::string>& context) override {
    states_.fill(context.current_key() == row.key ? row.n : -1);
    context.register_event_time_timer(event_timer + row.n);
    context.register_processing_time_timer(processing_timer + row.n);
  }

 private:
  all_states states_;
};

/// What read_memory says about keys whose numbers are `factor` times their own.
std::multiset<std::string> memories(std::int64_t factor) {
  std::multiset<std::string> all;
  for (std::int64_t i = 0; i < keys; ++i) {
    const auto n = factor * i;
    all.insert(text_of(key_of(i), n) + " at " + std::to_string(event_timer + n) + " and " +
               std::to_string(processing_timer + n));
  }
  return all;
}

const list_state_descriptor<std::int64_t> marks("marks");
const list_state_descriptor<std::int64_t> shared_marks("shared marks");
const map_state_descriptor<std::string, std::int64_t> rules("rules");

/// Has each kind of operator state.
struct mark_rows {
  void open(operator_context& context) {
    auto& state = context.operator_state();
    const auto subtask = static_cast<std::int64_t>(context.runtime().subtask_index());
    state.get_list_state(marks).update({10 * subtask, 10 * subtask + 1});
    state.get_union_list_state(shared_marks).update({subtask});
    state.get_broadcast_state(rules).put("seven", 7);
  }
  entry operator()(const entry& row) const { return row; }
};

/// Makes operator state of each kind.
class make_marks final : public state_bootstrap_function<entry> {
 public:
  void open(operator_context& context) override {
    marks_ = context.operator_state().get_list_state(marks);
    shared_ = context.operator_state().get_union_list_state(shared_marks);
    rules_ = context.operator_state().get_broadcast_state(rules);
  }
  void process_element(const entry& row) override {
    marks_.add(row.n);
    shared_.add(-row.n);
    rules_.put(row.key, row.n);
  }

 private:
  operator_list_state<std::int64_t> marks_;
  operator_list_state<std::int64_t> shared_;
  broadcast_state<std::string, std::int64_t> rules_;
};

std::vector<entry> entries(std::int64_t factor) {
  std::vector<entry> all;
  for (std::int64_t i = 0; i < keys; ++i) all.push_back({key_of(i), factor * i});
  return all;
}

template <class Rows>
auto sorted(Rows rows) {
  std::sort(rows.begin(), rows.end());
  return rows;
}

/// The message of what is thrown.
std::string failure_of(const std::function<void()>& what) {
  try {
    what();
  } catch (const failure& why) {
    return why.what();
  }
  return "nothing failed";
}

void check_says(const std::string& text, std::initializer_list<const char*> parts) {
  CAPTURE(text);
  for (const char* part : parts) {
    CAPTURE(part);
    CHECK(text.find(part) != std::string::npos);
  }
}

/// A directory with snapshots.
class processed_world {
 public:
  std::string path(const std::string& name) const { return directory_.path(name); }
  void leave(const std::string& file) const { directory_.write(file, "half of something"); }

  configuration config(const std::map<std::string, std::string>& settings) const {
    configuration made;
    REQUIRE(made.set("state.storage.fs.memory-threshold", "0", "test"));
    for (const auto& [key, setting] : settings) REQUIRE(made.set(key, setting, "test"));
    return made;
  }
  configuration config_of_job(const std::string& backend, const std::string& from = "") const {
    return config(
        {{"execution.checkpointing.interval", "30 ms"},
         {"execution.checkpointing.externalized-checkpoint-retention", "retain-on-cancellation"},
         {"execution.savepoint.path", from},
         {"execution.savepoint.ignore-unclaimed-state", from.empty() ? "false" : "true"},
         {"state.checkpoints.dir", directory_.path("checkpoints")},
         {"state.savepoints.dir", directory_.path("savepoints")},
         {"state.backend.type", backend}});
  }

  /// Of a job with all of this state that was stopped with a savepoint.
  std::string savepoint(const std::string& backend, std::uint32_t parallelism) const {
    const auto client = start(backend, parallelism);
    const auto stopped = client->stop_with_savepoint("", false);
    REQUIRE_MESSAGE(stopped.has_value(), stopped.error().message);
    REQUIRE(client->wait());
    return *stopped;
  }

  /// Of a job that was cancelled.
  std::string retained_checkpoint(const std::string& backend, std::uint32_t parallelism) const {
    const auto client = start(backend, parallelism);
    const auto before = last_checkpoint();
    for (int i = 0; last_checkpoint().first < before.first + 2 && i < 2'000; ++i)
      std::this_thread::sleep_for(5ms);
    client->cancel();
    CHECK_FALSE(client->wait());
    REQUIRE(last_checkpoint().first >= before.first + 2);
    return last_checkpoint().second;
  }

  /// What `remember` and a fold say in a job that begins from a savepoint and has but one record.
  std::multiset<std::string> life_from(const std::string& from, const std::string& backend,
                                       std::uint32_t parallelism) const {
    struct rows {
      std::mutex mutex;
      std::multiset<std::string> all;
    };
    const auto said = std::make_shared<rows>();
    const auto add = [said](const std::string& text) {
      std::lock_guard lock(said->mutex);
      said->all.insert(text);
    };
    stream_environment env(config_of_job(backend, from));
    env.set_parallelism(parallelism);
    env.from_collection(std::vector<entry>())
        .key_by(&entry::key)
        .process(remember{})
        .uid("remember")
        .add_sink(add);
    env.from_collection(std::vector<entry>{{key_of(7), 0}})
        .key_by(&entry::key)
        .max(&entry::n)
        .uid("fold")
        .map([](const entry& row) { return "fold " + row.key + " " + std::to_string(row.n); })
        .add_sink(add);
    env.execute();
    return said->all;
  }

 private:
  std::unique_ptr<job_client> start(const std::string& backend, std::uint32_t parallelism) const {
    remembered = 0;
    stream_environment env(config_of_job(backend));
    env.set_parallelism(parallelism);
    const auto rows = env.from_generator(
                             [](const std::uint64_t& i) {
                               const auto n = static_cast<std::int64_t>(i % keys);
                               return entry{key_of(n), n};
                             },
                             generator_options{.count = {}, .per_second = 30'000})
                          .map(mark_rows{})
                          .name("mark")
                          .uid("marks");
    rows.key_by(&entry::key).process(remember{}).name("memory").uid("remember").discard();
    rows.key_by(&entry::key).max(&entry::n).uid("fold").discard();
    auto client = env.execute_async("processed");
    for (int i = 0; remembered < 2'000 && i < 2'000; ++i) std::this_thread::sleep_for(5ms);
    REQUIRE(remembered >= 2'000);
    return client;
  }

  std::pair<std::uint64_t, std::string> last_checkpoint() const {
    std::pair<std::uint64_t, std::string> last;
    std::error_code gone;  // an old checkpoint, while it is looked at
    std::filesystem::recursive_directory_iterator at(directory_.path("checkpoints"), gone), end;
    for (; at != end; at.increment(gone)) {
      if (at->path().filename() != "_metadata") continue;
      const auto folder = at->path().parent_path();
      last = std::max(last, {std::stoull(folder.filename().string().substr(4)), folder.string()});
    }
    return last;
  }

  test::temporary_directory directory_;
};

/// What `life_from` says about state that was made with that factor.
std::multiset<std::string> life_with(std::int64_t factor) {
  std::multiset<std::string> all{"fold " + key_of(7) + " " + std::to_string(7 * factor)};
  for (std::int64_t i = 0; i < keys; ++i)
    all.insert(text_of(key_of(i), factor * i) + " at " + std::to_string(event_timer + factor * i));
  return all;
}

void check_reads_memory(const processed_world& world, const std::string& from,
                        std::uint32_t parallelism) {
  CAPTURE(parallelism);
  stream_environment env(world.config({}));
  env.set_parallelism(parallelism);
  const auto memory = savepoint_reader::read(env, from)
                          .read_keyed_state("remember", read_memory{})
                          .execute_and_collect();
  CHECK(std::multiset<std::string>(memory.begin(), memory.end()) == memories(1));
}

void check_reads_single_states(const processed_world& world, const std::string& from,
                               std::uint32_t saved_parallelism) {
  stream_environment env(world.config({}));
  env.set_parallelism(2);
  const auto saved = savepoint_reader::read(env, from);
  const auto expect_numbers = [](const std::vector<std::pair<std::string, std::int64_t>>& found) {
    std::map<std::string, std::int64_t> expected;
    for (const auto& each : entries(1)) expected[each.key] = each.n;
    CHECK(found.size() == expected.size());
    CHECK(std::map<std::string, std::int64_t>(found.begin(), found.end()) == expected);
  };
  expect_numbers(saved.read_keyed_state<std::string>("remember", value).execute_and_collect());
  expect_numbers(saved.read_keyed_state<std::string>("remember", sum).execute_and_collect());
  expect_numbers(saved.read_keyed_state<std::string>("remember", most).execute_and_collect());
  const auto lists = saved.read_keyed_state<std::string>("remember", list).execute_and_collect();
  CHECK(lists.size() == keys);
  for (const auto& [key, its] : lists) CHECK(its == std::vector{its.at(0), its.at(0) + 1});
  auto maps = saved.read_keyed_state<std::string>("remember", map).execute_and_collect();
  CHECK(maps.size() == 2 * keys);
  const std::tuple<std::string, std::string, std::int64_t> one_entry("k3", "b", 4);
  CHECK(std::ranges::count(maps, one_entry) == 1);
  const auto folded = saved.read_keyed_state<std::string>("fold", folded_state<entry>())
                          .filter([](const auto& pair) { return pair.second.n == 7; })
                          .map([](const auto& pair) { return pair.first + pair.second.key; })
                          .execute_and_collect();
  CHECK(folded == std::vector<std::string>{"k7k7"});

  std::vector<std::int64_t> expected_marks, expected_shared;
  for (std::int64_t subtask = 0; subtask < saved_parallelism; ++subtask) {
    expected_marks.insert(expected_marks.end(), {10 * subtask, 10 * subtask + 1});
    expected_shared.push_back(subtask);
  }
  CHECK(sorted(saved.read_list_state("marks", marks).execute_and_collect()) == expected_marks);
  CHECK(sorted(saved.read_union_state("marks", shared_marks).execute_and_collect()) ==
        expected_shared);
  CHECK(saved.read_broadcast_state("marks", rules).execute_and_collect() ==
        std::vector<std::pair<std::string, std::int64_t>>{{"seven", 7}});
}

/// Writes all operators of the test's job as made from entries, and returns where.
std::string write_new(const processed_world& world, const std::string& name, std::int64_t factor,
                      std::uint32_t parallelism, const std::string& backend) {
  stream_environment env(world.config({{"state.backend.type", backend}}));
  env.set_parallelism(parallelism);
  const auto rows = env.from_collection(entries(factor)).rebalance();
  const auto by_key = rows.key_by(&entry::key);
  savepoint_writer::new_savepoint(env)
      .with_operator("remember",
                     operator_transformation::bootstrap_with(by_key).transform(make_memory{}))
      .with_operator("fold", operator_transformation::bootstrap_with(by_key).fold())
      .with_operator("marks", operator_transformation::bootstrap_with(rows).transform(make_marks{}))
      .write(world.path(name) + "/");
  env.execute("write");
  CHECK_FALSE(std::filesystem::exists(world.path(name) + ".part"));
  return world.path(name);
}

}  // namespace

TEST_CASE("What a running job has saved is read as bounded streams, at any parallelism") {
  const processed_world world;
  const auto of_hashmap = world.savepoint("hashmap", 3);
  check_reads_memory(world, of_hashmap, 1);
  check_reads_memory(world, of_hashmap + "/_metadata", 4);
  check_reads_single_states(world, of_hashmap, 3);
  const auto of_rocksdb = world.savepoint("rocksdb", 2);
  check_reads_memory(world, of_rocksdb, 3);
  check_reads_memory(world, world.retained_checkpoint("hashmap", 1), 2);
}

TEST_CASE("A job starts from a savepoint that was made from records") {
  const processed_world world;
  const auto one = write_new(world, "new/one", 5, 3, "hashmap");
  CHECK(world.life_from(one, "hashmap", 2) == life_with(5));
  CHECK(world.life_from(one, "rocksdb", 4) == life_with(5));
  // What a job that failed has left is in nobody's way.
  world.leave("two.part/v0-s0-a0.state");
  world.leave("two.part/_metadata");
  const auto two = write_new(world, "two", 3, 1, "rocksdb");
  CHECK(std::filesystem::exists(two + "/v0-s0-a1.state"));
  CHECK_FALSE(std::filesystem::exists(two + "/v0-s0-a0.state"));
  CHECK(world.life_from(two, "hashmap", 1) == life_with(3));
  local_file_system files;
  CHECK(check_snapshot(files, one));
  const auto metadata = load_checkpoint(files, one);
  REQUIRE(metadata);
  CHECK(metadata->kind == checkpoint_kind::savepoint);
  CHECK(metadata->operators.at(0).max_parallelism == 128);
  CHECK(metadata->operators.at(0).subtasks.size() == 3);

  stream_environment env(world.config({}));
  const auto saved = savepoint_reader::read(env, one);
  CHECK(sorted(saved.read_list_state("marks", marks).execute_and_collect()).size() == keys);
  CHECK(sorted(saved.read_union_state("marks", shared_marks).execute_and_collect()).front() ==
        -5 * (keys - 1));
  CHECK(saved.read_broadcast_state("marks", rules).execute_and_collect().size() == keys);
}

TEST_CASE("A savepoint is changed: an operator's state, another one removed, the rest kept") {
  const processed_world world;
  const auto before = world.savepoint("rocksdb", 3);
  const auto after = world.path("after");
  {
    stream_environment env(world.config({}));
    env.set_parallelism(2);
    const auto saved = savepoint_reader::read(env, before);
    const auto doubled = saved.read_keyed_state<std::string>("remember", value)
                             .map([](const std::pair<std::string, std::int64_t>& each) {
                               return entry{each.first, 2 * each.second};
                             });
    savepoint_writer::from_existing(env, before)
        .remove_operator("remember")
        .with_operator("remember",
                       operator_transformation::bootstrap_with(doubled.key_by(&entry::key))
                           .transform(make_memory{}))
        .write(after);
    env.execute();
  }
  auto expected = life_with(2);
  expected.erase("fold k7 14");
  expected.insert("fold k7 7");
  CHECK(world.life_from(after, "hashmap", 4) == expected);

  local_file_system files;
  CHECK(check_snapshot(files, after));
  const auto from = load_checkpoint(files, before), to = load_checkpoint(files, after);
  REQUIRE(from);
  REQUIRE(to);
  CHECK(to->checkpoint == from->checkpoint);
  CHECK(to->operators.size() == from->operators.size());
  // The offsets of the source, say.
  const auto coordinator_of = [](const checkpoint_metadata& all) {
    std::vector<std::vector<std::byte>> found;
    for (const auto& op : all.operators)
      if (op.coordinator) found.push_back(*op.coordinator);
    return found;
  };
  CHECK(coordinator_of(*from).size() == 1);
  CHECK(coordinator_of(*to) == coordinator_of(*from));
  {
    stream_environment env(world.config({}));
    savepoint_writer::from_existing(env, after).remove_operator("fold").write(world.path("less"));
    env.execute();
    const auto less = savepoint_reader::read(env, world.path("less"));
    const auto marked = sorted(less.read_list_state("marks", marks).execute_and_collect());
    CHECK(marked == std::vector<std::int64_t>{0, 1, 10, 11, 20, 21});
    check_says(
        failure_of([&] {
          less.read_keyed_state<std::string>("fold", folded_state<entry>()).execute_and_collect();
        }),
        {"no operator with uid 'fold'", "remember", "marks"});
  }
}

TEST_CASE("A job that reads a snapshot goes on where it was") {
  constexpr std::int64_t rows = 2'000;
  const processed_world world;
  std::vector<entry> all;
  for (std::int64_t n = 0; n < rows; ++n) all.push_back({key_of(n), n});
  {
    // Two key groups, so that checkpoints come in the midst of them.
    stream_environment env(world.config({}));
    savepoint_writer::new_savepoint(env, 2)
        .with_operator("fold", operator_transformation::bootstrap_with(
                                   env.from_collection(all).key_by(&entry::key))
                                   .fold())
        .write(world.path("folds"));
    env.execute();
  }
  static std::atomic<int> thrown;
  thrown = 0;
  stream_environment env(world.config({{"execution.checkpointing.interval", "10 ms"},
                                       {"state.checkpoints.dir", world.path("checkpoints")},
                                       {"taskmanager.network.batch-rows", "20"},
                                       {"restart-strategy.type", "fixed-delay"},
                                       {"restart-strategy.fixed-delay.attempts", "1"},
                                       {"restart-strategy.fixed-delay.delay", "1 ms"}}));
  env.set_parallelism(2);
  auto read = savepoint_reader::read(env, world.path("folds"))
                  .read_keyed_state<std::string>("fold", folded_state<entry>())
                  .map([](const std::pair<std::string, entry>& each) {
                    if (each.second.n == rows - 1 && thrown++ == 0)
                      throw std::runtime_error("not now");
                    std::this_thread::sleep_for(100us);
                    return each.second.n;
                  })
                  .execute_and_collect();
  CHECK(thrown == 2);
  std::ranges::sort(read);
  CHECK(read.size() == rows);
  for (std::size_t i = 0; i < read.size(); ++i) REQUIRE(read[i] == static_cast<std::int64_t>(i));
}

namespace {

/// Fills a state for few keys only, so that most key groups have nothing of it.
class fill_sparsely final : public keyed_state_bootstrap_function<std::string, entry> {
 public:
  void open(keyed_runtime_context<std::string>& context) override {
    value_ = context.get_state(value);
    rare_ = context.get_state(value_state_descriptor<std::int64_t>("rare"));
  }
  void process_element(const entry& row, keyed_state_bootstrap_context<std::string>&) override {
    value_.update(row.n);
    if (row.n == 7) rare_.update(row.n);
  }

 private:
  value_state<std::int64_t> value_;
  value_state<std::int64_t> rare_;
};

}  // namespace

TEST_CASE("A state that few key groups have is missing for nobody") {
  const processed_world world;
  {
    stream_environment env(world.config({}));
    savepoint_writer::new_savepoint(env)
        .with_operator("sparse", operator_transformation::bootstrap_with(
                                     env.from_collection(entries(1)).key_by(&entry::key))
                                     .transform(fill_sparsely{}))
        .write(world.path("sparse"));
    env.execute();
  }
  for (const std::uint32_t parallelism : {1, 4}) {
    stream_environment env(world.config({}));
    env.set_parallelism(parallelism);
    const auto read =
        savepoint_reader::read(env, world.path("sparse"))
            .read_keyed_state<std::string>("sparse", value_state_descriptor<std::int64_t>("rare"))
            .execute_and_collect();
    REQUIRE(read.size() == 1);
    CHECK(read[0].second == 7);
  }
}

TEST_CASE("What can't be read says whose it is and what to do") {
  const processed_world world;
  const auto place = world.savepoint("hashmap", 2);
  stream_environment env(world.config({}));
  const auto saved = savepoint_reader::read(env, place);
  const auto reads = [&](const auto& stream) {
    return failure_of([&] { stream.execute_and_collect(); });
  };
  check_says(reads(saved.read_keyed_state<std::string>("memory", value)),
             {"no operator with uid 'memory'", "remember ('memory')", "marks", place.c_str()});
  check_says(reads(saved.read_keyed_state<std::string>("marks", value)),
             {"operator 'mark' (uid marks) has no keyed state"});
  check_says(reads(saved.read_keyed_state<std::int64_t>("remember", value)),
             {"operator 'memory' (uid remember)", "saved as str", "to be read as i64"});
  using number = value_state_descriptor<std::int64_t>;
  check_says(reads(saved.read_keyed_state<std::string>("remember", number("valeu"))),
             {"operator 'memory' (uid remember) has no keyed state 'valeu'", "'value'", "'list'"});
  check_says(reads(saved.read_keyed_state<std::string>("remember", number("list"))),
             {"state 'list' of operator 'memory'", "was a list state", "savepoint inspect"});
  check_says(reads(saved.read_keyed_state<std::string>("fold", folded_state<std::int64_t>())),
             {"state '_folded' of operator", "{str,i64}", "i64"});
  check_says(reads(saved.read_list_state("marks", list_state_descriptor<std::int64_t>("x"))),
             {"operator 'mark' (uid marks) has no operator state 'x'", "'marks'", "'rules'"});
  check_says(reads(saved.read_list_state("marks", shared_marks)),
             {"'shared marks' of operator 'mark'", "is a union list state", "a list state was"});

  check_says(reads(savepoint_reader::read(env, world.path("nowhere"))
                       .read_keyed_state<std::string>("remember", value)),
             {"there is no checkpoint or savepoint at", "nowhere"});
  std::filesystem::create_directories(world.path("halfway.part"));
  check_says(reads(savepoint_reader::read(env, world.path("halfway"))
                       .read_keyed_state<std::string>("remember", value)),
             {"halfway.part", "has not finished"});

  for (const auto& file : std::filesystem::directory_iterator(place)) {
    if (file.path().extension() != ".state") continue;
    std::fstream bytes(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekp(static_cast<std::streamoff>(file.file_size() / 2));
    bytes.write("\xff\x00\xff\x00\xff\x00\xff\x00", 8);
  }
  check_says(reads(saved.read_keyed_state("remember", read_memory{})),
             {"operator 'memory' (uid remember)", ".state' is damaged"});
}

TEST_CASE("What can't be written says so, and nothing is there afterwards") {
  const processed_world world;
  const auto place = write_new(world, "first", 1, 2, "hashmap");
  const auto rows_of = [](stream_environment& env) {
    return operator_transformation::bootstrap_with(
               env.from_collection(entries(1)).key_by(&entry::key))
        .fold();
  };
  {
    stream_environment env(world.config({}));
    savepoint_writer::new_savepoint(env).with_operator("x", rows_of(env)).write(place);
    check_says(failure_of([&] { env.execute(); }),
               {"can't be written to", "first", "there is something already"});
    CHECK(world.life_from(place, "hashmap", 1) == life_with(1));
  }
  {
    stream_environment env(world.config(
        {{"execution.checkpointing.interval", "1 h"}, {"state.checkpoints.dir", world.path("c")}}));
    savepoint_writer::new_savepoint(env)
        .with_operator("x", rows_of(env))
        .write(world.path("checkpointed"));
    check_says(failure_of([&] { env.execute(); }), {"part of a job that takes checkpoints"});
    CHECK_FALSE(std::filesystem::exists(world.path("checkpointed")));
  }
  stream_environment env(world.config({})), other(world.config({}));
  auto existing = savepoint_writer::from_existing(env, place);
  check_says(failure_of([&] { existing.with_operator("fold", rows_of(env)); }),
             {"has an operator with uid 'fold' already", "must be removed before"});
  check_says(failure_of([&] { existing.with_operator("y", rows_of(other)); }),
             {"uid 'y'", "another environment"});
  check_says(failure_of([&] { existing.remove_operator("folds"); }),
             {"no operator with uid 'folds'", "fold"});
  check_says(failure_of([&] { savepoint_writer::new_savepoint(env).write(world.path("empty")); }),
             {"would have no operator"});
  check_says(failure_of([&] { savepoint_writer::new_savepoint(env, 0); }), {"0 key groups"});
  check_says(failure_of([&] { savepoint_writer::from_existing(env, world.path("nowhere")); }),
             {"there is no checkpoint or savepoint at"});
  check_says(failure_of([&] {
               operator_transformation::bootstrap_with(env.from_generator([](std::uint64_t i) {
                 return entry{"k", static_cast<std::int64_t>(i)};
               }));
             }),
             {"is unbounded"});
}

// The programs of docs/state-processor.md, which must compile and do what is said about them.

namespace {

struct account {
  std::string id;
  std::int64_t balance = 0;
};

class fill_accounts : public keyed_state_bootstrap_function<std::string, account> {
 public:
  void open(keyed_runtime_context<std::string>& context) override {
    balance_ = context.get_state(value_state_descriptor<std::int64_t>("balance"));
  }
  void process_element(const account& row,
                       keyed_state_bootstrap_context<std::string>& context) override {
    balance_.update(row.balance);
    if (row.balance < 0) context.register_event_time_timer(1'700'000'000'000);
  }

 private:
  value_state<std::int64_t> balance_;
};

struct overdrawn {
  std::string id;
  std::int64_t balance = 0;
  timestamp_ms reminder = no_timestamp;
};

class find_overdrawn : public keyed_state_reader_function<std::string, overdrawn> {
 public:
  void open(keyed_runtime_context<std::string>& context) override {
    balance_ = context.get_state(value_state_descriptor<std::int64_t>("balance"));
  }
  void read_key(const std::string& id, keyed_state_reader_context& context,
                collector<overdrawn>& out) override {
    if (balance_.value() >= 0) return;
    const auto& timers = context.registered_event_time_timers();
    out.emplace(id, balance_.value(), timers.empty() ? no_timestamp : timers.front());
  }

 private:
  value_state<std::int64_t> balance_;
};

}  // namespace

TEST_CASE("The guide: accounts are written, read, and corrected") {
  const processed_world world;
  const auto path = world.path("first");
  stream_environment env(world.config({}));
  const auto accounts = env.from_elements<account>({{"ann", 5}, {"bob", -3}});
  savepoint_writer::new_savepoint(env)
      .with_operator("accounts",
                     operator_transformation::bootstrap_with(accounts.key_by(&account::id))
                         .transform(fill_accounts{}))
      .write(path);
  env.execute();

  const auto saved = savepoint_reader::read(env, path);
  const auto found = saved.read_keyed_state("accounts", find_overdrawn{}).execute_and_collect();
  REQUIRE(found.size() == 1);
  CHECK(found[0].id == "bob");
  CHECK(found[0].balance == -3);
  CHECK(found[0].reminder == 1'700'000'000'000);

  const auto before = savepoint_reader::read(env, path);
  const auto corrected = before
                             .read_keyed_state<std::string>(
                                 "accounts", value_state_descriptor<std::int64_t>("balance"))
                             .map([](const std::pair<std::string, std::int64_t>& each) {
                               return account{each.first, std::max<std::int64_t>(each.second, 0)};
                             });
  savepoint_writer::from_existing(env, path)
      .remove_operator("accounts")
      .with_operator("accounts",
                     operator_transformation::bootstrap_with(corrected.key_by(&account::id))
                         .transform(fill_accounts{}))
      .write(world.path("corrected"));
  env.execute();
  const auto negative =
      savepoint_reader::read(env, world.path("corrected"))
          .read_keyed_state<std::string>("accounts",
                                         value_state_descriptor<std::int64_t>("balance"))
          .filter([](const std::pair<std::string, std::int64_t>& each) { return each.second < 0; })
          .execute_and_collect();
  CHECK(negative.empty());
}

}  // namespace state_processor_test
