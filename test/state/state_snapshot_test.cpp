#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <string>

#include "millrace/state/key_group_sections.hpp"
#include "millrace/state/keyed_state_backend.hpp"
#include "support/native_snapshots.hpp"
#include "support/state_backends.hpp"
#include "support/state_world.hpp"

namespace state_snapshot_test {

using namespace millrace;
using millrace::test::all_state_backends;
using millrace::test::canonical_of;
using millrace::test::native_snapshot;
using millrace::test::native_snapshot_of;
using millrace::test::restore;
using millrace::test::snapshot_of;
using millrace::test::state_world;
using millrace::test::test_max_parallelism;

namespace {

struct total final : aggregate_function<std::int64_t, std::int64_t, std::string> {
  void add(std::int64_t& into, const std::int64_t& value) const override { into += value; }
  std::string get_result(const std::int64_t& from) const override { return std::to_string(from); }
  void merge(std::int64_t& into, const std::int64_t& from) const override { into += from; }
};

/// What a key has in one namespace.
struct content {
  std::optional<std::string> value;
  std::vector<std::int64_t> list;
  std::map<std::int64_t, std::string> map;
  std::optional<std::int64_t> reduced;
  std::optional<std::int64_t> aggregated;
};

/// All kinds of state of one subtask.
struct subtask {
  explicit subtask(std::unique_ptr<keyed_state_backend<std::string>> made)
      : state(std::move(made)),
        value(state->get_namespaced<std::int64_t>(value_state_descriptor<std::string>("value"))),
        list(state->get_namespaced<std::int64_t>(list_state_descriptor<std::int64_t>("list"))),
        map(state->get_namespaced<std::int64_t>(
            map_state_descriptor<std::int64_t, std::string>("map"))),
        reduced(state->get_namespaced<std::int64_t>(reducing_state_descriptor<std::int64_t>(
            "reduced", [](std::int64_t a, std::int64_t b) { return a + b; }))),
        aggregated(state->get_namespaced<std::int64_t>(
            aggregating_state_descriptor<std::int64_t, std::int64_t, std::string>("aggregated",
                                                                                  total()))) {}

  void at(const std::string& key, std::int64_t ns) {
    state->set_current_key(key);
    value.set_current_namespace(ns);
    list.set_current_namespace(ns);
    map.set_current_namespace(ns);
    reduced.set_current_namespace(ns);
    aggregated.set_current_namespace(ns);
  }

