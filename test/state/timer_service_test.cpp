#include <doctest/doctest.h>

#include <random>
#include <set>
#include <string>

#include "millrace/state/timer_service.hpp"
#include "support/state_backends.hpp"
#include "support/state_world.hpp"

namespace timer_service_test {

using namespace millrace;
using millrace::test::all_state_backends;
using millrace::test::restore;
using millrace::test::snapshot_of;
using millrace::test::state_world;

namespace {

using fired = std::vector<std::pair<std::int64_t, std::string>>;

/// "<key>@<namespace>" of what fires.
auto note_in(fired& all) {
  return [&all](const timer<std::string, std::int64_t>& t) {
    all.emplace_back(t.timestamp, t.key + "@" + std::to_string(t.ns));
  };
}

}  // namespace

TEST_CASE("timers fire once each in the order of their time") {
  state_world world(std::make_shared<hashmap_state_backend>());
  auto state = world.make<std::string>();
  auto& timers = state->timers<std::int64_t>("timers");
  for (const char* key : {"a", "b", "c"}) {
    state->set_current_key(key);
    CHECK(timers.register_event_time_timer(1, 30));
    CHECK(timers.register_event_time_timer(1, 10));
    CHECK(!timers.register_event_time_timer(1, 10));
    CHECK(timers.register_event_time_timer(2, 10));
    CHECK(timers.register_processing_time_timer(1, 10));
  }
  CHECK(timers.event_time_timer_count() == 9);
  CHECK(timers.next_event_time() == 10);
  CHECK(timers.current_watermark() == std::numeric_limits<std::int64_t>::min());

  fired all;
  timers.advance_watermark(9, note_in(all));
  CHECK(all.empty());
  timers.advance_watermark(10, note_in(all));
  CHECK(all.size() == 6);
  CHECK(timers.current_watermark() == 10);
  timers.advance_watermark(10, note_in(all));
  timers.advance_watermark(5, note_in(all));
  CHECK(timers.current_watermark() == 10);
  CHECK(all.size() == 6);
  timers.advance_watermark(100, note_in(all));
  CHECK(all.size() == 9);
  CHECK(std::is_sorted(all.begin(), all.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; }));
  CHECK(timers.next_event_time() == std::numeric_limits<std::int64_t>::max());
  CHECK(timers.next_processing_time() == 10);
  all.clear();
  timers.advance_processing_time(10, note_in(all));
  CHECK(all.size() == 3);
}

TEST_CASE("a deleted timer does not fire") {
  state_world world(std::make_shared<hashmap_state_backend>());
  auto state = world.make<std::string>();
  auto& timers = state->timers<std::int64_t>("timers");
  state->set_current_key("a");
  timers.register_event_time_timer(1, 10);
  timers.register_event_time_timer(1, 20);
  CHECK(!timers.delete_event_time_timer(2, 10));
  CHECK(!timers.delete_processing_time_timer(1, 10));
  state->set_current_key("b");
  CHECK(!timers.delete_event_time_timer(1, 10));
  state->set_current_key("a");
  CHECK(timers.delete_event_time_timer(1, 10));
  CHECK(!timers.delete_event_time_timer(1, 10));
  fired all;
  timers.advance_watermark(100, note_in(all));
  CHECK(all == fired{{20, "a@1"}});
}

TEST_CASE("a timer may register and delete others while it fires") {
  state_world world(std::make_shared<hashmap_state_backend>());
  auto state = world.make<std::string>();
  auto& timers = state->timers<std::int64_t>("timers");
  state->set_current_key("a");
  timers.register_event_time_timer(1, 10);
  timers.register_event_time_timer(1, 20);
  std::vector<std::int64_t> times;
  timers.advance_watermark(50, [&](const auto& due) {
    times.push_back(due.timestamp);
    state->set_current_key(due.key);
    if (due.timestamp == 10) {
      timers.delete_event_time_timer(1, 20);
      timers.register_event_time_timer(1, 30);
      timers.register_event_time_timer(1, 60);
      timers.register_event_time_timer(1, 5);
    }
  });
  CHECK(times == std::vector<std::int64_t>{10, 5, 30});
  CHECK(timers.next_event_time() == 60);
}

