#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <variant>

#include "millrace/checkpoint/checkpoint_storage.hpp"
#include "millrace/checkpoint/savepoint_directory.hpp"
#include "millrace/checkpoint/snapshot_inspection.hpp"
#include "millrace/checkpoint/snapshot_origin.hpp"
#include "millrace/checkpoint/stop_with_savepoint.hpp"
#include "millrace/checkpoint/value_json.hpp"
#include "millrace/core/codec.hpp"
#include "millrace/state/keyed_state_backend.hpp"
#include "millrace/state/operator_state.hpp"
#include "support/graphs.hpp"
#include "support/memory_files.hpp"
#include "support/state_backends.hpp"
#include "support/state_world.hpp"

namespace savepoint_test {

using namespace millrace;
using namespace millrace::test;

namespace {

struct visit {
  std::string page;
  std::int64_t at = 0;
};
struct visit_later {
  std::string page;
  std::int64_t at = 0;
  bool is_first = false;
};

/// A savepoint of an operator with all kinds of state, of two subtasks, the second of which had
/// finished.
struct saved_world {
  memory_files disk;
  std::string place;
  checkpoint_metadata metadata;

  explicit saved_world(checkpoint_kind kind = checkpoint_kind::savepoint) {
    place = free_savepoint_path(disk, "/s", {1, 2}, {9}).value();
    REQUIRE(make_savepoint_directory(disk, place));
    state_world world(std::make_shared<hashmap_state_backend>());
    auto keyed = world.make<std::string>();
    for (const char* key : {"ann", "bob"}) {
      keyed->set_current_key(key);
      keyed->get_state(value_state_descriptor<visit>("last")).update({key, 7});
      keyed->get_list_state(list_state_descriptor<std::int64_t>("times")).add_all({1, 2});
      keyed->get_map_state(map_state_descriptor<std::string, double>("scores")).put("x", 0.5);
      keyed->timers<std::int64_t>("timers").register_event_time_timer(3, 1000);
    }
    operator_state_backend operators("op");
    operators.get_list_state(list_state_descriptor<std::string>("list")).update({"a", "b"});
    operators.get_union_list_state(list_state_descriptor<visit>("all")).update({{"p", 1}});
    operators.get_broadcast_state(map_state_descriptor<std::string, bool>("rules")).put("r", true);

    task_snapshot snapshot;
    snapshot.cut = {{9}, kind, barrier_alignment::exactly_once};
    auto& op = snapshot.operators.emplace_back();
    op.operator_state = operators.snapshot();
    const auto groups = snapshot_of(*keyed);
    for (std::uint32_t g = 0; g < groups.size(); ++g) op.keyed_state.push_back({g, groups[g]});
    const auto stored = store_task_state(disk, place, {{1, 2}, 0, 0, 0}, snapshot, 0);
    REQUIRE(stored);
    metadata.job = {1, 2};
    metadata.job_name = "visits";
    metadata.checkpoint = {9};
    metadata.kind = kind;
    metadata.types = stored->types;
    auto& its = metadata.operators.emplace_back();
    its.uid = "the-uid";
    its.name = "count visits";
    its.max_parallelism = test_max_parallelism;
    its.subtasks.resize(2);
    its.subtasks[0].state = stored->operators[0];
    its.subtasks[1].is_finished = true;
    REQUIRE(complete_snapshot(disk, place, metadata));
  }
};

graph::job_graph job_with(const std::string& uid, std::uint32_t max_parallelism,
                          std::uint32_t parallelism = 2) {
  graph::job_graph job;
  auto& vertex = job.vertices.emplace_back();
  vertex.parallelism = parallelism;
  vertex.max_parallelism = max_parallelism;
  auto& op = vertex.operators.emplace_back();
  op.uid = uid;
  op.name = "count visits";
  return job;
}

}  // namespace

TEST_CASE("a savepoint gets a directory of its own, and may be moved") {
  saved_world world;
  CHECK(world.place.starts_with("/s/savepoint-000000-"));
  CHECK(world.place.size() == std::string("/s/savepoint-000000-").size() + 12);
  const auto other = free_savepoint_path(world.disk, "/s/", {1, 2}, {9});
  REQUIRE(other);
  CHECK(*other != world.place);
  CHECK(other->starts_with("/s/savepoint-000000-"));

  for (const auto& path : world.disk.paths())
    if (path.starts_with(world.place + "/"))
      world.disk.put("/elsewhere" + path.substr(world.place.size()), world.disk.content(path));
  REQUIRE(dispose_savepoint(world.disk, world.place));
  const auto moved = inspect_snapshot(world.disk, "/elsewhere");
  REQUIRE(moved);
  CHECK(moved->operators.at(0).keyed.size() == 4);
}

TEST_CASE("a savepoint that is complete survives a power cut with its directories") {
  memory_files disk;
  REQUIRE(make_savepoint_directory(disk, "/far/below/savepoint"));
  REQUIRE(complete_snapshot(disk, "/far/below/savepoint", {.job = {1, 2}, .checkpoint = {9}}));
  disk.lose_unsynced_directories();
  CHECK(load_checkpoint(disk, "/far/below/savepoint"));
}

TEST_CASE("only savepoints are disposed of, and nothing but what belongs to them") {
  saved_world world;
  world.disk.put(world.place + "/notes.txt", "mine");
  REQUIRE(dispose_savepoint(world.disk, world.place + "/_metadata"));
  CHECK(world.disk.paths() == std::vector<std::string>{world.place + "/notes.txt"});
  CHECK(dispose_savepoint(world.disk, world.place).error().code == errc::invalid_argument);

  saved_world retained(checkpoint_kind::checkpoint);
  const auto refused = dispose_savepoint(retained.disk, retained.place);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::invalid_argument);
  CHECK(refused.error().message.find("is no savepoint but checkpoint 9") != std::string::npos);
  CHECK(load_checkpoint(retained.disk, retained.place));
}