  std::unique_ptr<keyed_state_backend<std::string>> state;
  namespaced<value_state<std::string>, std::int64_t> value;
  namespaced<list_state<std::int64_t>, std::int64_t> list;
  namespaced<map_state<std::int64_t, std::string>, std::int64_t> map;
  namespaced<reducing_state<std::int64_t>, std::int64_t> reduced;
  namespaced<aggregating_state<std::int64_t, std::string>, std::int64_t> aggregated;
};

void check_equal(subtask& part, const content& expected) {
  CHECK(part.value.has_value() == expected.value.has_value());
  if (expected.value) CHECK(part.value.value() == *expected.value);
  CHECK(part.list.get() == expected.list);
  const auto entries = part.map.entries();
  CHECK(std::map<std::int64_t, std::string>(entries.begin(), entries.end()) == expected.map);
  CHECK(entries.size() == expected.map.size());
  CHECK((part.reduced.get() != nullptr) == expected.reduced.has_value());
  if (expected.reduced) CHECK(*part.reduced.get() == *expected.reduced);
  CHECK(part.aggregated.get().has_value() == expected.aggregated.has_value());
  if (expected.aggregated) CHECK(*part.aggregated.get() == std::to_string(*expected.aggregated));
}

/// One random use of one kind of state, on both sides, which must agree if `is_checked`.
void use(std::mt19937& random, subtask& part, content& c, bool is_checked = true) {
  const auto n = static_cast<std::int64_t>(random() % 12);
  const std::string text(random() % 40, static_cast<char>('a' + n));
  switch (random() % 16) {
    case 0:
      part.value.update(text);
      c.value = text;
      break;
    case 1:
      part.value.get_or_default() += 'x';
      c.value = c.value.value_or("") + 'x';
      break;
    case 2:
      part.value.clear();
      c.value.reset();
      break;
    case 3:
    case 4:
      part.list.add(n);
      c.list.push_back(n);
      break;
    case 5:
      part.list.update({n, n});
      c.list = {n, n};
      break;
    case 6:
      part.list.clear();
      c.list.clear();
      break;
    case 7:
    case 8:
      part.map.put(n, text);
      c.map[n] = text;
      break;
    case 9:
      part.map.get_or_default(n) += 'y';
      c.map[n] += 'y';
      break;
    case 10:
    case 11:
      CHECK((part.map.remove(n) == (c.map.erase(n) == 1) || !is_checked));
      CHECK((part.map.is_empty() == c.map.empty() || !is_checked));
      break;
    case 12:
      part.map.clear();
      c.map.clear();
      break;
    case 13:
      part.reduced.add(n);
      c.reduced = c.reduced.value_or(0) + n;
      break;
    case 14:
      part.aggregated.add(n);
      c.aggregated = c.aggregated.value_or(0) + n;
      break;
    default:
      part.reduced.clear();
      part.aggregated.clear();
      c.reduced.reset();
      c.aggregated.reset();
  }
}

}  // namespace

namespace {

/// What another backend makes of a native snapshot.
std::unique_ptr<keyed_state_backend<std::string>> canonically(state_world& world,
                                                              const native_snapshot& saved,
                                                              key_group_range groups) {
  auto state = world.make<std::string>(groups);
  for (const auto& [group, bytes] : canonical_of(saved))
    REQUIRE(state->restore_key_group(group, bytes));
  return state;
}

}  // namespace

TEST_CASE("all kinds of state agree with a model across restores, splits and backends") {
  const auto backends = all_state_backends();
  std::deque<state_world> worlds;
  for (const auto& b : backends) worlds.emplace_back(b.backend);
  for (std::uint32_t seed = 0; seed < 12; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    std::map<std::pair<std::string, std::int64_t>, content> model;
    std::deque<subtask> parts;
    parts.emplace_back(worlds[seed % worlds.size()].make<std::string>());
    const auto part_of = [&](const std::string& key) -> subtask& {
      const auto group = key_group_of(key_hash(key), test_max_parallelism);
      for (auto& part : parts)
        if (part.state->groups().contains(group)) return part;
      throw std::logic_error("no part");
    };
    for (int step = 0; step < 6'000; ++step) {
      const auto key = "key " + std::to_string(random() % 60);
      const auto ns = static_cast<std::int64_t>(random() % 3);
      auto& part = part_of(key);
      part.at(key, ns);
      auto& expected = model[{key, ns}];
      use(random, part, expected);
      if (random() % 8 == 0) check_equal(part, expected);
      if (random() % 200 == 0) part.state->flush();
      if (random() % 100 == 0) {
        // Session windows: everything into namespace 0.
        const std::vector<std::int64_t> sources{0, 1, 2};
        part.list.merge_namespaces(0, sources);
        part.reduced.merge_namespaces(0, sources);
        auto& target = model[{key, 0}];
        for (const std::int64_t source : {1, 2}) {
          auto& from = model[{key, source}];
          target.list.insert(target.list.end(), from.list.begin(), from.list.end());
          from.list.clear();
          if (from.reduced) target.reduced = target.reduced.value_or(0) + *from.reduced;
          from.reduced.reset();
        }
      }
      if (random() % 1'000 == 0) {
        // As a task that is restarted where it was.
        std::deque<subtask> restarted;
        for (auto& p : parts) {
          const auto saved = native_snapshot_of(*p.state);
          const auto groups = p.state->groups();
          if (saved.image == nullptr)
            restarted.emplace_back(std::move(p));
          else if (random() % 2 == 0)
            restarted.emplace_back(worlds.back().make_from<std::string>(saved, groups));
          else
            restarted.emplace_back(canonically(worlds[random() % worlds.size()], saved, groups));
        }
        parts = std::move(restarted);
      }
      if (random() % 1'500 == 0) {
        std::vector<std::vector<std::byte>> saved(test_max_parallelism);
        for (auto& p : parts) {
          auto some = snapshot_of(*p.state);
          for (auto g = p.state->groups().first; g <= p.state->groups().last; ++g)
            saved[g] = std::move(some[g]);
        }
        auto& world = worlds[random() % worlds.size()];
        const std::uint32_t parallelism = 1 + random() % 5;
        parts.clear();
        for (std::uint32_t i = 0; i < parallelism; ++i) {
          const auto groups = key_group_range_of(i, test_max_parallelism, parallelism);
          auto state = world.make<std::string>(groups);
          // States are asked for before or after they are restored.
          if (random() % 2 == 0) {
            REQUIRE(restore(*state, saved));
            parts.emplace_back(std::move(state));
          } else {
            parts.emplace_back(std::move(state));
            REQUIRE(restore(*parts.back().state, saved));
          }
        }
      }
    }
    for (auto& [where, expected] : model) {
      auto& part = part_of(where.first);
      part.at(where.first, where.second);
      check_equal(part, expected);
    }
  }
}

namespace {

/// The encoded entries of each state and key group. Those of timers and schedules in their order,
/// of all others in the order of their bytes.
using dump = std::map<std::pair<std::string, std::uint32_t>, std::vector<std::vector<std::byte>>>;

bool is_ordered(state_kind kind) {
  return kind == state_kind::timers || kind == state_kind::schedule;
}

class dumping_visitor final : public state_entry_visitor {
 public:
  void entry(byte_view key, byte_view ns, byte_view map_key, byte_view value) override {
    byte_writer out;
    put_entry(out, {key, ns, map_key, value});
    entries.push_back(std::move(out).take());
  }
  std::vector<std::vector<std::byte>> entries;
};

/// What there is now, by the way that does not go through a snapshot.
dump dump_of(keyed_state_backend_base& state) {
  dump all;
  for (const auto& info : state.states())
    for (auto g = state.groups().first; g <= state.groups().last; ++g) {
      dumping_visitor visitor;
      state.for_each(info.name, g, visitor);
      if (!is_ordered(info.kind)) std::ranges::sort(visitor.entries);
      if (!visitor.entries.empty()) all[{info.name, g}] = std::move(visitor.entries);
    }
  return all;
}

dump dump_of(const std::vector<encoded_key_group>& snapshot) {
  dump all;
  for (const auto& [group, bytes] : snapshot) {
    if (bytes.empty()) continue;
    const auto whole = bytes.whole();
    byte_reader in(whole.part);
    const auto sections = read_key_group(in, group);
    REQUIRE(sections);
    CHECK(in.remaining() == 0);
    const auto states = states_in({group, bytes});
    REQUIRE(states);
    CHECK(std::ranges::equal(*states, *sections, {}, {}, &key_group_section::info));
    for (const auto& [info, entries] : *sections) {
      dumping_visitor visitor;
      byte_reader rest(entries);
      encoded_entry one;
      while (rest.remaining() > 0) {
        REQUIRE(get_entry(rest, one));
        visitor.entry(one.key, one.ns, one.map_key, one.value);
      }
      if (!is_ordered(info.kind)) std::ranges::sort(visitor.entries);
      if (!visitor.entries.empty()) all[{info.name, group}] = std::move(visitor.entries);
    }
  }
  return all;
}

/// All kinds of state that `subtask` does not have: timers, schedules, and times to live.
struct subtask_with_time {
  explicit subtask_with_time(state_world& world)
      : base(world.make<std::string>()),
        timers(base.state->timers<std::int64_t>("timers")),
        schedule(base.state->schedule("schedule")),
        value(base.state->get_state(
            value_state_descriptor<std::string>("short-lived").enable_ttl(ttl()))),
        list(base.state->get_list_state(
            list_state_descriptor<std::int64_t>("short-lived list").enable_ttl(ttl()))),
        map(base.state->get_map_state(
            map_state_descriptor<int, std::string>("short-lived map").enable_ttl(ttl()))) {}

