#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <optional>

#include "millrace/checkpoint/checkpoint_storage.hpp"
#include "millrace/checkpoint/in_flight_state.hpp"
#include "millrace/checkpoint/job_store.hpp"
#include "millrace/checkpoint/savepoint_directory.hpp"
#include "millrace/checkpoint/shared_files.hpp"
#include "millrace/checkpoint/snapshot_directory.hpp"
#include "millrace/checkpoint/state_assignment.hpp"
#include "millrace/checkpoint/state_file.hpp"
#include "millrace/core/logging.hpp"
#include "reference/random_numbers.hpp"
#include "support/damage.hpp"
#include "support/graphs.hpp"
#include "support/incremental_job.hpp"
#include "support/memory_files.hpp"

// Files of a job that are cut off, or have bits or blocks changed, at random places. Whoever reads
// one says so, with its path, or reads what was written; never anything else.
//
//     MILLRACE_RANDOM_CASES=100000 MILLRACE_RANDOM_SEED=1 test_checkpoint -tc='damaged files*'

namespace corruption_test {

using namespace millrace;
using namespace millrace::test;
using millrace::test::reference::random_numbers;

namespace {

const job_id job{7, 8};
constexpr std::uint32_t parallelism = 2;
constexpr std::uint32_t key_groups = 8;
constexpr std::uint64_t savepoint_number = 5;

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}

graph::job_vertex counting_vertex() {
  graph::job_vertex vertex;
  vertex.name = "count";
  vertex.parallelism = parallelism;
  vertex.max_parallelism = key_groups;
  vertex.operators.resize(2);
  for (std::size_t i = 0; i < 2; ++i) {
    vertex.operators[i].uid = "uid" + std::to_string(i);
    vertex.operators[i].name = "operator " + std::to_string(i);
  }
  return vertex;
}

/// What subtask `s` has at checkpoint `n`: keyed state, a list as committers have it, and, as no
/// savepoint has, batches on their way.
task_snapshot snapshot_of(std::uint64_t n, std::uint32_t s) {
  const auto text = [&](const std::string& what, std::size_t length) {
    std::string all = what + " of subtask " + std::to_string(s) + " at " + std::to_string(n) + ": ";
    while (all.size() < length) all += std::to_string(all.size() * n);
    return bytes_of(all);
  };
  task_snapshot snapshot;
  snapshot.cut.checkpoint = {n};
  snapshot.operators.resize(2);
  const auto groups = key_group_range_of(s, key_groups, parallelism);
  for (auto g = groups.first; g <= groups.last; ++g)
    snapshot.operators[0].keyed_state.push_back({g, text("group " + std::to_string(g), 40 * g)});
  for (auto& op : snapshot.operators)
    op.operator_state = {{"committables",
                          operator_state_mode::split,
                          1,
                          5,
                          {text("a part", 60), text("another", 90)}}};
  if (n == savepoint_number) return snapshot;
  typed_batch_ptr<std::int64_t> rows(new typed_batch<std::int64_t>);
  for (std::int64_t i = 0; i < 20; ++i) rows->rows.push_back(i * static_cast<std::int64_t>(n));
  snapshot.in_flight = {{channel_end::receiver, s, rows}, {channel_end::sender, 0, rows}};
  return snapshot;
}

/// What a restart makes of a snapshot: all state of all subtasks.
using restored = std::vector<task_restore>;

bool same(const restored& a, const restored& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    if (x.operators.size() != y.operators.size()) return false;
    for (std::size_t i = 0; i < x.operators.size(); ++i) {
      const auto& p = x.operators[i].value();
      const auto& q = y.operators[i].value();
      if (encode_to_bytes(p.operator_state) != encode_to_bytes(q.operator_state) ||
          !std::equal(p.keyed_state.begin(), p.keyed_state.end(), q.keyed_state.begin(),
                      q.keyed_state.end(), [](const auto& g, const auto& h) {
                        return g.group == h.group && g.bytes == h.bytes;
                      }))
        return false;
    }
    return x.checkpoint == y.checkpoint && x.ending == y.ending &&
           encode_in_flight(x.in_flight) == encode_in_flight(y.in_flight);
  });
}

