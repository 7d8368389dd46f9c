#include "support/native_snapshots.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "millrace/state/keyed_state_slot.hpp"
#include "support/rocksdb_world.hpp"
#include "support/state_world.hpp"

namespace native_snapshot_test {

/// Only its own code knows where it ends.
struct sealed {
  std::int64_t number = 0;

  bool operator==(const sealed&) const = default;
};

}  // namespace native_snapshot_test

template <>
struct millrace::codec<native_snapshot_test::sealed> {
  static constexpr std::string_view type_name = "native_snapshot_test.sealed/1";
  static void write(byte_writer& out, const native_snapshot_test::sealed& value) {
    encode(out, value.number);
  }
  static bool read(byte_reader& in, native_snapshot_test::sealed& value) {
    return decode(in, value.number);
  }
};

namespace native_snapshot_test {

using namespace millrace;
using namespace std::chrono_literals;
using millrace::test::canonical_of;
using millrace::test::distant_image;
using millrace::test::native_snapshot;
using millrace::test::native_snapshot_of;
using millrace::test::restore;
using millrace::test::rocksdb_world;
using millrace::test::snapshot_of;
using millrace::test::state_world;
using millrace::test::test_max_parallelism;

namespace {

std::size_t directories_in(const std::string& path) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path),
                                                std::filesystem::directory_iterator()));
}

std::set<std::string> names_of(const database_image& image) {
  std::set<std::string> names;
  for (const auto& file : image.files()) names.insert(file.name);
  return names;
}

/// What is in key groups, by group.
std::vector<std::vector<std::byte>> by_group(const std::vector<encoded_key_group>& groups) {
  std::vector<std::vector<std::byte>> all(test_max_parallelism);
  for (const auto& [group, bytes] : groups) all[group] = test::copy_of(bytes);
  return all;
}

struct total final : aggregate_function<std::int64_t, std::int64_t, std::string> {
  void add(std::int64_t& into, const std::int64_t& value) const override { into += value; }
  std::string get_result(const std::int64_t& from) const override { return std::to_string(from); }
  void merge(std::int64_t& into, const std::int64_t& from) const override { into += from; }
};

/// A key with parts that end in different ways.
struct spot {
  std::string name;
  double height = 0;
  std::int32_t tag = 0;

  bool operator==(const spot&) const = default;
};

/// All kinds of state, with keys of many forms.
void fill(keyed_state_backend<spot>& state, std::int64_t from, std::int64_t to) {
  const auto value = state.get_namespaced<std::pair<std::int64_t, std::string>>(
      value_state_descriptor<std::string>("value"));
  const auto list = state.get_list_state(list_state_descriptor<std::int64_t>("list"));
  const auto map = state.get_namespaced<std::string>(
      map_state_descriptor<std::pair<double, std::string>, std::int64_t>("map"));
  const auto reduced = state.get_reducing_state(reducing_state_descriptor<std::int64_t>(
      "reduced", [](std::int64_t a, std::int64_t b) { return a + b; }));
  const auto aggregated = state.get_aggregating_state(
      aggregating_state_descriptor<std::int64_t, std::int64_t, std::string>("aggregated", total()));
  const auto lasting =
      state.get_state(value_state_descriptor<std::string>("lasting").enable_ttl({.ttl = 1h}));
  const auto lasting_list = state.get_list_state(
      list_state_descriptor<std::int64_t>("lasting list").enable_ttl({.ttl = 1h}));
  auto& timers = state.timers<std::int64_t>("timers");
  auto& schedule = state.schedule("schedule");
  for (auto n = from; n < to; ++n) {
    const spot key{std::string(static_cast<std::size_t>(n % 7), 'k') + std::to_string(n),
                   n % 3 == 1 ? -0.0 : 0.5 * static_cast<double>(n),
                   static_cast<std::int32_t>(n % 4)};
    state.set_current_key(key);
    value.set_current_namespace({n % 5, std::string(static_cast<std::size_t>(n % 3), 'n')});
    value.update(std::to_string(n));
    list.add(n);
    list.add(-n);
    map.set_current_namespace("");
    map.put({0.25 * static_cast<double>(n), "x"}, n);
    map.set_current_namespace("other");
    map.put({-0.0, ""}, n);
    map.put({1, "long enough to be on the heap of its string"}, n);
    reduced.add(n);
    aggregated.add(n);
    lasting.update("l" + std::to_string(n));
    lasting_list.add_all({n, n + 1});
    timers.register_event_time_timer(n % 4, 1000 - n);
    schedule.add(key_hash(key), key, n / 10);
  }
}

}  // namespace