TEST_CASE("timers agree with a sorted set under random use, restores and splits") {
  using identity = std::tuple<std::int64_t, std::int64_t, std::int64_t>;  // timestamp, key, ns
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    state_world world(std::make_shared<hashmap_state_backend>());
    std::set<identity> model;
    std::vector<std::unique_ptr<keyed_state_backend<std::int64_t>>> parts;
    parts.push_back(world.make<std::int64_t>());
    std::int64_t now = 0;
    const auto part_of = [&](std::int64_t key) -> keyed_state_backend<std::int64_t>& {
      const auto group = key_group_of(key_hash(key), test::test_max_parallelism);
      for (auto& part : parts)
        if (part->groups().contains(group)) return *part;
      throw std::logic_error("no part");
    };
    for (int step = 0; step < 2'000; ++step) {
      const std::int64_t key = random() % 40;
      const std::int64_t ns = random() % 3;
      const std::int64_t timestamp = now + 1 + random() % 50;
      auto& part = part_of(key);
      part.set_current_key(key);
      auto& timers = part.timers<std::int64_t>("t");
      switch (random() % 10) {
        case 0:
        case 1:
        case 2:
          CHECK(timers.delete_event_time_timer(ns, timestamp) ==
                (model.erase({timestamp, key, ns}) == 1));
          break;
        case 3: {
          now += random() % 5;
          std::set<identity> due, seen;
          while (!model.empty() && std::get<0>(*model.begin()) <= now)
            due.insert(model.extract(model.begin()));
          for (auto& p : parts) {
            std::int64_t last = 0;
            p->timers<std::int64_t>("t").advance_watermark(now, [&](const auto& t) {
              CHECK(t.timestamp >= last);
              last = t.timestamp;
              CHECK(seen.insert({t.timestamp, t.key, t.ns}).second);
            });
          }
          CHECK(seen == due);
          break;
        }
        case 4:
          if (random() % 20 == 0) {
            std::vector<std::vector<std::byte>> saved(test::test_max_parallelism);
            for (auto& p : parts) {
              auto some = snapshot_of(*p);
              for (auto g = p->groups().first; g <= p->groups().last; ++g)
                saved[g] = std::move(some[g]);
            }
            const std::uint32_t parallelism = 1 + random() % 5;
            parts.clear();
            for (std::uint32_t i = 0; i < parallelism; ++i) {
              parts.push_back(world.make<std::int64_t>(
                  key_group_range_of(i, test::test_max_parallelism, parallelism)));
              REQUIRE(restore(*parts.back(), saved));
            }
          }
          break;
        default:
          CHECK(timers.register_event_time_timer(ns, timestamp) ==
                model.insert({timestamp, key, ns}).second);
      }
    }
  }
}

TEST_CASE("restored timers of equal time fire in the order they would have") {
  for (const auto& [name, backend] : all_state_backends()) {
    CAPTURE(name);
    state_world world(backend);
    auto state = world.make<std::string>();
    auto& timers = state->timers<std::int64_t>("timers");
    for (int i = 0; i < 200; ++i) {
      state->set_current_key(std::to_string(i * 7919 % 100));
      timers.register_event_time_timer(i % 3, 10 + i % 2);
      if (i % 5 == 0) timers.delete_event_time_timer(i % 3, 10 + i % 2);
    }
    auto restored = world.make<std::string>();
    REQUIRE(restore(*restored, snapshot_of(*state)));
    fired expected, seen;
    timers.advance_watermark(100, note_in(expected));
    restored->timers<std::int64_t>("timers").advance_watermark(100, note_in(seen));
    CHECK(seen.size() > 100);
    CHECK(seen == expected);
  }
}

}  // namespace timer_service_test