  static state_ttl_config ttl() {
    return {.ttl = std::chrono::milliseconds(50), .update = ttl_update::on_read_and_write};
  }

  /// One random use; time has come to `now`.
  void use(std::mt19937& random, timestamp_ms now) {
    auto& state = *base.state;
    const std::string key = "key " + std::to_string(random() % 60);
    const auto n = static_cast<std::int64_t>(random() % 40);
    state.set_current_key(key);
    const auto changes = [&](const timer<std::string, std::int64_t>& due) {
      state.set_current_key(due.key);
      if (due.ns % 3 == 0) timers.register_event_time_timer(due.ns + 1, due.timestamp + 7);
    };
    switch (random() % 14) {
      case 0:
      case 1:
        timers.register_event_time_timer(n % 5, now + n);
        break;
      case 2:
        timers.register_processing_time_timer(n % 5, now + n);
        break;
      case 3:
        timers.delete_event_time_timer(n % 5, now + n);
        timers.delete_processing_time_timer(n % 5, now + n);
        break;
      case 4:
        timers.advance_watermark(now, changes);
        break;
      case 5:
        timers.advance_processing_time(now, changes);
        break;
      case 6:
      case 7:
      case 8:
        schedule.add(key_hash(key), key, now + n / 4);
        if (n == 0)  // so many that they no longer share a list
          for (int i = 0; i < 50; ++i)
            schedule.add(key_hash(std::to_string(i)), std::to_string(i), now + i % 2);
        break;
      case 9: {
        const auto take = [](timestamp_ms, const auto& block) {
          for (auto& taken : block.keys) taken = "taken";
        };
        schedule.advance(now, take);
        break;
      }
      case 10:
        value.get_or_default() += 'x';
        break;
      case 11:
        list.add(n);
        break;
      case 12:
        map.get_or_default(static_cast<int>(n)) += 'y';
        break;
      default:
        map.remove(static_cast<int>(n));
        value.has_value();
        list.get();
    }
  }