/// All files that a job has for its recovery.
struct stored_files {
  std::shared_ptr<memory_files> disk = std::make_shared<memory_files>();
  file_checkpoint_storage with_files{disk, "/c/job", 0};
  file_checkpoint_storage inlined{disk, "/inlined/job", 1 << 20};
  std::shared_ptr<directory_document_store> documents =
      std::make_shared<directory_document_store>(disk, "/ha/default");
  job_store store{documents, 1};
  const graph::job_vertex vertex = counting_vertex();
  std::vector<std::string> snapshots;
  std::map<std::string, restored> written;  // by snapshot
  std::string term;

  stored_files() {
    add(with_files, with_files.location_of({3}), 3);
    add(with_files, with_files.location_of({4}), 4);
    add(inlined, inlined.location_of({4}), 4);
    const auto savepoint = free_savepoint_path(*disk, "/s", job, {savepoint_number}).value();
    add(with_files, savepoint, savepoint_number);
    REQUIRE(store.take_over());
    term = documents->get("master/term").value();
    REQUIRE(store.add({job, 1'700'000'000'000, job_of(word_count())}));
    REQUIRE(store.begin_epoch(job));
    REQUIRE(store.checkpoint_completed(job, 1, {{3}, with_files.location_of({3})}));
    REQUIRE(store.checkpoint_completed(job, 1, {{4}, with_files.location_of({4})}));
    REQUIRE(store.put_result(job, 1, bytes_of("finished, in the end")));
  }

  void add(file_checkpoint_storage& storage, const std::string& location, std::uint64_t n) {
    REQUIRE(disk->create_directories(location));
    checkpoint_metadata all;
    all.job = job;
    all.job_name = "a job";
    all.checkpoint = {n};
    all.kind = n == savepoint_number ? checkpoint_kind::savepoint : checkpoint_kind::checkpoint;
    all.triggered_wall_ms = 1'700'000'000'000;
    all.types = {"i64", "{str,i64}"};
    for (const auto& op : vertex.operators)
      all.operators.push_back({op.uid, op.name, key_groups, bytes_of("splits"), {}});
    for (std::uint32_t s = 0; s < parallelism; ++s) {
      const auto state = storage.store_at(location, {job, 0, s, 0}, snapshot_of(n, s)).value();
      for (std::size_t i = 0; i < 2; ++i)
        all.operators[i].subtasks.push_back({false, state.operators[i]});
      all.operators[0].subtasks.back().in_flight = state.in_flight;
    }
    REQUIRE(complete_snapshot(*disk, location, all));
    snapshots.push_back(location);
    written[location] = restore(location).value();
    REQUIRE(written[location][0].in_flight.empty() == (n == savepoint_number));
  }

  job_ledger ledger() const {
    return {1, 0, {{{3}, with_files.location_of({3})}, {{4}, with_files.location_of({4})}}};
  }

  result<restored> restore(const std::string& location) const {
    const auto metadata = load_checkpoint(*disk, location);
    if (!metadata) return tl::unexpected(metadata.error());
    restored all;
    graph::job_graph plan;
    plan.vertices = {vertex};
    for (std::uint32_t s = 0; s < parallelism; ++s) {
      auto state = read_assigned_state({*disk, location}, assign_state(*metadata, plan, {0, s}));
      if (!state) return tl::unexpected(state.error());
      all.push_back(std::move(*state));
    }
    return all;
  }
};

/// An error that tells which file it is.
void check_named(const error& found, const std::string& path) {
  CHECK((found.code == errc::invalid_data || found.code == errc::not_found));
  CHECK(found.message.find(path) != std::string::npos);
}