TEST_CASE("an inspection names states, types, sizes and keys") {
  saved_world world;
  const auto all = inspect_snapshot(world.disk, world.place);
  REQUIRE(all);
  REQUIRE(all->operators.size() == 1);
  const auto& op = all->operators[0];
  CHECK(op.uid == "the-uid");
  CHECK(op.finished_subtasks == 1);
  REQUIRE(op.keyed.size() == 4);
  CHECK(op.keyed[0].name == "last");
  CHECK(op.keyed[0].key_type == "str");
  CHECK(op.keyed[0].value_type == "{str,i64}");
  CHECK(op.keyed[0].entries == 2);
  CHECK(op.keyed[1].name == "scores");
  CHECK(op.keyed[1].map_key_type == "str");
  CHECK(op.keyed[2].kind == state_kind::timers);
  CHECK(op.keyed[3].value_type == "i64");
  CHECK(op.keys_per_group.size() == test_max_parallelism);
  CHECK(std::accumulate(op.keys_per_group.begin(), op.keys_per_group.end(), 0u) == 2);
  REQUIRE(op.operators.size() == 3);
  CHECK(op.operators[0].type == "vec<{str,i64}>");
  CHECK(to_string(op.operators[0].mode) == "union list state");
  CHECK(op.operators[1].elements == 2);
  CHECK(op.operators[2].type == "map<str,bool>");
}

