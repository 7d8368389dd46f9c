#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "millrace/state/keyed_state_backend.hpp"
#include "support/state_backends.hpp"
#include "support/state_world.hpp"
#include "support/temporary_directory.hpp"

namespace state_ttl_test {

using namespace millrace;
using namespace std::chrono_literals;
using millrace::test::all_state_backends;
using millrace::test::restore;
using millrace::test::snapshot_of;
using millrace::test::state_world;

namespace {

/// Counts the entries of a state.
class entry_counter final : public state_entry_visitor {
 public:
  void entry(byte_view, byte_view, byte_view, byte_view) override { ++count; }
  std::size_t count = 0;
};

std::size_t entries_of(keyed_state_backend_base& state, const std::string& name) {
  entry_counter counter;
  for (auto g = state.groups().first; g <= state.groups().last; ++g)
    state.for_each(name, g, counter);
  return counter.count;
}

state_ttl_config shown_until_cleaned_up() {
  return {.ttl = 10s,
          .visibility = ttl_visibility::return_expired_if_not_cleaned_up,
          .cleanup_entries = 0};
}

struct product : aggregate_function<std::int64_t, std::int64_t, std::string> {
  std::int64_t create_accumulator() const override { return 1; }
  void add(std::int64_t& into, const std::int64_t& factor) const override { into *= factor; }
  std::string get_result(const std::int64_t& all) const override { return std::to_string(all); }
  void merge(std::int64_t& into, const std::int64_t& from) const override { into *= from; }
};

}  // namespace

TEST_CASE("a value expires after its time since it was written") {
  for (const auto& [name, backend] : all_state_backends()) {
    CAPTURE(name);
    state_world world(backend);
    auto state = world.make<std::int64_t>();
    const auto value = state->get_state(
        value_state_descriptor<std::string>("value", "none").enable_ttl({.ttl = 10s}));
    const auto sum =
        state->get_reducing_state(reducing_state_descriptor<int>("sum", [](int a, int b) {
                                    return a + b;
                                  }).enable_ttl({.ttl = 10s}));
    state->set_current_key(1);
    value.update("x");
    sum.add(1);
    world.time.advance(9'999ms);
    CHECK(value.value() == "x");
    sum.add(1);
    world.time.advance(1ms);
    CHECK(value.value() == "none");
    CHECK(!value.has_value());
    CHECK(*sum.get() == 2);
    world.time.advance(9'999ms);
    CHECK(sum.get() == nullptr);
    sum.add(5);
    CHECK(*sum.get() == 5);
    CHECK(value.get_or_default() == "none");
    world.time.advance(5s);
    value.get_or_default() = "y";
    world.time.advance(9s);
    CHECK(value.value() == "y");
  }
}

TEST_CASE("reading prolongs a value's life only if it is to") {
  for (const auto& [name, backend] : all_state_backends()) {
    CAPTURE(name);
    state_world world(backend);
    auto state = world.make<std::int64_t>();
    const state_ttl_config on_read{.ttl = 10s, .update = ttl_update::on_read_and_write};
    const auto read = state->get_state(value_state_descriptor<int>("read").enable_ttl(on_read));
    const auto written =
        state->get_state(value_state_descriptor<int>("written").enable_ttl({.ttl = 10s}));
    const auto map =
        state->get_map_state(map_state_descriptor<int, int>("map").enable_ttl(on_read));
    const auto list = state->get_list_state(list_state_descriptor<int>("list").enable_ttl(on_read));
    state->set_current_key(1);
    read.update(1);
    written.update(1);
    map.put(1, 1);
    map.put(2, 2);
    list.add(1);
    for (int i = 0; i < 5; ++i) {
      world.time.advance(6s);
      state->flush();
      CHECK(read.value() == 1);
      CHECK(written.has_value() == (i == 0));
      CHECK(map.contains(1));
      CHECK(list.get() == std::vector<int>{1});
    }
    CHECK(!map.contains(2));
    CHECK(map.entries().size() == 1);
    world.time.advance(10s);
    CHECK(map.is_empty());
    CHECK(list.get().empty());
  }
}

TEST_CASE("elements of a list and entries of a map expire one by one") {
  for (const auto& [name, backend] : all_state_backends()) {
    CAPTURE(name);
    state_world world(backend);
    auto state = world.make<std::int64_t>();
    const state_ttl_config config{.ttl = 10s};
    const auto map =
        state->get_map_state(map_state_descriptor<std::string, int>("map").enable_ttl(config));
    const auto list =
        state->get_list_state(list_state_descriptor<std::string>("list").enable_ttl(config));
    state->set_current_key(1);
    for (const char* step : {"a", "b", "c"}) {
      map.put(step, 1);
      list.add(step);
      world.time.advance(4s);
    }
    CHECK(list.get() == std::vector<std::string>{"b", "c"});
    CHECK(!map.contains("a"));
    CHECK(map.get_or_default("b") == 1);
    CHECK(map.get_or_default("a") == 0);
    world.time.advance(9s);
    CHECK(map.keys().size() == 2);
    CHECK(list.get().empty());
  }
}

TEST_CASE("an expired value may be shown until it is cleaned up") {
  for (const auto& [name, backend] : all_state_backends()) {
    CAPTURE(name);
    state_world world(backend);
    auto state = world.make<std::int64_t>();
    const auto config = shown_until_cleaned_up();
    const auto value = state->get_state(value_state_descriptor<int>("value").enable_ttl(config));
    state->set_current_key(1);
    value.update(4);
    world.time.advance(1h);
    CHECK(value.value() == 4);
    CHECK(value.get_or_default() == 0);
  }
}

TEST_CASE("an accumulator expires as a whole, and begins anew") {
  for (const auto& [name, backend] : all_state_backends()) {
    CAPTURE(name);
    state_world world(backend);
    auto state = world.make<std::int64_t>();
    const auto all = state->get_aggregating_state(
        aggregating_state_descriptor<std::int64_t, std::int64_t, std::string>("product", product())
            .enable_ttl({.ttl = 10s}));
    state->set_current_key(1);
    all.add(2);
    world.time.advance(9s);
    all.add(3);
    state->flush();
    world.time.advance(9s);
    CHECK(*all.get() == "6");
    world.time.advance(1s);
    CHECK(!all.get());
    all.add(5);
    CHECK(*all.get() == "5");
  }
}

TEST_CASE("elements, entries and sums that have expired may be shown until they are cleaned up") {
  for (const auto& [name, backend] : all_state_backends()) {
    CAPTURE(name);
    state_world world(backend);
    auto state = world.make<std::int64_t>();
    const auto config = shown_until_cleaned_up();
    const auto map =
        state->get_map_state(map_state_descriptor<std::string, int>("map").enable_ttl(config));
    const auto list =
        state->get_list_state(list_state_descriptor<std::string>("list").enable_ttl(config));
    const auto sum =
        state->get_reducing_state(reducing_state_descriptor<int>("sum", [](int a, int b) {
                                    return a + b;
                                  }).enable_ttl(config));
    state->set_current_key(1);
    map.put("a", 1);
    list.add("a");
    sum.add(3);
    world.time.advance(1h);
    CHECK(*map.get("a") == 1);
    CHECK(map.contains("a"));
    CHECK(list.get() == std::vector<std::string>{"a"});
    CHECK(*sum.get() == 3);
    // What is added now is not added to it.
    sum.add(4);
    CHECK(*sum.get() == 4);
    CHECK(map.get_or_default("a") == 0);
  }
}

TEST_CASE("a list that is added to for ever does not keep what has expired") {
  for (const auto& [name, backend] : all_state_backends()) {
    CAPTURE(name);
    state_world world(backend);
    auto state = world.make<std::int64_t>();
    const auto list = state->get_list_state(
        list_state_descriptor<int>("list").enable_ttl({.ttl = 10s, .cleanup_entries = 0}));
    state->set_current_key(1);
    for (int i = 0; i < 500; ++i) {
      list.add(i);
      world.time.advance(1s);
    }
    CHECK(list.get().size() == 9);
    world.time.advance(-500s);  // What expired but was not removed would be shown again.
    CHECK(list.get().size() < 2 * 10 + 2);
    CHECK(list.get().back() == 499);
  }
}

TEST_CASE("a list whose elements have all expired is gone when it is read") {
  for (const auto& [name, backend] : all_state_backends()) {
    CAPTURE(name);
    state_world world(backend);
    auto state = world.make<std::int64_t>();
    const auto list = state->get_list_state(
        list_state_descriptor<int>("list").enable_ttl({.ttl = 10s, .cleanup_entries = 0}));
    state->set_current_key(1);
    list.update({1, 2});
    world.time.advance(10s);
    CHECK(list.get().empty());
    world.time.advance(-10s);
    CHECK(list.get().empty());
  }
}

TEST_CASE("snapshots leave out what has expired") {
  for (const auto& [name, backend] : all_state_backends()) {
    CAPTURE(name);
    state_world world(backend);
    const state_ttl_config config{.ttl = 10s, .cleanup_entries = 0};
    const value_state_descriptor<int> value("value");
    const list_state_descriptor<int> list("list");
    const map_state_descriptor<int, int> map("map");
    auto state = world.make<std::int64_t>();
    const auto add = [&](std::int64_t key, int element) {
      state->set_current_key(key);
      state->get_state(value.enable_ttl(config)).update(element);
      state->get_list_state(list.enable_ttl(config)).add(element);
      state->get_map_state(map.enable_ttl(config)).put(element, element);
    };
    add(1, 1);
    add(2, 1);
    world.time.advance(6s);
    add(2, 2);
    world.time.advance(6s);
    CHECK(entries_of(*state, "list") == 1);

    // Without a time to live all that there is can be seen.
    auto restored = world.make<std::int64_t>();
    REQUIRE(restore(*restored, snapshot_of(*state)));
    restored->set_current_key(1);
    CHECK(!restored->get_state(value).has_value());
    CHECK(restored->get_list_state(list).get().empty());
    CHECK(restored->get_map_state(map).is_empty());
    restored->set_current_key(2);
    CHECK(restored->get_state(value).value() == 2);
    CHECK(restored->get_list_state(list).get() == std::vector<int>{2});
    CHECK(restored->get_map_state(map).keys() == std::vector<int>{2});
  }
}

TEST_CASE("accesses to other keys clean up what has expired") {
  for (const auto& [name, backend] : all_state_backends()) {
    CAPTURE(name);
    if (name == "bytes, little of it cached" || name == "rocksdb") continue;  // cleans the cache
    state_world world(backend);
    auto state = world.make<std::int64_t>();
    const state_ttl_config config{.ttl = 10s, .cleanup_entries = 3};
    const auto value = state->get_state(value_state_descriptor<int>("value").enable_ttl(config));
    const auto list = state->get_list_state(list_state_descriptor<int>("list").enable_ttl(config));
    const auto map = state->get_map_state(map_state_descriptor<int, int>("map").enable_ttl(config));
    const auto touch = [&](std::int64_t key) {
      state->set_current_key(key);
      value.update(1);
      list.add(1);
      map.put(1, 1);
    };
    for (std::int64_t key = 0; key < 1'000; ++key) touch(key);
    world.time.advance(11s);
    for (int i = 0; i < 2'000; ++i) touch(5'000);
    world.time.advance(-11s);  // What expired but was not removed would be counted again.
    for (const auto* kind : {"value", "list", "map"}) {
      CAPTURE(kind);
      CHECK(entries_of(*state, kind) == 1);
    }
  }
}

TEST_CASE("a compaction of RocksDB drops what has expired") {
  const test::temporary_directory directory;
  auto backend = rocksdb_state_backend::open(
      {.directory = directory.path(), .memory_bytes = 8u << 20, .object_share = 0.001});
  REQUIRE(backend);
  state_world world(std::move(*backend));
  auto state = world.make<std::int64_t>();
  const auto value = state->get_state(
      value_state_descriptor<std::string>("value").enable_ttl(shown_until_cleaned_up()));
  const auto list = state->get_list_state(
      list_state_descriptor<std::string>("list").enable_ttl(shown_until_cleaned_up()));
  const auto map = state->get_map_state(
      map_state_descriptor<int, std::string>("map").enable_ttl(shown_until_cleaned_up()));
  const std::string row(1'000, 'x');
  constexpr std::int64_t old_keys = 200, keys_a_round = 1'500;
  const auto write = [&](std::int64_t first, std::int64_t count) {
    for (auto key = first; key < first + count; ++key) {
      state->set_current_key(key);
      value.update(row);
      list.update({row});
      map.put(1, row);
    }
    state->flush();
  };
  const auto old_values = [&] {
    std::int64_t count = 0;
    for (std::int64_t key = 0; key < old_keys; ++key) {
      state->set_current_key(key);
      count += value.has_value() ? 1 : 0;
    }
    return count;
  };
  const auto old_lists = [&] {
    std::size_t count = 0;
    for (std::int64_t key = 0; key < old_keys; ++key) {
      state->set_current_key(key);
      count += list.get().size();
    }
    return static_cast<std::int64_t>(count);
  };
  const auto old_maps = [&] {
    std::size_t count = 0;
    for (std::int64_t key = 0; key < old_keys; ++key) {
      state->set_current_key(key);
      count += map.keys().size();
    }
    return static_cast<std::int64_t>(count);
  };
  write(0, old_keys);
  // This one lives on: its second element is as young as what follows. Not so of a map, whose
  // entries expire one by one.
  constexpr std::int64_t key_of_both = 1'000'000;
  state->set_current_key(key_of_both);
  list.add("old");
  map.put(1, "old");
  world.time.advance(11s);  // before any thread of RocksDB looks at it
  state->set_current_key(key_of_both);
  list.add("young");
  map.put(2, "young");
  CHECK(old_values() == old_keys);
  CHECK(old_lists() == old_keys);
  CHECK(old_maps() == old_keys);
  // A memtable becomes a file once it is full, and four files are compacted, on other threads.
  auto next = old_keys;
  const auto left = [&] { return old_values() + old_lists() + old_maps(); };
  for (int round = 0; round < 50 && left() > 0; ++round) {
    write(next, keys_a_round);
    next += keys_a_round;
    std::this_thread::sleep_for(20ms);
  }
  CHECK(old_values() == 0);
  CHECK(old_lists() == 0);
  CHECK(old_maps() == 0);
  state->set_current_key(old_keys);
  CHECK(value.value() == row);
  CHECK(list.get() == std::vector<std::string>{row});
  CHECK(map.keys() == std::vector<int>{1});
  state->set_current_key(key_of_both);
  CHECK(list.get() == std::vector<std::string>{"old", "young"});
  CHECK(map.keys() == std::vector<int>{2});
}

TEST_CASE("state is restored with its age, and with or without time to live") {
  for (const auto& [name, backend] : all_state_backends()) {
    CAPTURE(name);
    state_world world(backend);
    value_state_descriptor<int> plain("value");
    const auto expiring_value = plain.enable_ttl({.ttl = 10s});
    list_state_descriptor<int> plain_list("list");
    const auto expiring_list = plain_list.enable_ttl({.ttl = 10s});

    auto first = world.make<std::int64_t>();
    first->set_current_key(1);
    first->get_state(expiring_value).update(1);
    first->get_list_state(expiring_list).add(1);
    const auto saved = snapshot_of(*first);
    world.time.advance(6s);

    auto second = world.make<std::int64_t>();
    REQUIRE(restore(*second, saved));
    second->set_current_key(1);
    CHECK(second->get_state(expiring_value).value() == 1);
    world.time.advance(6s);
    CHECK(!second->get_state(expiring_value).has_value());
    CHECK(second->get_list_state(expiring_list).get().empty());

    auto without = world.make<std::int64_t>();
    REQUIRE(restore(*without, saved));
    without->set_current_key(1);
    CHECK(without->get_state(plain).value() == 1);
    CHECK(without->get_list_state(plain_list).get() == std::vector<int>{1});

    auto again = world.make<std::int64_t>();
    REQUIRE(restore(*again, snapshot_of(*without)));
    again->set_current_key(1);
    CHECK(again->get_state(expiring_value).value() == 1);
    world.time.advance(10s);
    CHECK(!again->get_state(expiring_value).has_value());
  }
}

}  // namespace state_ttl_test
