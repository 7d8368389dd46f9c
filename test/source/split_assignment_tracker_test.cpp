#include "millrace/source/split_assignment_tracker.hpp"

#include <doctest/doctest.h>

namespace split_assignment_tracker_test {

using namespace millrace;

namespace {

std::vector<encoded_split> splits(std::vector<std::string> ids) {
  std::vector<encoded_split> all;
  for (auto& id : ids) all.push_back({std::move(id), 1, {}});
  return all;
}

}  // namespace

TEST_CASE("a reader without a checkpoint gives back all it was ever given, once") {
  split_assignment_tracker tracker;
  tracker.on_assigned(0, splits({"a", "b"}));
  tracker.on_assigned(1, splits({"c"}));
  tracker.on_assigned(0, splits({"d"}));
  CHECK(tracker.take_back(0, {}) == splits({"a", "b", "d"}));
  CHECK(tracker.take_back(0, {}).empty());
  CHECK(tracker.take_back(1, {}) == splits({"c"}));
}

TEST_CASE("only what was assigned after the checkpoint that a reader goes back to comes back") {
  split_assignment_tracker tracker;
  tracker.on_assigned(0, splits({"a"}));
  tracker.on_checkpoint({1});
  tracker.on_assigned(0, splits({"b"}));
  tracker.on_assigned(1, splits({"x"}));
  tracker.on_checkpoint({2});
  tracker.on_assigned(0, splits({"c"}));
  SUBCASE("to the last one") {
    CHECK(tracker.take_back(0, {2}) == splits({"c"}));
  }
  SUBCASE("to one before, as the last was not completed") {
    CHECK(tracker.take_back(0, {1}) == splits({"b", "c"}));
  }
  SUBCASE("to none") {
    CHECK(tracker.take_back(0, {}) == splits({"a", "b", "c"}));
  }
  CHECK(tracker.take_back(1, {1}) == splits({"x"}));
}

TEST_CASE("what a completed checkpoint holds is forgotten, with all before it") {
  split_assignment_tracker tracker;
  tracker.on_assigned(0, splits({"a"}));
  tracker.on_checkpoint({3});
  tracker.on_assigned(0, splits({"b"}));
  tracker.on_checkpoint({5});
  tracker.on_assigned(0, splits({"c"}));
  tracker.on_checkpoint({6});
  tracker.on_checkpoint_complete({5});
  CHECK(tracker.take_back(0, {}) == splits({"c"}));
}

}  // namespace split_assignment_tracker_test