TEST_CASE("an inspection shows a state by each of the types that subtasks have it by") {
  saved_world world;
  state_world states(std::make_shared<hashmap_state_backend>());
  auto keyed = states.make<std::string>();
  keyed->set_current_key("cid");
  keyed->get_state(value_state_descriptor<visit_later>("last")).update({"cid", 7, true});
  operator_state_backend operators("op");
  operators.get_union_list_state(list_state_descriptor<visit_later>("all"))
      .update({{"q", 2, true}, {"r", 3, false}});
  task_snapshot snapshot;
  snapshot.cut = {{9}, checkpoint_kind::savepoint, barrier_alignment::exactly_once};
  auto& saved = snapshot.operators.emplace_back();
  saved.operator_state = operators.snapshot();
  const auto groups = snapshot_of(*keyed);
  for (std::uint32_t g = 0; g < groups.size(); ++g) saved.keyed_state.push_back({g, groups[g]});
  const auto stored = store_task_state(world.disk, world.place, {{1, 2}, 0, 1, 0}, snapshot, 0);
  REQUIRE(stored);
  auto& subtask = world.metadata.operators[0].subtasks[1];
  subtask.is_finished = false;
  subtask.state = stored->operators[0];
  REQUIRE(complete_snapshot(world.disk, world.place, world.metadata));

  const auto all = inspect_snapshot(world.disk, world.place);
  REQUIRE(all);
  const auto& op = all->operators.at(0);
  CHECK(op.keyed.size() == 5);
  std::map<std::string, std::uint64_t> entries;
  for (const auto& state : op.keyed)
    if (state.name == "last") entries[state.value_type] = state.entries;
  CHECK(entries == std::map<std::string, std::uint64_t>{{"{str,i64}", 2}, {"{str,i64,bool}", 1}});
  CHECK(op.operators.size() == 4);
  std::map<std::string, std::uint64_t> elements;
  for (const auto& state : op.operators)
    if (state.name == "all") elements[state.type] = state.elements;
  CHECK(elements ==
        std::map<std::string, std::uint64_t>{{"vec<{str,i64}>", 1}, {"vec<{str,i64,bool}>", 2}});
  // In the order of the names all the same.
  CHECK(std::is_sorted(op.keyed.begin(), op.keyed.end(),
                       [](const auto& a, const auto& b) { return a.name < b.name; }));
}

TEST_CASE("an inspection counts records on their way, and names their file if it is damaged") {
  saved_world world(checkpoint_kind::checkpoint);
  typed_batch_ptr<std::int64_t> rows(new typed_batch<std::int64_t>);
  rows->rows = {1, 2, 3};
  task_snapshot snapshot;
  snapshot.cut = {{9}, checkpoint_kind::checkpoint, barrier_alignment::unaligned};
  snapshot.operators.resize(1);
  snapshot.in_flight = {{channel_end::receiver, 0, rows}, {channel_end::sender, 1, rows}};
  const auto stored = store_task_state(world.disk, world.place, {{1, 2}, 0, 1, 0}, snapshot, 0);
  REQUIRE(stored);
  auto& subtask = world.metadata.operators[0].subtasks[1];
  subtask.is_finished = false;
  subtask.in_flight = stored->in_flight;
  REQUIRE(complete_snapshot(world.disk, world.place, world.metadata));
  const auto path = world.place + "/" + stored->in_flight->file;
  const auto intact = inspect_snapshot(world.disk, world.place);
  REQUIRE(intact);
  CHECK(intact->operators.at(0).in_flight_records == 6);
  CHECK(check_snapshot(world.disk, world.place));

  auto content = world.disk.content(path);
  content[stored->in_flight->offset] ^= 1;
  world.disk.put(path, content);
  const auto is_named = [&](const error& found, errc code) {
    return found.code == code && found.message.find(path) != std::string::npos;
  };
  CHECK(is_named(inspect_snapshot(world.disk, world.place).error(), errc::invalid_data));
  CHECK(is_named(check_snapshot(world.disk, world.place).error(), errc::invalid_data));
  REQUIRE(world.disk.remove(path));
  CHECK(is_named(inspect_snapshot(world.disk, world.place).error(), errc::not_found));
  CHECK(is_named(check_snapshot(world.disk, world.place).error(), errc::not_found));
}

