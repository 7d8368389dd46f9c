#include "millrace/graph/slot_table.hpp"

#include <doctest/doctest.h>

namespace slot_table_test {

using namespace millrace;
using namespace millrace::graph;

namespace {
const job_id a{0, 1};
const job_id b{0, 2};
allocation_id alloc(std::uint64_t n) {
  return {7, n};
}
}  // namespace

TEST_CASE("a slot goes from free to allocated to active and back") {
  slot_table table(2);
  CHECK(table.free_count() == 2);
  CHECK(table.allocate(a, alloc(1), 100).value() ==
        slot_info{0, slot_state::allocated, a, alloc(1)});
  CHECK(table.free_count() == 1);
  CHECK(table.offers_for(a).size() == 1);
  CHECK_FALSE(table.active_slot(a, alloc(1)));
  CHECK(table.activate(a, alloc(1)));
  CHECK(table.activate(a, alloc(1)));
  CHECK(table.active_slot(a, alloc(1)) == 0);
  CHECK_FALSE(table.active_slot(b, alloc(1)));
  CHECK(table.offers_for(a).empty());
  CHECK(table.release(alloc(1)) == slot_info{0, slot_state::active, a, alloc(1)});
  CHECK_FALSE(table.release(alloc(1)));
  CHECK(table.report()[0] == slot_info{0, slot_state::free, {}, {}});
}

TEST_CASE("repeating a promise changes nothing") {
  slot_table table(2);
  auto first = table.allocate(a, alloc(1), 100);
  CHECK(table.allocate(a, alloc(1), 900) == first);
  CHECK(table.free_count() == 1);
  CHECK(table.next_deadline_ms() == 100);
}

TEST_CASE("what cannot be promised is refused with the reason") {
  slot_table table(1);
  CHECK(table.allocate(a, alloc(1), 100, 3).error().message ==
        "slot 3 does not exist, there are 1");
  CHECK(table.allocate(a, alloc(1), 100, 0));
  CHECK(table.allocate(b, alloc(2), 100, 0).error() ==
        error{errc::no_slots, "slot 0 is taken by job 00000000000000000000000000000001"});
  CHECK(table.allocate(b, alloc(2), 100).error().message == "none of 1 slots is free");
  CHECK(table.allocate(b, alloc(1), 100).error().code == errc::protocol);
  CHECK(table.activate(b, alloc(1)).error().code == errc::stale);
}

TEST_CASE("promises that nobody takes up expire, active slots do not") {
  slot_table table(3);
  table.allocate(a, alloc(1), 100).value();
  table.allocate(a, alloc(2), 200).value();
  table.allocate(b, alloc(3), 50).value();
  REQUIRE(table.activate(b, alloc(3)));
  CHECK(table.next_deadline_ms() == 100);
  CHECK(table.expire(99).empty());
  auto expired = table.expire(100);
  REQUIRE(expired.size() == 1);
  CHECK(expired[0].allocation == alloc(1));
  CHECK(table.activate(a, alloc(1)).error().code == errc::stale);
  CHECK(table.next_deadline_ms() == 200);
  CHECK(table.free_count() == 1);
}

TEST_CASE("a job's slots are released together") {
  slot_table table(3);
  table.allocate(a, alloc(1), 100).value();
  table.allocate(b, alloc(2), 100).value();
  table.allocate(a, alloc(3), 100).value();
  CHECK(table.release_job(a).size() == 2);
  CHECK(table.release_job(a).empty());
  CHECK(table.free_count() == 2);
}

}  // namespace slot_table_test