TEST_CASE("canonical key groups are made of a native snapshot without the code of its types") {
  rocksdb_world r;
  auto state = r.world.make<spot>();
  fill(*state, 0, 500);
  const auto native = native_snapshot_of(*state);
  REQUIRE(native.image != nullptr);
  CHECK(native.image->tables.size() == 7);
  CHECK(by_group(canonical_of(native)) == snapshot_of(*state));
  // Only timers are beside it.
  std::size_t beside = 0;
  for (const auto& group : native.beside) beside += group.bytes.size();
  CHECK(beside > 0);
  std::size_t all = 0;
  for (const auto& group : snapshot_of(*state)) all += group.size();
  CHECK(beside < all / 3);
}

TEST_CASE("a native snapshot has what there was when it began") {
  rocksdb_world r;
  auto state = r.world.make<spot>();
  fill(*state, 0, 300);
  const auto expected = snapshot_of(*state);
  const auto snapshot = state->begin_snapshot(snapshot_form::native);
  fill(*state, 100, 400);
  auto budget = snapshot_budget::unlimited();
  while (!snapshot->write(budget)) {
  }
  const native_snapshot native{snapshot->take(), snapshot->image()};
  CHECK(by_group(canonical_of(native)) == expected);
}

TEST_CASE("keyed state goes on with the files of a native snapshot") {
  rocksdb_world r;
  auto first = r.world.make<spot>();
  fill(*first, 0, 500);
  const auto saved = native_snapshot_of(*first);
  auto second = r.world.make_from<spot>(saved);
  first.reset();
  SUBCASE("with all of its states") {
    fill(*second, 400, 600);
  }
  SUBCASE("of which some are asked for") {
    const auto list = second->get_list_state(list_state_descriptor<std::int64_t>("list"));
    second->set_current_key(spot{"0"});
    CHECK(list.get() == std::vector<std::int64_t>{0, 0});
    list.add(1);
  }
  SUBCASE("of which none is asked for") {}
  // Again and again, whether the files are taken over or not.
  const auto again = native_snapshot_of(*second);
  REQUIRE(again.image != nullptr);
  CHECK(again.image->tables.size() == 7);
  const auto expected = canonical_of(again);
  auto third = r.world.make_from<spot>(again);
  CHECK(by_group(canonical_of(native_snapshot_of(*third))) == by_group(expected));
  // A savepoint has all of it, too: also what nobody asked for.
  CHECK(snapshot_of(*third) == by_group(expected));
  CHECK(snapshot_of(*second) == by_group(expected));
}