TEST_CASE("a dump has each entry as a line of JSON") {
  saved_world world;
  std::vector<std::string> lines;
  REQUIRE(dump_snapshot(world.disk, world.place, [&](const std::string& line) {
    lines.push_back(line);
    return true;
  }));
  CHECK(lines.size() == 2 * 4 + 2 + 1 + 1);
  const auto count = [&](const std::string& text) {
    return std::count_if(lines.begin(), lines.end(),
                         [&](const auto& line) { return line.find(text) != std::string::npos; });
  };
  CHECK(count(R"("state":"last","kind":"value state")") == 2);
  CHECK(count(R"("key":"ann","namespace":null)") == 0);
  CHECK(count(R"("value":["ann",7])") == 1);
  CHECK(count(R"("value":[1,2])") == 2);
  CHECK(count(R"("map_key":"x","value":0.5)") == 2);
  CHECK(count(R"("namespace":3,"value":{"time":"event","at":1000})") == 2);
  CHECK(count(R"("state":"rules","kind":"broadcast state","subtask":0,"value":["r",true])") == 1);
  CHECK(count(R"("state":"all","kind":"union list state","subtask":0,"value":["p",1])") == 1);
  int before_the_end = 0;
  REQUIRE(dump_snapshot(world.disk, world.place,
                        [&](const std::string&) { return ++before_the_end < 3; }));
  CHECK(before_the_end == 3);
}

TEST_CASE("values become JSON as far as their types tell") {
  const auto shown = [](const auto& value, const std::string& type) {
    return value_json(type, encode_to_bytes(value)).dump();
  };
  using map = std::map<std::string, std::optional<std::int32_t>>;
  CHECK(shown(map{{"a", 1}, {"b", {}}}, describe_type<map>()) == R"({"a":1,"b":null})");
  using numbers = std::map<std::int64_t, bool>;
  CHECK(shown(numbers{{1, true}}, describe_type<numbers>()) == "[[1,true]]");
  using choice = std::variant<std::monostate, std::string>;
  CHECK(shown(choice("x"), describe_type<choice>()) == R"({"alternative":1,"value":"x"})");
  CHECK(shown(std::numeric_limits<double>::quiet_NaN(), "f64") == R"("nan")");
  CHECK(shown(std::int64_t{1}, "?") == R"({"hex":"0100000000000000"})");
  CHECK(shown(std::int64_t{1}, "'custom/1'") == R"({"hex":"0100000000000000"})");
  CHECK(shown(std::int64_t{1}, "str") == R"({"hex":"0100000000000000"})");
}

TEST_CASE("a job starts from a savepoint if its operators are there") {
  saved_world world;
  origin_settings settings{world.place + "/", false, true};
  auto origin = load_origin(world.disk, settings, job_with("the-uid", test_max_parallelism));
  REQUIRE(origin);
  CHECK(origin->checkpoint == checkpoint_id{9});
  CHECK(origin->location == world.place);
  CHECK(origin->is_claimed);
  CHECK(origin->finished == std::vector<graph::subtask_ref>{{0, 1}});
  // At another parallelism there is no telling which had finished.
  CHECK(load_origin(world.disk, settings, job_with("the-uid", test_max_parallelism, 3))
            ->finished.empty());

  const auto missing = load_origin(world.disk, settings, job_with("new", test_max_parallelism));
  REQUIRE_FALSE(missing);
  for (const char* part : {"the-uid", "count visits", "allow non-restored state", "/s/savepoint"})
    CHECK(missing.error().message.find(part) != std::string::npos);
  settings.allow_non_restored = true;
  CHECK(load_origin(world.disk, settings, job_with("new", test_max_parallelism)));
  const auto other_groups = load_origin(world.disk, settings, job_with("the-uid", 128));
  REQUIRE_FALSE(other_groups);
  CHECK(other_groups.error().message.find("16 key groups, but the job has 128") !=
        std::string::npos);
  CHECK(load_origin(world.disk, {"/nowhere", false, false}, job_with("the-uid", 16)).error().code ==
        errc::not_found);
}

