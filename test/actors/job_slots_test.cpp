#include "millrace/actors/job_slots.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace job_slots_test {

using namespace millrace;
using graph::subtask_ref;

namespace {

/// Two vertices in `count` slots, subtask by subtask.
graph::slot_plan plan_of(std::uint32_t count) {
  graph::slot_plan plan;
  plan.slot_of.resize(2);
  for (std::uint32_t i = 0; i < count; ++i) {
    plan.requests.push_back({"default", i});
    for (auto& vertex : plan.slot_of) vertex.push_back(i);
  }
  return plan;
}

wire::offer_slot offer(std::uint64_t task_manager, std::uint64_t allocation,
                       std::vector<subtask_ref> kept = {}) {
  wire::offer_slot made;
  made.allocation = {1, allocation};
  made.resource = {2, task_manager};
  made.host = "tm" + std::to_string(task_manager);
  made.kept = std::move(kept);
  return made;
}

std::string hosts(const job_slots& slots, std::uint32_t count) {
  std::string all;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto& one = slots.slot_of({1, i}).where.host;
    CHECK(slots.slot_of({0, i}).where.host == one);
    all += (i == 0 ? "" : " ") + one;
  }
  return all;
}

}  // namespace

TEST_CASE("Slots are taken in the order of their offers where nothing was before") {
  job_slots slots(plan_of(3));
  CHECK(slots.accept(offer(1, 1)));
  CHECK(slots.accept(offer(1, 1)));  // again
  CHECK_FALSE(slots.accept(offer(2, 1)));
  CHECK(slots.accept(offer(2, 2)));
  CHECK_FALSE(slots.is_complete());
  CHECK(slots.accept(offer(1, 3)));
  CHECK(slots.is_complete());
  CHECK_FALSE(slots.accept(offer(3, 4)));
  CHECK(hosts(slots, 3) == "tm1 tm2 tm1");
}

TEST_CASE("A slot gets the tasks whose state is near it") {
  job_slots slots(plan_of(4));
  CHECK(slots.accept(offer(1, 1, {{0, 2}, {1, 2}, {0, 3}})));
  CHECK(slots.accept(offer(1, 2, {{0, 2}, {1, 2}, {0, 3}})));
  CHECK(slots.accept(offer(2, 3, {{1, 1}})));
  CHECK(slots.accept(offer(2, 4, {{1, 1}})));
  CHECK(hosts(slots, 4) == "tm2 tm2 tm1 tm1");
}

TEST_CASE("A slot makes way for one that the tasks' state is near") {
  job_slots slots(plan_of(2));
  CHECK(slots.accept(offer(3, 1)));            // a stranger, in the first place
  CHECK(slots.accept(offer(1, 2, {{0, 0}})));  // whose tasks were there
  CHECK(hosts(slots, 2) == "tm1 tm3");

  // Where two have copies, the first stays.
  job_slots others(plan_of(2));
  CHECK(others.accept(offer(1, 1, {{0, 0}})));
  CHECK(others.accept(offer(2, 2, {{0, 0}, {1, 0}})));
  CHECK(hosts(others, 2) == "tm1 tm2");
}

TEST_CASE("After a loss the slots of others keep their tasks") {
  job_slots slots(plan_of(3));
  for (std::uint64_t i = 1; i <= 3; ++i) CHECK(slots.accept(offer(i, i)));
  CHECK(slots.remove_all_of({2, 2}));
  CHECK(slots.remove_all_of({2, 3}));
  CHECK_FALSE(slots.remove_all_of({2, 3}));
  // Who had the last one comes back first.
  CHECK(slots.accept(offer(5, 5, {{0, 2}, {1, 2}})));
  CHECK(slots.accept(offer(4, 4, {{0, 1}, {1, 1}})));
  CHECK(hosts(slots, 3) == "tm1 tm4 tm5");
}

TEST_CASE("A slot that is not the job's any more leaves its place, and no other, to the next") {
  job_slots slots(plan_of(2));
  CHECK(slots.accept(offer(1, 1)));
  CHECK(slots.accept(offer(1, 2)));
  CHECK(slots.remove(allocation_id{1, 1}));
  CHECK_FALSE(slots.remove(allocation_id{1, 1}));
  CHECK_FALSE(slots.is_complete());
  CHECK(slots.accept(offer(2, 3)));
  CHECK(slots.is_complete());
  CHECK(hosts(slots, 2) == "tm2 tm1");
}

}  // namespace job_slots_test
