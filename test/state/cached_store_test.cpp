#include <doctest/doctest.h>

#include <string>

#include "millrace/state/keyed_state_backend.hpp"
#include "support/memory_byte_store.hpp"
#include "support/state_world.hpp"

namespace cached_store_test {

using namespace millrace;
using millrace::test::memory_state_backend;
using millrace::test::state_world;

TEST_CASE("changes stay in the cache until it is flushed") {
  auto backend = std::make_shared<memory_state_backend>(1u << 20);
  state_world world(backend);
  auto state = world.make<std::int64_t>();
  const auto count = state->get_state(value_state_descriptor<std::int64_t>("count"));
  auto& below = backend->last_opened->tables.at("count");
  for (int round = 0; round < 10; ++round) {
    for (std::int64_t key = 0; key < 100; ++key) {
      state->set_current_key(key);
      ++count.get_or_default();
    }
  }
  CHECK(below.reads == 100);
  CHECK(below.writes == 0);
  state->flush();
  CHECK(below.writes == 100);
  state->flush();
  CHECK(below.writes == 100);
  CHECK(below.rows.size() == 100);
}

TEST_CASE("what is made and removed between two flushes is never written") {
  auto backend = std::make_shared<memory_state_backend>(1u << 20);
  state_world world(backend);
  auto state = world.make<std::int64_t>();
  const auto sum = state->get_state(value_state_descriptor<std::int64_t>("sum"));
  const auto map = state->get_map_state(map_state_descriptor<int, int>("map"));
  for (std::int64_t key = 0; key < 100; ++key) {
    state->set_current_key(key);
    ++sum.get_or_default();
    ++map.get_or_default(1);
    sum.clear();
    map.remove(1);
  }
  state->flush();
  CHECK(backend->last_opened->tables.at("sum").writes == 0);
  CHECK(backend->last_opened->tables.at("map").writes == 0);
}

TEST_CASE("rows lie in the order of their key groups") {
  auto backend = std::make_shared<memory_state_backend>(1u << 20);
  state_world world(backend);
  auto state = world.make<std::string>();
  const auto map = state->get_map_state(map_state_descriptor<std::string, int>("map"));
  for (int i = 0; i < 100; ++i) {
    const auto key = std::to_string(i);
    state->set_current_key(key);
    map.put("x", i);
  }
  state->flush();
  for (const auto& [row, value] : backend->last_opened->tables.at("map").rows) {
    byte_reader in(byte_view(row).subspan(2));
    const auto key = decode<std::string>(in);
    const auto map_key = decode<std::string>(in);
    CHECK(*map_key == "x");
    const auto group =
        std::to_integer<std::uint32_t>(row[0]) << 8 | std::to_integer<std::uint32_t>(row[1]);
    CHECK(group == key_group_of(key_hash(*key), test::test_max_parallelism));
  }
}

TEST_CASE("the cache keeps to its memory, whatever kind of state fills it") {
  constexpr std::size_t limit = 256u << 10;
  auto backend = std::make_shared<memory_state_backend>(limit);
  state_world world(backend);
  auto state = world.make<std::int64_t>();
  const auto text = state->get_state(value_state_descriptor<std::string>("text"));
  const auto list = state->get_list_state(list_state_descriptor<std::string>("list"));
  const auto map = state->get_map_state(map_state_descriptor<std::int64_t, std::string>("map"));
  const auto windows =
      state->get_namespaced<std::int64_t>(value_state_descriptor<std::int64_t>("windows"));
  std::size_t most = 0;
  for (std::int64_t i = 0; i < 20'000; ++i) {
    state->set_current_key(i % 3'000);
    text.get_or_default() += "ten bytes.";
    list.add("an element of some length");
    map.put(i, "an entry of some length");
    most = std::max(most, state->cached_bytes());
  }
  CHECK(most < limit + limit / 4);
  CHECK(most > limit / 2);
  // One key alone.
  state->set_current_key(1);
  for (std::int64_t i = 0; i < 50'000; ++i) {
    map.put(-i, "an entry of some length");
    windows.set_current_namespace(i);
    ++windows.get_or_default();
    most = std::max(most, state->cached_bytes());
  }
  CHECK(most < limit + limit / 4);
  std::size_t entries = 0;
  map.for_each([&](const std::int64_t&, const std::string&) { ++entries; });
  CHECK(entries > 50'000);
  for (std::int64_t i = 0; i < 50'000; i += 999) {
    windows.set_current_namespace(i);
    CHECK(windows.value() == 1);
  }
}

TEST_CASE("an in-place change survives the eviction of its line") {
  auto backend = std::make_shared<memory_state_backend>(4u << 10);
  state_world world(backend);
  auto state = world.make<std::int64_t>();
  const auto count = state->get_state(value_state_descriptor<std::int64_t>("count"));
  for (int round = 0; round < 3; ++round) {
    for (std::int64_t key = 0; key < 1'000; ++key) {
      state->set_current_key(key);
      count.get_or_default() += key;
    }
  }
  CHECK(state->cached_bytes() < 8u << 10);
  for (std::int64_t key = 0; key < 1'000; ++key) {
    state->set_current_key(key);
    CHECK(count.value() == 3 * key);
  }
}

}  // namespace cached_store_test