TEST_CASE("what an unfinished savepoint has left can be removed, a complete one if withdrawn") {
  saved_world world;
  REQUIRE(remove_unfinished_savepoint(world.disk, world.place));
  CHECK(load_checkpoint(world.disk, world.place));
  world.disk.put("/s/savepoint-1/_metadata.part", "half of it");
  world.disk.put("/s/savepoint-1/v0-s0-a0.state", "some");
  REQUIRE(remove_unfinished_savepoint(world.disk, "/s/savepoint-1"));
  CHECK_FALSE(world.disk.stat("/s/savepoint-1"));
  CHECK(remove_unfinished_savepoint(world.disk, "/s/savepoint-1"));
  REQUIRE(remove_unfinished_savepoint(world.disk, world.place, true));
  CHECK_FALSE(world.disk.stat(world.place));
  CHECK(remove_unfinished_savepoint(world.disk, world.place, true));
}

TEST_CASE("a stop that is not drained takes its savepoint at once") {
  stop_with_savepoint stop;
  CHECK(stop.on_request(false).take_savepoint);
  CHECK(stop.is_under_way());
  CHECK_FALSE(stop.on_all_await_last().take_savepoint);
  stop.on_saved("/s/1");
  const auto end = stop.on_finished();
  REQUIRE(end.answer);
  CHECK(**end.answer == "/s/1");
  CHECK_FALSE(stop.is_under_way());
}

TEST_CASE("a drained stop takes its savepoint when everything was emitted") {
  stop_with_savepoint stop;
  const auto begin = stop.on_request(true);
  CHECK(begin.drain_sources);
  CHECK_FALSE(begin.take_savepoint);
  CHECK(stop.on_all_await_last().take_savepoint);
  CHECK_FALSE(stop.on_all_await_last().take_savepoint);
  const auto failed = stop.on_not_saved({errc::io, "disk full"});
  REQUIRE(failed.answer);
  CHECK(failed.answer->error().message.find("disk full") == 0);
  CHECK(failed.restart_all);
  CHECK(failed.resume);
}

TEST_CASE("a stop that fails lets the job go on") {
  stop_with_savepoint stop;
  stop.on_request(false);
  auto after = stop.on_not_saved({errc::io, "disk full"});
  CHECK(after.resume);
  CHECK_FALSE(after.restart_all);
  CHECK(after.answer->error().message == "disk full; the job goes on");

  stop.on_request(false);
  after = stop.on_failure(false);
  CHECK_FALSE(*after.answer);
  CHECK_FALSE(after.restart_all);

  stop.on_request(true);
  CHECK(stop.on_failure(false).restart_all);
  stop.on_request(true);
  CHECK(stop.on_ended({errc::cancelled, "cancelled"}).answer->error().code == errc::cancelled);
  CHECK_FALSE(stop.on_failure(false).answer);
}

TEST_CASE("a task that fails behind the savepoint lets the job be stopped anew") {
  for (const bool drain : {false, true})
    for (const bool fails_for_good : {false, true}) {
      CAPTURE(drain);
      CAPTURE(fails_for_good);
      stop_with_savepoint stop;
      stop.on_request(drain);
      stop.on_all_await_last();
      CHECK(stop.on_saved("/s/1").empty());
      auto after = stop.on_failure(false);  // others may have ended already
      CHECK_FALSE(after.answer);
      CHECK(after.restart_all);
      CHECK_FALSE(stop.on_failure(false).restart_all);  // of all, which that has brought about
      CHECK(stop.is_under_way());
      after = stop.on_running();
      CHECK(after.take_savepoint == !drain);
      CHECK(after.drain_sources == drain);
      stop.on_all_await_last();
      if (fails_for_good) {
        const auto failed = stop.on_not_saved({errc::io, "disk full"});
        REQUIRE(failed.answer);
        CHECK(failed.answer->error().message.find("/s/1") != std::string::npos);
      } else {
        CHECK(stop.on_saved("/s/2") == "/s/1");  // of which nobody is told
        CHECK(**stop.on_finished().answer == "/s/2");
      }
      CHECK_FALSE(stop.is_under_way());
    }
  stop_with_savepoint stop;
  stop.on_request(false);
  stop.on_saved("/s/1");
  stop.on_failure(false);
  const auto ended = stop.on_ended({errc::cancelled, "cancelled"});
  CHECK(ended.answer->error().code == errc::cancelled);
  CHECK(ended.answer->error().message.find("/s/1") != std::string::npos);
  // That was named to somebody, and stays.
  stop.on_request(false);
  CHECK(stop.on_saved("/s/2").empty());
}