/// Whoever restores from the snapshot in which `damaged` lies, checks it, or looks into it.
void check_snapshot_with(const stored_files& world, const std::string& damaged) {
  const auto location = damaged.substr(0, damaged.rfind('/'));
  const auto state = world.restore(location);
  if (state)
    CHECK(same(*state, world.written.at(location)));
  else
    check_named(state.error(), damaged);
  if (damaged.ends_with("/_metadata")) return;
  const auto checked = check_snapshot(*world.disk, location);
  CHECK(checked.has_value() == state.has_value());
  if (!checked) check_named(checked.error(), damaged);
  const auto whole = check_state_file(*world.disk, damaged);
  if (!whole) check_named(whole.error(), damaged);
  CHECK((state || !whole));
}

/// Masters that look for jobs, for what one goes on from, for how it ended, and whose the jobs are.
void check_document(stored_files& world, const std::string& damaged) {
  if (damaged.find("/graphs/") != std::string::npos) {
    bool is_whole = true;
    const auto jobs = world.store.jobs(&is_whole).value();
    CHECK(is_whole == !jobs.empty());
    if (is_whole) CHECK(jobs[0].graph == job_of(word_count()));
  } else if (damaged.find("/ledgers/") != std::string::npos) {
    const auto ledger = world.store.ledger_of(job);
    if (ledger)
      CHECK(*ledger == world.ledger());
    else
      check_named(ledger.error(), damaged);
  } else if (damaged.find("/master/") != std::string::npos) {
    const auto term = world.documents->get("master/term");
    if (term)
      CHECK(*term == world.term);
    else
      check_named(term.error(), damaged);
    // It is nobody else's: who has taken over goes on, and writes it anew.
    CHECK(world.store.look_for_successor());
    CHECK(world.store.take_over());
    CHECK(world.documents->get("master/term").value() == world.term);
  } else {
    const auto outcome = world.store.result_of(job);
    if (outcome)
      CHECK(*outcome == bytes_of("finished, in the end"));
    else
      check_named(outcome.error(), damaged);
    // A job of which it is not known whether it has ended is not begun again.
    CHECK_FALSE(world.store.begin_epoch(job));
  }
}

}  // namespace

