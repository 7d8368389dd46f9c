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
  saved[1][0].type ^= 1;  // of "files"
  const auto dealt = redistribute(saved, 1);
  REQUIRE(dealt);
  operator_state_backend both("source");
  REQUIRE(both.restore(dealt->at(0)));
  CHECK(code_of([&] { both.get_list_state(files); }) == errc::type_mismatch);

  saved[1][0].mode = operator_state_mode::unite_others;
  const auto unknown = redistribute(saved, 2);
  REQUIRE(!unknown);
  CHECK(unknown.error().code == errc::invalid_data);
  CHECK(unknown.error().message.find("operator state 'files' of subtask 1") == 0);
}

TEST_CASE("an empty list fits any type, but no other kind of state") {
  operator_state_backend before("sink");
  before.get_list_state(list_state_descriptor<int>("committables"));
  before.get_union_list_state(list_state_descriptor<int>("parts"));
  before.get_broadcast_state(rules);
  const auto saved = before.snapshot();
  REQUIRE(saved.size() == 3);

  const list_state_descriptor<std::string> committables("committables");
  const list_state_descriptor<std::string> parts("parts");
  operator_state_backend after("sink");
  REQUIRE(after.restore(saved));
  CHECK(after.get_list_state(committables).get().empty());
  CHECK(after.get_union_list_state(parts).get().empty());
  operator_state_backend asked_before("sink");
  const auto list = asked_before.get_list_state(committables);
  REQUIRE(asked_before.restore(saved));
  CHECK(list.get().empty());

  operator_state_backend other("sink");
  REQUIRE(other.restore(saved));
  CHECK_THROWS_WITH_AS(other.get_union_list_state(committables),
                       doctest::Contains("it was of another kind"), failure);
  CHECK_THROWS_WITH_AS(other.get_list_state(parts), doctest::Contains("it was of another kind"),
                       failure);
  // An empty map is what all subtasks have agreed on.
  const map_state_descriptor<std::string, bool> other_rules("rules");
  CHECK(code_of([&] { other.get_broadcast_state(other_rules); }) == errc::type_mismatch);
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

namespace {

const list_state_descriptor<rule> old_list("list");
const list_state_descriptor<rule> old_union("union");
const map_state_descriptor<std::string, rule> old_map("map");
const list_state_descriptor<rule_later> new_list("list");
const list_state_descriptor<rule_later> new_union("union");
const map_state_descriptor<std::string, rule_later> new_map("map");

/// What three subtasks save, only the first of which has asked for its state since a field was
/// added to the type.
std::vector<subtask_operator_state> saved_by_old_and_new() {
  std::vector<subtask_operator_state> saved;
  for (std::int64_t i = 0; i < 3; ++i) {
    operator_state_backend state("source");
    state.get_list_state(old_list).add({i});
    state.get_list_state(old_list).add({10 + i});
    state.get_union_list_state(old_union).add({i});
    state.get_broadcast_state(old_map).put("a", {1});
    saved.push_back(state.snapshot());
  }
  const auto dealt = redistribute(saved, 3);
  REQUIRE(dealt);
  for (std::size_t i = 0; i < 3; ++i) {
    operator_state_backend state("source");
    REQUIRE(state.restore(dealt->at(i)));
    if (i == 0) {
      CHECK(state.get_list_state(new_list).get().size() == 2);
      state.get_list_state(new_list).add({20, "new"});
      const auto all = state.get_union_list_state(new_union);
      CHECK(all.get().size() == 3);
      all.clear();  // whoever has a union list saves what is his
      all.add({0, "new"});
      state.get_broadcast_state(new_map).put("a", {2, "new"});
    }
    saved[i] = state.snapshot();
  }
  return saved;
}

/// All of that is there once, whoever asks for it.
void check_whole(const std::vector<subtask_operator_state>& dealt) {
  std::multiset<std::int64_t> listed;
  for (const auto& part : dealt) {
    operator_state_backend state("source");
    const auto map = state.get_broadcast_state(new_map);
    REQUIRE(state.restore(part));  // before some is asked for, and after
    for (const auto& each : state.get_list_state(new_list).get()) listed.insert(each.limit);
    std::vector<std::int64_t> united;
    for (const auto& each : state.get_union_list_state(new_union).get()) {
      united.push_back(each.limit);
      CHECK(each.reason == (each.limit == 0 ? "new" : "unknown"));
    }
    CHECK(united == std::vector<std::int64_t>{0, 1, 2});
    REQUIRE(map.get("a") != nullptr);
    CHECK(map.get("a")->limit == 2);
    CHECK(map.get("a")->reason == "new");
    CHECK(state.snapshot().size() == 3);
  }
  CHECK(listed == std::multiset<std::int64_t>{0, 1, 2, 10, 11, 12, 20});
}

}  // namespace

TEST_CASE("subtasks may have an operator state by its old type, and others by its new one") {
  const auto saved = saved_by_old_and_new();
  CHECK(saved[0][0].type != saved[1][0].type);
  for (std::uint32_t parallelism = 1; parallelism <= 7; ++parallelism) {
    CAPTURE(parallelism);
    const auto dealt = redistribute(saved, parallelism);
    REQUIRE(dealt);
    check_whole(*dealt);
  }
}

TEST_CASE("operator state that nobody asks for is neither lost nor multiplied by restores") {
  auto saved = saved_by_old_and_new();
  for (const std::uint32_t parallelism : {3u, 3u, 1u, 7u, 7u, 2u, 5u, 4u, 6u, 3u}) {
    CAPTURE(parallelism);
    const auto dealt = redistribute(saved, parallelism);
    REQUIRE(dealt);
    check_whole(*dealt);
    saved.clear();
    for (const auto& part : *dealt) {
      operator_state_backend state("source");
      REQUIRE(state.restore(part));
      saved.push_back(state.snapshot());
    }
  }
}

TEST_CASE("of a union list that only some ask for, the others keep what is theirs") {
  std::vector<subtask_operator_state> saved;
  for (std::int64_t i = 0; i < 3; ++i) {
    operator_state_backend state("source");
    state.get_union_list_state(offsets).add(i);
    saved.push_back(state.snapshot());
  }
  for (int round = 0; round < 3; ++round) {
    const auto dealt = redistribute(saved, 3);
    REQUIRE(dealt);
    for (std::size_t i = 0; i < 3; ++i) {
      operator_state_backend state("source");
      REQUIRE(state.restore(dealt->at(i)));
      if (i == 1) {
        const auto all = state.get_union_list_state(offsets);
        CHECK(all.get() == std::vector<std::int64_t>{0, 1, 2});
        all.update(std::vector<std::int64_t>{1});
      }
      saved[i] = state.snapshot();
    }
  }
}

TEST_CASE("what some subtasks have by a newer type is refused where the older one is asked for") {
  for (const std::uint32_t parallelism : {1u, 3u}) {
    CAPTURE(parallelism);
    const auto dealt = redistribute(saved_by_old_and_new(), parallelism);
    REQUIRE(dealt);
    operator_state_backend state("source");
    REQUIRE(state.restore(dealt->at(0)));
    CHECK_THROWS_WITH_AS(state.get_list_state(old_list),
                         doctest::Contains("operator state 'list' of operator 'source' can't be "
                                           "restored: it had another type: it was "
                                           "vec<{i64,str}> and is now vec<{i64}>"),
                         failure);
    CHECK_THROWS_WITH_AS(state.get_union_list_state(old_union),
                         doctest::Contains("it was vec<{i64,str}> and is now vec<{i64}>"), failure);
    CHECK_THROWS_WITH_AS(state.get_broadcast_state(old_map),
                         doctest::Contains("it was map<str,{i64,str}> and is now map<str,{i64}>"),
                         failure);
  }
}

TEST_CASE("an empty copy of a broadcast state counts if it is the newest") {
  auto saved = saved_by_old_and_new();
  operator_state_backend emptied("source");
  emptied.get_broadcast_state(new_map);
  saved[0] = emptied.snapshot();
  const auto dealt = redistribute(saved, 2);
  REQUIRE(dealt);
  for (const auto& part : *dealt) {
    operator_state_backend state("source");
    REQUIRE(state.restore(part));
    CHECK(state.get_broadcast_state(new_map).is_empty());
  }
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