TEST_CASE("a task that fails while the savepoint is being stored lets the job be stopped anew") {
  for (const bool drain : {false, true})
    for (const bool is_saved : {false, true}) {
      CAPTURE(drain);
      CAPTURE(is_saved);
      stop_with_savepoint stop;
      stop.on_request(drain);
      stop.on_all_await_last();
      auto after = stop.on_failure(true);
      CHECK_FALSE(after.answer);
      CHECK(after.restart_all);  // those that hear that it is complete end
      if (is_saved) {
        CHECK(stop.on_saved("/s/1").empty());
      } else {
        const auto failed = stop.on_not_saved({errc::io, "disk full"});
        CHECK_FALSE(failed.answer);
        CHECK_FALSE(failed.resume);
      }
      CHECK(stop.saved_at().empty());
      SUBCASE("with another savepoint") {
        after = stop.on_running();
        CHECK(after.take_savepoint == !drain);
        CHECK(after.drain_sources == drain);
        stop.on_all_await_last();
        CHECK(stop.on_saved("/s/2") == (is_saved ? "/s/1" : ""));
        CHECK(**stop.on_finished().answer == "/s/2");
      }
      SUBCASE("unless it ends otherwise") {
        const auto ended = stop.on_ended({errc::cancelled, "cancelled"});
        const auto& why = ended.answer->error().message;
        CHECK((why.find("/s/1") != std::string::npos) == is_saved);
        CHECK(why.ends_with("cancelled"));
      }
    }
}

TEST_CASE("a stop goes on though the master dies behind the savepoint") {
  for (const bool drain : {false, true}) {
    CAPTURE(drain);
    stop_with_savepoint next;
    next.recover(drain, "/s/1");
    CHECK(next.is_under_way());
    CHECK(next.is_drained() == drain);
    CHECK_FALSE(next.on_failure(false).restart_all);  // all of them begin from it anyway
    const auto begin = next.on_running();
    CHECK(begin.take_savepoint == !drain);
    CHECK(begin.drain_sources == drain);
    next.on_all_await_last();
    SUBCASE("and the next one has the job stopped") {
      CHECK(next.on_saved("/s/2") == "/s/1");
      CHECK(**next.on_finished().answer == "/s/2");
    }
    SUBCASE("unless its savepoint fails, then no later one does") {
      const auto failed = next.on_not_saved({errc::io, "disk full"});
      CHECK(failed.resume);
      CHECK(failed.forget);
      CHECK(failed.answer->error().message.find("/s/1") != std::string::npos);
    }
    SUBCASE("or the job has nothing left to do") {
      stop_with_savepoint other;
      other.recover(drain, "/s/1");
      other.on_all_finished();
      const auto end = other.on_finished();
      CHECK_FALSE(end.forget);
      CHECK(end.answer->error().message.find("/s/1") != std::string::npos);
    }
  }
  stop_with_savepoint stop;
  stop.on_request(false);
  CHECK_FALSE(stop.on_ended({errc::cancelled, "cancelled"}).forget);  // there is no later master
  stop.on_request(true);
  CHECK(stop.on_failure(false).forget);
}

TEST_CASE("a job that finishes before its savepoint is complete says so") {
  for (const bool drain : {false, true}) {
    stop_with_savepoint stop;
    stop.on_request(drain);
    stop.on_all_finished();
    CHECK_FALSE(stop.on_not_saved({errc::stale, "the job has finished"}).answer);
    const auto end = stop.on_finished();
    REQUIRE(end.answer);
    CHECK(end.answer->error().message.find("finished by itself") != std::string::npos);
  }
}

}  // namespace savepoint_test