TEST_CASE("damaged files of checkpoints and of the job store are found by name") {
  redirect_log([](log_level, std::string_view) {}, log_level::off);
  stored_files world;
  std::vector<std::string> paths;
  for (auto& path : world.disk->paths())
    if (!path.ends_with(".part")) paths.push_back(std::move(path));
  CHECK(paths.size() == 4 + 3 * parallelism + 4);
  const reference::case_range cases(10'000);
  for (std::uint64_t seed = cases.first; seed < cases.first + cases.count; ++seed) {
    random_numbers random(seed);
    const auto& path = paths[static_cast<std::size_t>(
        random.upto(0, static_cast<std::int64_t>(paths.size()) - 1))];
    const auto intact = world.disk->content(path);
    auto content = intact;
    const auto what = damage(random, content);
    CAPTURE(seed);
    CAPTURE(path);
    CAPTURE(what);
    world.disk->put(path, content);
    if (path.starts_with("/ha/"))
      check_document(world, path);
    else
      check_snapshot_with(world, path);
    world.disk->put(path, intact);
  }
  redirect_log({});
}

namespace {

/// Three checkpoints, the last of which has files of all of them.
void take_three(incremental_job& its) {
  its.put(0, 400, "one");
  its.take(1, {});
  its.put(300, 600, "two");
  its.take(2, {1});
  its.put(600, 650, "three");
  its.take(3, {2});
}

std::vector<encoded_key_group> groups_of(const result<task_restore>& read) {
  return read->operators.at(0).value().keyed_state;
}

bool has_any(const std::vector<std::string>& paths, std::string_view suffix) {
  return std::any_of(paths.begin(), paths.end(),
                     [&](const auto& path) { return path.ends_with(suffix); });
}

}  // namespace

TEST_CASE("damaged files of incremental checkpoints are found by name") {
  incremental_job job("/i/job");
  take_three(job);
  const auto intact_groups = groups_of(job.read(3, 0, 1, nullptr));
  const auto location = job.storage.location_of({3});
  std::vector<std::string> paths{location + "/_metadata", location + "/v1-s0-a0.state"};
  for (const auto& name : shared_files_of(load_checkpoint(*job.disk, location).value()))
    paths.push_back("/i/job/shared/" + name);
  CHECK(paths.size() >= 5);
  REQUIRE(has_any(paths, ".sst"));
  REQUIRE(has_any(paths, ".log"));
  const reference::case_range cases(200);
  for (std::uint64_t seed = cases.first; seed < cases.first + cases.count; ++seed) {
    random_numbers random(seed);
    const auto& path = paths[static_cast<std::size_t>(
        random.upto(0, static_cast<std::int64_t>(paths.size()) - 1))];
    const auto intact = job.disk->content(path);
    auto content = intact;
    const auto what = damage(random, content);
    CAPTURE(seed);
    CAPTURE(path);
    CAPTURE(what);
    job.disk->put(path, content);
    const auto groups = job.read(3, 0, 1, nullptr);
    if (groups)
      CHECK(groups_of(groups) == intact_groups);
    else
      check_named(groups.error(), path);
    const auto files = job.read(3, 0, 1, job.backend.get());
    CHECK(files.has_value() == groups.has_value());
    if (!files) check_named(files.error(), path);
    const auto checked = check_snapshot(*job.disk, location);
    CHECK(checked.has_value() == groups.has_value());
    if (!checked) check_named(checked.error(), path);
    job.disk->put(path, intact);
  }
}

TEST_CASE("damaged files of local copies are passed over") {
  redirect_log([](log_level, std::string_view) {}, log_level::off);
  incremental_job job("/i/job");
  job.keep_copies();
  take_three(job);
  const auto paths = job.local_disk->paths();
  REQUIRE(has_any(paths, ".state"));
  REQUIRE(has_any(paths, ".sst"));
  REQUIRE(has_any(paths, ".log"));
  const auto intact_groups = groups_of(job.read(3, 0, 1, nullptr));
  REQUIRE(job.from->original_bytes() == 0);
  std::uint64_t passed_over = 0;
  const reference::case_range cases(200);
  for (std::uint64_t seed = cases.first; seed < cases.first + cases.count; ++seed) {
    random_numbers random(seed);
    const auto& path = paths[static_cast<std::size_t>(
        random.upto(0, static_cast<std::int64_t>(paths.size()) - 1))];
    const auto intact = job.local_disk->content(path);
    auto content = intact;
    const auto what = damage(random, content);
    CAPTURE(seed);
    CAPTURE(path);
    CAPTURE(what);
    job.local_disk->put(path, content);
    const auto groups = job.read(3, 0, 1, nullptr);
    REQUIRE(groups);
    CHECK(groups_of(groups) == intact_groups);
    const auto files = job.read(3, 0, 1, job.backend.get());
    REQUIRE(files);
    CHECK(files->operators.at(0).value().database != nullptr);
    passed_over += job.from->original_bytes() != 0;
    job.local_disk->put(path, intact);
  }
  CHECK((passed_over > 0 || cases.count < 20));
  redirect_log({});
}

TEST_CASE("a state file that is gone is found by name") {
  const stored_files world;
  const auto location = world.with_files.location_of({4});
  const auto path = location + "/v0-s1-a0.state";
  REQUIRE(world.disk->remove(path));
  const auto found = check_snapshot(*world.disk, location);
  REQUIRE_FALSE(found);
  CHECK(found.error().code == errc::not_found);
  check_named(found.error(), path);
}

}  // namespace corruption_test