TEST_CASE("later images share files with earlier ones, also of a database that was restored") {
  rocksdb_world r;
  auto state = r.world.make<std::int64_t>();
  const auto fill_text = [](keyed_state_backend<std::int64_t>& to, std::int64_t from) {
    const auto text = to.get_state(value_state_descriptor<std::string>("text"));
    for (auto key = from; key < from + 2000; ++key) {
      to.set_current_key(key);
      text.update(std::string(100, 'x') + std::to_string(key));
    }
  };
  const auto new_files = [](const native_snapshot& later, const native_snapshot& earlier) {
    const auto known = names_of(*earlier.image);
    std::uint64_t bytes = 0;
    for (const auto& file : later.image->files())
      if (is_shareable(file.name) && !known.contains(file.name)) bytes += file.bytes;
    return bytes;
  };
  for (int i = 0; i < 8; ++i) fill_text(*state, i * 2000);
  const auto first = native_snapshot_of(*state);
  fill_text(*state, 16'000);
  const auto second = native_snapshot_of(*state);
  const auto added = new_files(second, first);
  CHECK(added > 0);
  CHECK(added < 2000 * 200);
  CHECK(new_files(native_snapshot_of(*state), second) == 0);

  auto restored = r.world.make_from<std::int64_t>(second);
  CHECK(new_files(native_snapshot_of(*restored), second) == 0);
  fill_text(*restored, 18'000);
  const auto third = native_snapshot_of(*restored);
  const auto known = names_of(*second.image);
  CHECK(new_files(third, second) > 0);
  CHECK(new_files(third, second) < 2000 * 200);
  const auto text = restored->get_state(value_state_descriptor<std::string>("text"));
  for (std::int64_t key = 0; key < 20'000; key += 997) {
    restored->set_current_key(key);
    CHECK(text.value() == std::string(100, 'x') + std::to_string(key));
  }
}

TEST_CASE("a state that is another one now is taken out of the files") {
  rocksdb_world r;
  auto first = r.world.make<std::int64_t>();
  const auto number = first->get_state(value_state_descriptor<std::int64_t>("number"));
  const auto other = first->get_state(value_state_descriptor<std::int64_t>("other"));
  for (std::int64_t key = 0; key < 100; ++key) {
    first->set_current_key(key);
    number.update(key);
    other.update(-key);
  }
  const auto saved = native_snapshot_of(*first);
  auto second = r.world.make_from<std::int64_t>(saved);
  SUBCASE("with a time to live") {
    const auto living =
        second->get_state(value_state_descriptor<std::int64_t>("number").enable_ttl({.ttl = 50ms}));
    for (std::int64_t key = 0; key < 100; ++key) {
      second->set_current_key(key);
      CHECK(living.value() == key);
    }
    r.world.time.advance(60ms);
    second->set_current_key(5);
    CHECK_FALSE(living.has_value());
    CHECK(second->get_state(value_state_descriptor<std::int64_t>("other")).value() == -5);
    auto third = r.world.make_from<std::int64_t>(native_snapshot_of(*second));
    third->set_current_key(7);
    CHECK(third->get_state(value_state_descriptor<std::int64_t>("other")).value() == -7);
  }
  SUBCASE("of another type") {
    CHECK_THROWS_WITH_AS(
        second->get_state(value_state_descriptor<std::string>("number")),
        doctest::Contains("state 'number' of operator 'counter' can't be restored"), failure);
  }
  SUBCASE("of another kind that is not in the files") {
    CHECK_THROWS_WITH_AS(
        second->timers<std::int64_t>("number"),
        doctest::Contains("state 'number' of operator 'counter' can't be restored"), failure);
  }
}

namespace {

struct visit {
  std::int64_t count = 0;
};
struct longer_visit {
  std::int64_t count = 0;
  std::string who = "nobody";
};

}  // namespace

TEST_CASE("fields that were added at the end of a record have their defaults") {
  rocksdb_world r;
  auto first = r.world.make<std::int64_t>();
  const auto visits = first->get_map_state(map_state_descriptor<std::string, visit>("visits"));
  for (std::int64_t key = 0; key < 50; ++key) {
    first->set_current_key(key);
    visits.put("a", {key});
    visits.put("b", {-key});
  }
  auto second = r.world.make_from<std::int64_t>(native_snapshot_of(*first));
  const auto longer =
      second->get_map_state(map_state_descriptor<std::string, longer_visit>("visits"));
  for (std::int64_t key = 0; key < 50; ++key) {
    second->set_current_key(key);
    REQUIRE(longer.get("b") != nullptr);
    CHECK(longer.get("b")->count == -key);
    CHECK(longer.get("a")->who == "nobody");
  }
  // And from there on as any.
  auto third = r.world.make_from<std::int64_t>(native_snapshot_of(*second));
  third->set_current_key(9);
  CHECK(third->get_map_state(map_state_descriptor<std::string, longer_visit>("visits"))
            .get("a")
            ->count == 9);
}

TEST_CASE("the time to live counts in a database that was restored") {
  rocksdb_world r;
  auto first = r.world.make<std::int64_t>();
  const auto descriptor = value_state_descriptor<std::int64_t>("short").enable_ttl({.ttl = 100ms});
  first->set_current_key(1);
  first->get_state(descriptor).update(1);
  r.world.time.advance(60ms);
  first->set_current_key(2);
  first->get_state(descriptor).update(2);
  auto second = r.world.make_from<std::int64_t>(native_snapshot_of(*first));
  const auto state = second->get_state(descriptor);
  second->set_current_key(1);
  CHECK(state.has_value());
  r.world.time.advance(50ms);
  CHECK_FALSE(state.has_value());
  second->set_current_key(2);
  CHECK(state.value() == 2);
}

TEST_CASE("keys that only their own code can read are snapshot in canonical form") {
  rocksdb_world r;
  auto state = r.world.make<sealed>();
  state->set_current_key({1});
  state->get_state(value_state_descriptor<std::int64_t>("value")).update(1);
  const auto native = native_snapshot_of(*state);
  CHECK(native.image == nullptr);
  CHECK(by_group(native.beside) == snapshot_of(*state));
  // Values may be what they like.
  auto other = r.world.make<std::int64_t>();
  other->set_current_key(1);
  other->get_map_state(map_state_descriptor<std::string, sealed>("map")).put("x", {7});
  const auto files = native_snapshot_of(*other);
  REQUIRE(files.image != nullptr);
  CHECK(by_group(canonical_of(files)) == snapshot_of(*other));
}

TEST_CASE("what has no files of its own is snapshot in canonical form") {
  state_world hashmap(std::make_shared<hashmap_state_backend>());
  auto state = hashmap.make<std::int64_t>();
  state->set_current_key(1);
  state->get_state(value_state_descriptor<std::int64_t>("value")).update(1);
  const auto native = native_snapshot_of(*state);
  CHECK(native.image == nullptr);
  CHECK(by_group(native.beside) == snapshot_of(*state));

  rocksdb_world r;
  auto timers = r.world.make<std::int64_t>();
  timers->set_current_key(1);
  timers->timers<std::int64_t>("timers").register_event_time_timer(0, 1);
  CHECK(native_snapshot_of(*timers).image == nullptr);
}

TEST_CASE("images are removed with those that need them") {
  rocksdb_world r;
  auto state = r.world.make<std::int64_t>();
  state->set_current_key(1);
  state->get_state(value_state_descriptor<std::int64_t>("value")).update(1);
  native_snapshot_of(*state);  // later ones share its files, and keep them
  const auto before = directories_in(r.backend->directory());
  {
    const auto native = native_snapshot_of(*state);
    CHECK(directories_in(r.backend->directory()) == before + 1);
    CHECK(std::filesystem::exists(native.image->directory() + "/CURRENT"));
    const auto given_up = state->begin_snapshot(snapshot_form::native);
    CHECK(directories_in(r.backend->directory()) == before + 2);
  }
  CHECK(directories_in(r.backend->directory()) == before);
  const auto saved = native_snapshot_of(*state);
  auto restored = r.world.make_from<std::int64_t>(saved);
  CHECK(directories_in(r.backend->directory()) == before + 4);  // it, and its own base and log
  restored.reset();
  CHECK(directories_in(r.backend->directory()) == before + 1);
}

TEST_CASE("an operator that does not ask for its state keeps it, and may ask late") {
  rocksdb_world r;
  auto first = r.world.make<std::int64_t>();
  const auto value = value_state_descriptor<std::int64_t>("value");
  for (std::int64_t key = 0; key < 50; ++key) {
    first->set_current_key(key);
    first->get_state(value).update(key);
    first->timers<std::int64_t>("timers").register_event_time_timer(0, key);
  }
  const auto saved = native_snapshot_of(*first);
  const auto image = [&] { return r.backend->bring(distant_image(saved.image)).value(); };
  keyed_state_environment env{.operator_name = "counter",
                              .operator_uid = "uid-of-counter",
                              .groups = {0, test_max_parallelism - 1},
                              .max_parallelism = test_max_parallelism,
                              .time = &r.world.time};
  keyed_state_slot slot(env, r.backend);
  slot.restore(saved.beside, image());
  SUBCASE("after a snapshot") {
    slot.begin_snapshot(snapshot_form::native);
    auto budget = snapshot_budget::unlimited();
    CHECK(slot.write_snapshot(budget));
    CHECK(slot.snapshot_image() == nullptr);
    CHECK(by_group(slot.take_snapshot()) == snapshot_of(*first));
  }
  SUBCASE("before any") {}
  auto& state = slot.get<std::int64_t>();
  state.set_current_key(7);
  CHECK(state.get_state(value).value() == 7);
  CHECK(state.timers<std::int64_t>("timers").event_time_timer_count() == 50);
  state.get_state(value).update(70);
  slot.begin_snapshot(snapshot_form::native);
  CHECK(slot.snapshot_image() != nullptr);
  slot.abandon_snapshot();
  CHECK(slot.snapshot_image() == nullptr);
}

}  // namespace native_snapshot_test
