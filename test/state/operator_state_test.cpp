#include <doctest/doctest.h>

#include <set>
#include <string>

#include "millrace/state/operator_state.hpp"

namespace operator_state_test {

using namespace millrace;

namespace {

const list_state_descriptor<std::string> files("files");
const list_state_descriptor<std::int64_t> offsets("offsets");
const map_state_descriptor<std::string, std::int64_t> rules("rules");

template <class Call>
errc code_of(Call&& call) {
  try {
    call();
  } catch (const failure& f) {
    return f.code();
  }
  return errc::internal;
}

/// What `count` subtasks save that have `per_subtask` elements each.
std::vector<subtask_operator_state> saved_by(std::uint32_t count, std::int64_t per_subtask) {
  std::vector<subtask_operator_state> saved;
  for (std::uint32_t i = 0; i < count; ++i) {
    operator_state_backend state("source");
    for (std::int64_t n = 0; n < per_subtask; ++n) {
      state.get_list_state(files).add(std::to_string(i) + "." + std::to_string(n));
      state.get_union_list_state(offsets).add(100 * i + n);
    }
    state.get_broadcast_state(rules).put("limit", 7);
    saved.push_back(state.snapshot());
  }
  return saved;
}

}  // namespace

TEST_CASE("list state is dealt out in turn when the parallelism changes") {
  const auto saved = saved_by(3, 3);
  for (const std::uint32_t parallelism : {1u, 2u, 4u, 7u, 12u}) {
    CAPTURE(parallelism);
    const auto dealt = redistribute(saved, parallelism);
    REQUIRE(dealt);
    REQUIRE(dealt->size() == parallelism);
    std::multiset<std::string> all;
    for (const auto& part : *dealt) {
      operator_state_backend state("source");
      REQUIRE(state.restore(part));
      const auto& mine = state.get_list_state(files).get();
      CHECK(mine.size() >= 9 / parallelism);
      CHECK(mine.size() <= (9 + parallelism - 1) / parallelism);
      all.insert(mine.begin(), mine.end());
      CHECK(state.get_union_list_state(offsets).get() ==
            std::vector<std::int64_t>{0, 1, 2, 100, 101, 102, 200, 201, 202});
      CHECK(*state.get_broadcast_state(rules).get("limit") == 7);
    }
    CHECK(all == std::multiset<std::string>{"0.0", "0.1", "0.2", "1.0", "1.1", "1.2", "2.0", "2.1",
                                            "2.2"});
  }
}

TEST_CASE("list state stays where it was if the parallelism stays") {
  const auto saved = saved_by(2, 2);
  const auto dealt = redistribute(saved, 2);
  REQUIRE(dealt);
  operator_state_backend state("source");
  const auto list = state.get_list_state(files);
  REQUIRE(state.restore(dealt->at(1)));
  CHECK(list.get() == std::vector<std::string>{"1.0", "1.1"});
}

TEST_CASE("broadcast state is a map in the order of its keys") {
  operator_state_backend state("rules");
  const auto map = state.get_broadcast_state(rules);
  CHECK(map.is_empty());
  map.put("b", 2);
  map.put("a", 1);
  map.put("b", 3);
  CHECK(map.entries() == std::map<std::string, std::int64_t>{{"a", 1}, {"b", 3}});
  CHECK(*state.get_broadcast_state(rules).get("b") == 3);
  CHECK(map.remove("a"));
  CHECK(!map.remove("a"));
  CHECK(!map.contains("a"));
  map.clear();
  CHECK(map.get("b") == nullptr);
}

TEST_CASE("an operator state of another kind or type is refused") {
  operator_state_backend state("source");
  state.get_list_state(files);
  CHECK(code_of([&] { state.get_union_list_state(files); }) == errc::invalid_argument);
  CHECK(code_of([&] { state.get_list_state(list_state_descriptor<int>("files")); }) ==
        errc::invalid_argument);
  CHECK(code_of([&] { state.get_list_state(list_state_descriptor<int>("")); }) ==
        errc::invalid_argument);

  operator_state_backend other("source");
  other.get_list_state(list_state_descriptor<int>("files"));
  const auto refused = other.restore(saved_by(1, 1).front());
  REQUIRE(!refused);
  CHECK(refused.error().code == errc::type_mismatch);
  CHECK(refused.error().message.find("operator state 'files' of operator 'source'") == 0);

  auto saved = saved_by(2, 1);
  saved[1][0].type ^= 1;
  CHECK(redistribute(saved, 2).error().code == errc::type_mismatch);
}

namespace {

struct rule {
  std::int64_t limit = 0;
};
struct rule_later {
  std::int64_t limit = 0;
  std::string reason = "unknown";
};

}  // namespace

TEST_CASE("elements of operator state get the fields that were added to their type") {
  operator_state_backend before("source");
  before.get_list_state(list_state_descriptor<rule>("list")).update({{1}, {2}});
  before.get_broadcast_state(map_state_descriptor<std::string, rule>("rules")).put("a", {3});
  operator_state_backend after("source");
  REQUIRE(after.restore(before.snapshot()));
  const auto list = after.get_list_state(list_state_descriptor<rule_later>("list"));
  REQUIRE(list.get().size() == 2);
  CHECK(list.get()[1].limit == 2);
  CHECK(list.get()[1].reason == "unknown");
  const auto map =
      after.get_broadcast_state(map_state_descriptor<std::string, rule_later>("rules"));
  REQUIRE(map.get("a") != nullptr);
  CHECK(map.get("a")->reason == "unknown");

  operator_state_backend back("source");
  REQUIRE(back.restore(after.snapshot()));
  CHECK_THROWS_WITH_AS(back.get_list_state(list_state_descriptor<rule>("list")),
                       doctest::Contains("it was vec<{i64,str}> and is now vec<{i64}>"), failure);
}

TEST_CASE("an operator state that nobody asks for survives further snapshots") {
  const auto saved = saved_by(1, 2).front();
  operator_state_backend state("source");
  REQUIRE(state.restore(saved));
  state.get_broadcast_state(rules).put("other", 1);
  operator_state_backend next("source");
  REQUIRE(next.restore(state.snapshot()));
  CHECK(next.get_list_state(files).get() == std::vector<std::string>{"0.0", "0.1"});
  CHECK(next.get_broadcast_state(rules).entries().size() == 2);
}

}  // namespace operator_state_test