  subtask base;
  timer_service<std::string, std::int64_t>& timers;
  key_schedule<std::string>& schedule;
  value_state<std::string> value;
  list_state<std::int64_t> list;
  map_state<int, std::string> map;
};

}  // namespace

TEST_CASE("a snapshot written in slices has what there was when it began, in all kinds of state") {
  std::size_t written = 0;
  for (const auto& [name, backend] : all_state_backends()) {
    for (std::uint32_t seed = 0; seed < 6; ++seed) {
      CAPTURE(name);
      CAPTURE(seed);
      std::mt19937 random(seed);
      state_world world(backend);
      subtask_with_time part(world);
      auto& state = *part.base.state;
      timestamp_ms now = 0;
      std::unique_ptr<keyed_state_snapshot> snapshot;
      dump expected;
      for (int step = 0; step < 4'000; ++step) {
        if (random() % 4 == 0) {
          content ignored;
          part.base.at("key " + std::to_string(random() % 60), random() % 3);
          use(random, part.base, ignored, false);
        } else {
          part.use(random, now);
        }
        if (random() % 50 == 0) {
          const std::vector<std::int64_t> sources{0, 1, 2};
          part.base.list.merge_namespaces(0, sources);
          part.base.reduced.merge_namespaces(0, sources);
        }
        if (random() % 20 == 0) ++now;
        if (random() % 100 == 0) state.flush();
        if (snapshot == nullptr) {
          // What has expired and what has not yet is the same when it is written: the clock stands.
          if (random() % 10 == 0) world.time.advance(std::chrono::milliseconds(5));
          if (random() % 150 != 0) continue;
          expected = dump_of(state);
          snapshot = state.begin_snapshot();
          continue;
        }
        if (random() % 900 == 0) {
          snapshot.reset();  // aborted
          continue;
        }
        if (random() % 3 != 0) continue;
        snapshot_budget slice(1 + random() % 700);
        if (!snapshot->write(slice)) continue;
        const auto all = snapshot->take();
        CHECK(all.size() == test_max_parallelism);
        CHECK(dump_of(all) == expected);
        snapshot.reset();
        ++written;
      }
    }
  }
  CHECK(written > 100);
}

namespace {

const value_state_descriptor<int> kept("kept");
const value_state_descriptor<int> used("used");

/// Both states of fifty keys.
void fill(keyed_state_backend<std::int64_t>& state) {
  for (std::int64_t key = 0; key < 50; ++key) {
    state.set_current_key(key);
    state.get_state(kept).update(static_cast<int>(key));
    state.get_state(used).update(1);
  }
}

}  // namespace

TEST_CASE("a state that is asked for while a snapshot is written is in it as it was restored") {
  for (const auto& [name, backend] : all_state_backends()) {
    CAPTURE(name);
    state_world world(backend);
    auto first = world.make<std::int64_t>();
    fill(*first);
    const auto saved = snapshot_of(*first);
    auto second = world.make<std::int64_t>();
    REQUIRE(restore(*second, saved));
    second->get_state(used);
    const auto snapshot = second->begin_snapshot();
    for (std::int64_t key = 0; key < 50; ++key) {
      second->set_current_key(key);
      second->get_state(kept).update(-1);
      second->get_state(used).update(-1);
    }
    auto all = snapshot_budget::unlimited();
    CHECK(snapshot->write(all));
    CHECK(dump_of(snapshot->take()) == dump_of(*first));
  }
}

TEST_CASE("a state that nobody asks for survives further snapshots") {
  for (const auto& [name, backend] : all_state_backends()) {
    CAPTURE(name);
    state_world world(backend);
    auto first = world.make<std::int64_t>();
    fill(*first);
    auto second = world.make<std::int64_t>();
    REQUIRE(restore(*second, snapshot_of(*first)));
    second->set_current_key(3);
    second->get_state(used).update(2);
    auto third = world.make<std::int64_t>();
    REQUIRE(restore(*third, snapshot_of(*second)));
    for (std::int64_t key = 0; key < 50; ++key) {
      third->set_current_key(key);
      CHECK(third->get_state(kept).value() == key);
      CHECK(third->get_state(used).value() == (key == 3 ? 2 : 1));
    }
    CHECK(third->states().size() == 2);
    CHECK(third->states().front().name == "kept");
  }
}

TEST_CASE("a snapshot of another type is refused by name") {
  for (const auto& [name, backend] : all_state_backends()) {
    CAPTURE(name);
    state_world world(backend);
    auto saved = world.make<std::int64_t>();
    saved->set_current_key(1);
    saved->get_state(value_state_descriptor<std::int64_t>("n")).update(1);
    const auto snapshot = snapshot_of(*saved);

    auto other_value = world.make<std::int64_t>();
    other_value->get_state(value_state_descriptor<std::string>("n"));
    const auto refused = restore(*other_value, snapshot);
    REQUIRE(!refused);
    CHECK(refused.error() ==
          error{errc::type_mismatch,
                "state 'n' of operator 'counter' can't be restored: it had another type of value: "
                "it was i64 and is now str, and the type of a field has changed (fields may be "
                "added at the end of a record, with defaults); give the state of the new type a "
                "new name, or keep the old type"});

    auto late = world.make<std::int64_t>();
    REQUIRE(restore(*late, snapshot));
    CHECK_THROWS_AS(late->get_list_state(list_state_descriptor<std::int64_t>("n")), failure);

    auto other_key = world.make<std::string>();
    REQUIRE(restore(*other_key, snapshot));
    CHECK_THROWS_WITH_AS(
        other_key->get_state(value_state_descriptor<std::int64_t>("n")),
        "state 'n' of operator 'counter' can't be restored: it had another type of key: it was i64 "
        "and is now str; give the state of the new type a new name, or keep the old type",
        failure);
  }
}

namespace {

struct visits {
  std::int64_t count = 0;
  std::string last;
};
struct visits_later {
  std::int64_t count = 0;
  std::string last;
  double weight = 0.5;
  std::vector<std::string> tags = std::vector<std::string>(1, "none");
};

}  // namespace

TEST_CASE("fields that were added at the end of a record have their defaults after a restore") {
  for (const auto& [name, backend] : all_state_backends()) {
    CAPTURE(name);
    state_world world(backend);
    auto saved = world.make<std::int64_t>();
    const state_ttl_config ttl{.ttl = std::chrono::hours(1)};
    for (std::int64_t key = 0; key < 50; ++key) {
      saved->set_current_key(key);
      saved->get_state(value_state_descriptor<visits>("value")).update({key, "x"});
      saved->get_list_state(list_state_descriptor<visits>("list").enable_ttl(ttl)).add({key, "y"});
      saved->get_map_state(map_state_descriptor<std::string, visits>("map")).put("k", {key, "z"});
    }
    const auto snapshot = snapshot_of(*saved);
    for (const bool restores_first : {true, false}) {
      auto later = world.make<std::int64_t>();
      if (restores_first) REQUIRE(restore(*later, snapshot));
      const auto value = later->get_state(value_state_descriptor<visits_later>("value"));
      const auto list =
          later->get_list_state(list_state_descriptor<visits_later>("list").enable_ttl(ttl));
      const auto map = later->get_map_state(map_state_descriptor<std::string, visits_later>("map"));
      if (!restores_first) REQUIRE(restore(*later, snapshot));
      for (std::int64_t key = 0; key < 50; ++key) {
        later->set_current_key(key);
        const auto one = value.value();
        CHECK(one.count == key);
        CHECK(one.last == "x");
        CHECK(one.weight == 0.5);
        CHECK(one.tags == std::vector<std::string>{"none"});
        REQUIRE(list.get().size() == 1);
        CHECK(list.get()[0].last == "y");
        CHECK(list.get()[0].weight == 0.5);
        CHECK(map.get("k")->tags.size() == 1);
      }
      // Not the other way round.
      auto back = world.make<std::int64_t>();
      REQUIRE(restore(*back, snapshot_of(*later)));
      CHECK_THROWS_WITH_AS(back->get_state(value_state_descriptor<visits>("value")),
                           doctest::Contains("it was {i64,str,f64,vec<str>} and is now {i64,str}"),
                           failure);
    }
  }
}

TEST_CASE("parts of a snapshot may have a state by its old type, and others by its new one") {
  for (const auto& [name, backend] : all_state_backends()) {
    CAPTURE(name);
    state_world world(backend);
    const value_state_descriptor<std::int64_t> plain("n");
    const auto lasting = plain.enable_ttl({.ttl = std::chrono::hours(1)});
    auto old = world.make<std::int64_t>();
    old->set_current_key(1);
    old->get_state(plain).update(10);
    auto of_new = world.make<std::int64_t>();
    of_new->set_current_key(2);
    of_new->get_state(lasting).update(20);
    // As a subtask has it that gets the key groups of two, only one of which had asked for it.
    auto both = world.make<std::int64_t>();
    REQUIRE(restore(*both, snapshot_of(*old)));
    REQUIRE(restore(*both, snapshot_of(*of_new)));
    auto again = world.make<std::int64_t>();
    REQUIRE(restore(*again, snapshot_of(*both)));
    const auto found = again->get_state(lasting);
    for (std::int64_t key = 1; key <= 2; ++key) {
      again->set_current_key(key);
      CHECK(found.value() == 10 * key);
    }
  }
}

TEST_CASE("damaged snapshots are refused and never crash") {
  state_world world(std::make_shared<hashmap_state_backend>());
  auto saved = world.make<std::string>();
  for (int i = 0; i < 200; ++i) {
    saved->set_current_key("key " + std::to_string(i));
    saved->get_map_state(map_state_descriptor<std::string, double>("map")).put("x", i);
    saved->get_list_state(list_state_descriptor<std::string>("list")).add("y");
    saved->timers<std::int64_t>("timers").register_event_time_timer(i, i);
  }
  const auto good = snapshot_of(*saved);
  std::mt19937 random(1);
  int refused = 0;
  for (int round = 0; round < 2'000; ++round) {
    const std::uint32_t group = random() % test_max_parallelism;
    auto bytes = good[group];
    if (round % 2 == 0)
      bytes.resize(random() % bytes.size());
    else
      bytes[random() % bytes.size()] ^= static_cast<std::byte>(1u << random() % 8);
    auto state = world.make<std::string>();
    state->get_map_state(map_state_descriptor<std::string, double>("map"));
    state->get_list_state(list_state_descriptor<std::string>("list"));
    state->timers<std::int64_t>("timers");
    byte_reader in(bytes);
    const auto done = state->restore_key_group(group, in);
    if (!done) ++refused;
    if (round % 2 == 0) CHECK(!done);
  }
  CHECK(refused > 1'000);
}

}  // namespace state_snapshot_test
