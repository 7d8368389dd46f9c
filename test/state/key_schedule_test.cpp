#include "millrace/state/key_schedule.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "support/state_backends.hpp"
#include "support/state_world.hpp"

namespace key_schedule_test {

using namespace millrace;
using millrace::test::restore;
using millrace::test::snapshot_of;
using millrace::test::state_world;

namespace {

using due_keys = std::vector<std::pair<timestamp_ms, std::string>>;

due_keys until(key_schedule<std::string>& schedule, timestamp_ms at) {
  due_keys all;
  schedule.advance(at, [&](timestamp_ms due, const auto& block) {
    REQUIRE(block.keys.size() == block.hashes.size());
    REQUIRE(block.keys.size() <= key_schedule<std::string>::block_keys_max);
    for (std::size_t i = 0; i < block.keys.size(); ++i) {
      CHECK(block.hashes[i] == key_hash(block.keys[i]));
      all.emplace_back(due, block.keys[i]);
    }
  });
  return all;
}

void add(key_schedule<std::string>& schedule, const std::string& key, timestamp_ms at) {
  schedule.add(key_hash(key), key, at);
}

}  // namespace

TEST_CASE("keys are due in the order of their times, as often as they were added") {
  state_world world(std::make_shared<hashmap_state_backend>());
  auto state = world.make<std::string>();
  auto& schedule = state->schedule("due");
  CHECK(&schedule == &state->schedule("due"));
  for (int i = 0; i < 300; ++i) {
    add(schedule, "k" + std::to_string(i), i % 2 == 0 ? 10 : 20);
    add(schedule, "k" + std::to_string(i), 30);
  }
  add(schedule, "k0", 10);
  CHECK(until(schedule, 9).empty());
  const auto first = until(schedule, 20);
  CHECK(first.size() == 301);
  CHECK(std::is_sorted(first.begin(), first.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; }));
  CHECK(until(schedule, 20).empty());
  CHECK(until(schedule, 30).size() == 300);
}

TEST_CASE("keys of one time come by key group, in a group in the order they were added") {
  for (const int count : {3, 64, 65, 500}) {
    CAPTURE(count);
    state_world world(std::make_shared<hashmap_state_backend>());
    auto state = world.make<std::string>();
    auto& schedule = state->schedule("due");
    const auto group_of = [](const std::string& key) {
      return key_group_of(key_hash(key), test::test_max_parallelism);
    };
    std::vector<std::string> expected;
    for (int i = 0; i < count; ++i) {
      expected.push_back("k" + std::to_string(i));
      add(schedule, expected.back(), 10);
    }
    std::stable_sort(expected.begin(), expected.end(),
                     [&](const auto& a, const auto& b) { return group_of(a) < group_of(b); });
    std::vector<std::string> seen;
    for (const auto& [due, key] : until(schedule, 10)) seen.push_back(key);
    CHECK(seen == expected);
  }
}

TEST_CASE("keys that are added while others are looked at follow in the same call") {
  state_world world(std::make_shared<hashmap_state_backend>());
  auto state = world.make<std::string>();
  auto& schedule = state->schedule("due");
  add(schedule, "a", 10);
  add(schedule, "b", 15);
  due_keys all;
  schedule.advance(35, [&](timestamp_ms due, const auto& block) {
    for (std::size_t i = 0; i < block.keys.size(); ++i) {
      all.emplace_back(due, block.keys[i]);
      schedule.add(block.hashes[i], std::move(block.keys[i]), due + 10);
    }
  });
  CHECK(all == due_keys{{10, "a"}, {15, "b"}, {20, "a"}, {25, "b"}, {30, "a"}, {35, "b"}});
  CHECK(until(schedule, 45) == due_keys{{40, "a"}, {45, "b"}});
}

TEST_CASE("a snapshot has a schedule by key group, and gives it to other subtasks") {
  state_world world(std::make_shared<hashmap_state_backend>());
  auto state = world.make<std::string>();
  for (int i = 0; i < 100; ++i) add(state->schedule("due"), std::to_string(i), 10 + i % 3);
  const auto saved = snapshot_of(*state);
  auto low = world.make<std::string>({0, 6});
  auto high = world.make<std::string>({7, test::test_max_parallelism - 1});
  REQUIRE(restore(*low, saved));
  REQUIRE(restore(*high, saved));
  auto restored = until(low->schedule("due"), 12);
  const auto others = until(high->schedule("due"), 12);
  CHECK(!others.empty());
  restored.insert(restored.end(), others.begin(), others.end());
  std::sort(restored.begin(), restored.end());
  auto all = until(state->schedule("due"), 12);
  std::sort(all.begin(), all.end());
  CHECK(restored == all);
}

}  // namespace key_schedule_test
