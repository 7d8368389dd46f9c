#include "millrace/graph/slot_matcher.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace slot_matcher_test {

using namespace millrace;
using namespace millrace::graph;

namespace {

const job_id a{0, 1};
const job_id b{0, 2};
const job_id c{0, 3};
const resource_id tm1{1, 1};
const resource_id tm2{1, 2};

std::vector<slot_info> free_slots(std::uint32_t count) {
  return slot_table(count).report();
}

/// `count` allocations that are the job's own.
std::vector<allocation_id> allocations(job_id job, std::uint32_t count, std::uint64_t first = 0) {
  std::vector<allocation_id> all;
  for (std::uint64_t i = 0; i < count; ++i) all.push_back({job.low, first + i});
  return all;
}

std::vector<std::uint64_t> where(const std::vector<slot_grant>& grants) {
  std::vector<std::uint64_t> all;
  for (const auto& grant : grants) all.push_back(grant.task_manager.low);
  return all;
}

using tms = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("a job gets its slots when there are enough, and none before") {
  slot_matcher matcher;
  matcher.request(a, "wc", allocations(a, 3), 0, 1000);
  matcher.add_task_manager(tm1, "one", free_slots(2));
  CHECK(matcher.match().empty());
  CHECK(matcher.free_count() == 2);
  matcher.add_task_manager(tm2, "two", free_slots(2));
  auto grants = matcher.match();
  REQUIRE(grants.size() == 3);
  CHECK(grants[0] == slot_grant{a, {1, 0}, tm1, "one", 0});
  CHECK(where(grants) == tms{1, 1, 2});
  CHECK(matcher.free_count() == 1);
  CHECK(matcher.match().empty());
  CHECK_FALSE(matcher.next_deadline_ms());
}

TEST_CASE("spread evens out what fill packs") {
  for (auto [placement, expected] : {std::pair{slot_placement::fill, tms{1, 1, 1, 2}},
                                     {slot_placement::spread, tms{1, 2, 1, 2}}}) {
    slot_matcher matcher(placement);
    matcher.add_task_manager(tm1, "one", free_slots(3));
    matcher.add_task_manager(tm2, "two", free_slots(3));
    matcher.request(a, "wc", allocations(a, 4), 0, 1000);
    CHECK(where(matcher.match()) == expected);
  }
}

TEST_CASE("a job gets slots where it had some that it lacks") {
  for (const auto placement : {slot_placement::fill, slot_placement::spread}) {
    slot_matcher matcher(placement);
    matcher.add_task_manager(tm1, "one", free_slots(2));
    matcher.add_task_manager(tm2, "two", free_slots(2));
    // Both have two, of which the second task manager's are lost.
    matcher.request(a, "wc", allocations(a, 4), 0, 1000);
    for (const auto& grant : matcher.match()) matcher.confirm(grant.task_manager, grant.allocation);
    CHECK(matcher.remove_task_manager(tm2).lost.size() == 2);
    // Others come, and the one that was started over its disk.
    const resource_id tm3{1, 3};
    const resource_id tm4{1, 4};
    matcher.add_task_manager(tm3, "three", free_slots(1));
    matcher.add_task_manager(tm4, "four", free_slots(4), {{a, 2}, {b, 1}});
    matcher.request(a, "wc", allocations(a, 2, 4), 0, 1000);
    const auto grants = matcher.match();
    CHECK(where(grants) == tms{4, 4});
    for (const auto& grant : grants) matcher.confirm(grant.task_manager, grant.allocation);

    // It has all that it had: what else it wants, the placement says.
    matcher.request(a, "wc", allocations(a, 1, 6), 0, 1000);
    const auto more = matcher.match();
    CHECK(where(more) == (placement == slot_placement::fill ? tms{4} : tms{3}));
    matcher.reject(more[0].task_manager, more[0].allocation);
    matcher.withdraw(a);

    // Its slots are given back, as when its master has died, and asked for anew.
    for (std::uint64_t i = 0; i < 6; ++i)
      for (const auto& tm : {tm1, tm4}) matcher.release(tm, {a.low, i});
    matcher.request(a, "wc", allocations(a, 4, 10), 0, 1000);
    auto again = where(matcher.match());
    std::ranges::sort(again);
    CHECK(again == tms{1, 1, 4, 4});

    // Once it has ended, nothing of it matters.
    for (std::uint64_t i = 10; i < 14; ++i)
      for (const auto& tm : {tm1, tm4}) matcher.release(tm, {a.low, i});
    matcher.withdraw(a);
    matcher.forget(a);
    matcher.request(a, "wc", allocations(a, 1, 20), 0, 1000);
    CHECK(where(matcher.match()) == tms{1});
  }
}

TEST_CASE("jobs are served in the order of their requests") {
  slot_matcher matcher;
  matcher.request(a, "first", allocations(a, 2), 0, 1000);
  matcher.request(b, "second", allocations(b, 2), 1, 1000);
  matcher.add_task_manager(tm1, "one", free_slots(3));
  auto grants = matcher.match();
  REQUIRE(grants.size() == 2);
  CHECK(grants[0].job == a);
  CHECK(matcher.pending_count(b) == 2);

  // A later, smaller job may not overtake the one that fits the cluster.
  matcher.request(c, "small", allocations(c, 1), 2, 1000);
  CHECK(matcher.match().empty());
  matcher.release(tm1, {1, 0});
  CHECK(matcher.match().size() == 2);
}

TEST_CASE("a job that the whole cluster could not satisfy holds nobody up") {
  slot_matcher matcher;
  matcher.add_task_manager(tm1, "one", free_slots(2));
  matcher.request(a, "huge", allocations(a, 3), 0, 1000);
  matcher.request(b, "small", allocations(b, 2), 1, 1000);
  auto grants = matcher.match();
  REQUIRE(grants.size() == 2);
  CHECK(grants[0].job == b);
}

TEST_CASE("a job that waits too long is told what it needs and what there is") {
  slot_matcher matcher;
  matcher.add_task_manager(tm1, "one", free_slots(2));
  matcher.add_task_manager(tm2, "two", free_slots(2));
  matcher.request(b, "other", allocations(b, 3), 0, 10'000);
  matcher.match();
  matcher.request(a, "wc", allocations(a, 5), 0, 300'000);
  CHECK(matcher.next_deadline_ms() == 300'000);
  CHECK(matcher.expire(299'999).empty());
  auto failures = matcher.expire(300'000);
  REQUIRE(failures.size() == 1);
  CHECK(failures[0].job == a);
  CHECK(failures[0].why ==
        error{errc::no_slots,
              "job 'wc' needs 5 slots, 1 free of 4 registered (on 2 task managers) after 300 s; "
              "start more task managers, raise taskmanager.numberOfTaskSlots, cancel another job "
              "or lower the parallelism"});
  CHECK(matcher.expire(999'999).empty());
  CHECK(matcher.pending_count(a) == 0);
}

TEST_CASE("asking again for the same slots changes nothing but the deadline") {
  slot_matcher matcher;
  matcher.request(a, "wc", allocations(a, 2), 0, 10);
  matcher.request(a, "wc", allocations(a, 2), 5, 20);
  CHECK(matcher.pending_count(a) == 2);
  CHECK(matcher.next_deadline_ms() == 20);
  matcher.add_task_manager(tm1, "one", free_slots(4));
  CHECK(matcher.match().size() == 2);
  matcher.request(a, "wc", allocations(a, 2), 6, 20);
  CHECK(matcher.match().empty());
}

TEST_CASE(
    "a lost task manager takes its slots and what it had not confirmed is granted elsewhere") {
  slot_matcher matcher;
  matcher.add_task_manager(tm1, "one", free_slots(2));
  matcher.request(a, "wc", allocations(a, 2), 0, 1000);
  REQUIRE(matcher.match().size() == 2);
  matcher.confirm(tm1, {1, 0});
  auto gone = matcher.remove_task_manager(tm1);
  REQUIRE(gone.lost.size() == 1);
  CHECK(gone.lost[0].allocation == allocation_id{1, 0});
  REQUIRE(gone.requeued.size() == 1);
  CHECK(gone.requeued[0].allocation == allocation_id{1, 1});
  CHECK(matcher.registered_count() == 0);
  CHECK(matcher.remove_task_manager(tm1).lost.empty());

  matcher.add_task_manager(tm2, "two", free_slots(2));
  auto grants = matcher.match();
  REQUIRE(grants.size() == 1);
  CHECK(grants[0] == slot_grant{a, {1, 1}, tm2, "two", 0});
  // The lost task manager's late words are about slots that it no longer has.
  matcher.release(tm1, {1, 1});
  matcher.reject(tm1, {1, 1});
  CHECK(matcher.free_count() == 1);
}

TEST_CASE("a refused grant is granted again") {
  slot_matcher matcher;
  matcher.add_task_manager(tm1, "one", free_slots(1));
  matcher.request(a, "wc", allocations(a, 1), 0, 1000);
  matcher.match();
  matcher.reject(tm1, {1, 0});
  CHECK(matcher.free_count() == 1);
  CHECK(matcher.match().size() == 1);
  matcher.confirm(tm1, {1, 0});
  matcher.reject(tm1, {1, 0});
  CHECK(matcher.free_count() == 0);
}

TEST_CASE("a withdrawn job waits no more and is granted nothing again") {
  slot_matcher matcher;
  matcher.request(a, "wc", allocations(a, 1), 0, 1000);
  matcher.withdraw(a);
  matcher.add_task_manager(tm1, "one", free_slots(1));
  CHECK(matcher.match().empty());
  CHECK(matcher.expire(5000).empty());
}

TEST_CASE("a task manager that comes back with slots in use keeps them") {
  slot_matcher matcher;
  slot_table table(2);
  table.allocate(a, {1, 0}, 100).value();
  matcher.request(a, "wc", allocations(a, 2), 0, 1000);
  matcher.add_task_manager(tm1, "one", table.report());
  auto grants = matcher.match();
  REQUIRE(grants.size() == 1);
  CHECK(grants[0].allocation == allocation_id{1, 1});
  CHECK(grants[0].slot == 1);

  // It registers again before the second grant reached it.
  auto gone = matcher.add_task_manager(tm1, "one", table.report());
  CHECK(gone.lost.empty());
  REQUIRE(gone.requeued.size() == 1);
  CHECK(matcher.match().size() == 1);
  CHECK(matcher.task_managers() == std::vector<task_manager_slots>{{tm1, "one", 2, 0}});
}

TEST_CASE("in use and free slots are always all slots, whatever happens") {
  for (std::uint32_t seed = 0; seed < 100; ++seed) {
    CAPTURE(seed);
    std::mt19937 rng(seed);
    slot_matcher matcher(seed % 2 == 0 ? slot_placement::fill : slot_placement::spread);
    std::map<allocation_id, slot_grant> in_use;
    std::map<resource_id, std::uint32_t> registered;
    std::uint64_t next_allocation = 0;
    auto drop = [&](const std::vector<slot_grant>& grants) {
      for (const auto& grant : grants) REQUIRE(in_use.erase(grant.allocation) == 1);
    };
    for (std::int64_t now = 0; now < 400; ++now) {
      resource_id tm{1, rng() % 5};
      job_id job{0, rng() % 6};
      auto any = in_use.begin();
      if (!in_use.empty()) std::advance(any, rng() % in_use.size());
      switch (rng() % 8) {
        case 0: {
          auto gone = matcher.remove_task_manager(tm);
          drop(gone.lost);
          drop(gone.requeued);
          registered.erase(tm);
          break;
        }
        case 1:
          if (registered.contains(tm)) break;
          registered[tm] = static_cast<std::uint32_t>(1 + rng() % 4);
          matcher.add_task_manager(tm, "tm", free_slots(registered[tm]));
          break;
        case 2:
        case 3: {
          auto count = static_cast<std::uint32_t>(1 + rng() % 4);
          matcher.request(job, "job", allocations(job, count, next_allocation), now, now + 20);
          next_allocation += count;
          break;
        }
        case 4:
          matcher.withdraw(job);
          break;
        case 5:
          matcher.expire(now);
          break;
        case 6:
          if (any != in_use.end()) matcher.confirm(any->second.task_manager, any->first);
          break;
        default:
          if (any == in_use.end()) break;
          matcher.release(any->second.task_manager, any->first);
          in_use.erase(any);
      }
      for (const auto& grant : matcher.match()) {
        REQUIRE(grant.slot < registered.at(grant.task_manager));
        for (const auto& [id, other] : in_use)
          REQUIRE((other.task_manager != grant.task_manager || other.slot != grant.slot));
        REQUIRE(in_use.emplace(grant.allocation, grant).second);
      }
      std::uint32_t all = 0;
      for (const auto& [id, count] : registered) all += count;
      REQUIRE(matcher.registered_count() == all);
      REQUIRE(matcher.free_count() + in_use.size() == all);
    }
  }
}

}  // namespace slot_matcher_test
