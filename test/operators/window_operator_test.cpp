#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "millrace/operators/interval_join.hpp"
#include "millrace/operators/local_slices.hpp"
#include "millrace/operators/slicing_window_operator.hpp"
#include "support/operator_harness.hpp"

namespace window_operator_test {

using namespace millrace;
using namespace std::chrono_literals;
using test::operator_harness;

namespace {

struct row {
  std::int64_t key = 0;
  std::int64_t value = 0;

  bool operator==(const row&) const = default;
};
using rows = std::vector<row>;
using harness = operator_harness<row, row>;
using key_of = std::int64_t row::*;

/// How often functions were opened and closed.
struct life {
  int opened = 0;
  int closed = 0;
};

/// Adds up, and fails if nobody has opened it.
struct add_up {
  std::shared_ptr<life> seen;
  counter* additions = nullptr;

  void open(runtime_context& context) {
    ++seen->opened;
    additions = &context.metric("additions");
  }
  void close() { ++seen->closed; }
  row operator()(const row& a, const row& b) {
    additions->add(1);
    return {a.key, a.value + b.value};
  }
};

/// Emits each sum with the number of sums that its key has had.
struct count_results {
  std::shared_ptr<life> seen;
  value_state<std::int64_t> results;

  void open(keyed_runtime_context<std::int64_t>& context) {
    ++seen->opened;
    results = context.get_state(value_state_descriptor<std::int64_t>("results"));
  }
  void close() { ++seen->closed; }
  void operator()(std::int64_t, const time_window&, const row& sum, collector<row>& out) {
    out.emit({++results.get_or_default(), sum.value});
  }
};

using sums = folded_contents<row, reduce_fold<row, add_up>>;

template <class Assigner, class Trigger>
auto settings(Assigner assigner, Trigger trigger, std::shared_ptr<life> seen,
              std::int64_t allowed_lateness_ms = 3'600'000) {
  return window_settings<row, key_of, Assigner, Trigger, sums, applied_function<count_results>>{
      &row::key,           assigner, trigger, sums{{add_up{seen}}}, {{count_results{seen, {}}}},
      allowed_lateness_ms, {}};
}

/// Of 10 ms, sliding by 5, where nothing late is waited for.
operator_factory_ptr sliding_by_half() {
  return make_slicing_window_operator<row, row>(settings(sliding_event_time_windows::of(10ms, 5ms),
                                                         event_time_trigger(),
                                                         std::make_shared<life>(), 0));
}

/// Of 8 ms, sliding by 2.
operator_factory_ptr sliding(std::int64_t allowed_lateness_ms) {
  return make_slicing_window_operator<row, row>(
      settings(sliding_event_time_windows::of(8ms, 2ms), event_time_trigger(),
               std::make_shared<life>(), allowed_lateness_ms));
}

operator_factory_ptr sliced(std::shared_ptr<life> seen = {}) {
  if (!seen) seen = std::make_shared<life>();
  return make_slicing_window_operator<row, row>(
      settings(tumbling_event_time_windows::of(10ms), event_time_trigger(), seen));
}

operator_factory_ptr by_the_clock(std::shared_ptr<life> seen = {}) {
  if (!seen) seen = std::make_shared<life>();
  return make_window_operator<row, row>(
      settings(tumbling_processing_time_windows::of(10ms), processing_time_trigger(), seen));
}

using saved_groups = std::vector<encoded_key_group>;

saved_groups keyed_state_of(harness& op) {
  return op.keyed_snapshot();
}

/// Before open(): of key groups that the subtask owns.
void restore_keyed_state(harness& op, const saved_groups& saved) {
  auto& state = op.keyed_backend<std::int64_t>();
  for (const auto& [group, bytes] : saved) {
    if (!state.groups().contains(group)) continue;
    REQUIRE(state.restore_key_group(group, bytes));
  }
}

}  // namespace

TEST_CASE("slices are as long as can be, and no edge of a window is within one") {
  struct sizes {
    std::int64_t size, slide, offset;
  };
  for (const auto [size, slide, offset] :
       {sizes{600'000, 7'001, 0}, sizes{60, 10, -3}, sizes{10, 10, 4}, sizes{7, 3, 1},
        sizes{3, 7, -20}, sizes{5, 4, 2}, sizes{1, 1, 0}}) {
    CAPTURE(size);
    CAPTURE(slide);
    const slice_geometry slices(size, slide, offset);
    const auto is_edge = [&](timestamp_ms at) {
      return window_start(at, offset, slide) == at ||
             window_start(at - size, offset, slide) == at - size;
    };
    for (auto at = slices.slice_start(-2 * size - 11); at < 2 * size;) {
      const auto end = slices.slice_end(at);
      REQUIRE(end > at);
      CHECK(is_edge(at));
      for (auto within = at + 1; within < end; ++within)
        if (slices.slice_start(within) != at || is_edge(within)) FAIL_CHECK(within);
      // By trying all windows.
      const auto first = window_start(at - size, offset, slide) + slide;
      const auto last = window_start(at, offset, slide);
      CHECK(slices.is_in_gap(at) == (first > last));
      if (first <= last) CHECK(slices.first_window_end(at) == first + size);
      CHECK(slices.last_window_end(at) == last + size);
      at = end;
    }
  }
}

TEST_CASE("functions of windows are opened and closed, whatever they are wrapped in") {
  for (const auto make : {&sliced, &by_the_clock}) {
    const auto seen = std::make_shared<life>();
    harness op(make(seen));
    op.open();
    CHECK(seen->opened == 2);
    op.process_timed({{7, 1}, {7, 2}}, {0, 1});
    CHECK(seen->closed == 0);
    op.finish();
    CHECK(op.take() == rows{{1, 3}});
    CHECK(op.runtime().metric("additions").value() == 1);
    CHECK(seen->closed == 2);
    op.close();
    CHECK(seen->closed == 2);
  }
}

TEST_CASE(
    "windows that one watermark completes come key by key, each in the order of its windows") {
  for (const std::int64_t lateness : {std::int64_t{0}, std::int64_t{5}, max_watermark}) {
    CAPTURE(lateness);
    harness op(sliding(lateness));
    op.open();
    // Both keys are due first at 17, and one then earlier, for a record that is out of order.
    op.process_timed({{1, 1}, {2, 10}, {1, 2}, {2, 20}, {1, 4}}, {17, 17, 21, 22, 11});
    op.advance_to(10);
    CHECK(op.take().empty());
    op.advance_to(24);
    const auto first = op.take();
    // The windows of key 1 end at 12, 14, … 24, those of key 2 at 18, 20, … 24.
    const rows of_1{{1, 4}, {2, 4}, {3, 4}, {4, 5}, {5, 1}, {6, 3}, {7, 3}};
    const rows of_2{{1, 10}, {2, 10}, {3, 10}, {4, 30}};
    rows expected = of_1;
    expected.insert(expected.end(), of_2.begin(), of_2.end());
    CHECK(first == expected);
    op.finish();
    // The rest, and nothing twice, however long late records are waited for.
    auto rest = op.take();
    std::sort(rest.begin(), rest.end(), [](const row& a, const row& b) {
      return std::pair(a.value, a.key) < std::pair(b.value, b.key);
    });
    CHECK(rest == rows{{8, 2}, {9, 2}, {5, 20}, {6, 20}, {7, 20}});
  }
}

TEST_CASE("a window that has fired fires again for a late record after a restore") {
  harness before(sliced());
  before.open();
  before.process_timed({{7, 1}}, {85});
  before.advance_to(89);
  CHECK(before.take() == rows{{1, 1}});
  const auto saved = before.checkpoint(checkpoint_id(1));

  harness after(sliced());
  after.restore(saved);
  restore_keyed_state(after, keyed_state_of(before));
  after.open();
  after.process_timed({{7, 5}}, {85});
  CHECK(after.take() == rows{{2, 6}});
  after.advance_to(50);  // the sources began a little before
  after.process_timed({{7, 10}, {7, 100}}, {85, 95});
  after.advance_to(200);
  CHECK(after.take() == rows{{3, 16}, {4, 100}});
}

namespace {

runtime_context::identity subtask_of(std::uint32_t index, std::uint32_t parallelism) {
  runtime_context::identity self;
  self.subtask_index = index;
  self.parallelism = parallelism;
  self.max_parallelism = 128;
  return self;
}

struct place {
  std::uint32_t index = 0;
  std::uint32_t parallelism = 1;
};

/// A key that is one of that subtask's with each parallelism.
std::int64_t key_of_subtasks(const std::vector<place>& owners) {
  const auto is_theirs = [&](std::int64_t key) {
    const auto group = key_group_of(key_hash(key), 128);
    return std::all_of(owners.begin(), owners.end(), [group](const place& each) {
      return subtask_of_key_group(group, 128, each.parallelism) == each.index;
    });
  };
  std::int64_t key = 0;
  while (!is_theirs(key)) ++key;
  return key;
}

/// A key of that subtask's.
std::int64_t key_of_subtask(std::uint32_t index, std::uint32_t parallelism) {
  return key_of_subtasks({{index, parallelism}});
}

/// The operator state of several subtasks, as each gets it when all is united.
std::vector<saved_operator_state> united(std::vector<std::vector<saved_operator_state>> all) {
  auto whole = std::move(all.at(0));
  for (std::size_t s = 1; s < all.size(); ++s)
    for (std::size_t i = 0; i < whole.size(); ++i)
      whole[i].elements.insert(whole[i].elements.end(), all[s].at(i).elements.begin(),
                               all[s].at(i).elements.end());
  return whole;
}

/// What a checkpoint has of one subtask.
struct saved_subtask {
  std::vector<saved_operator_state> of_operator;
  saved_groups keyed;
};
/// Of all subtasks, in their order.
using saved_job = std::vector<saved_subtask>;

saved_subtask checkpoint_of(harness& op) {
  auto of_operator = op.checkpoint(checkpoint_id(1));
  return {std::move(of_operator), keyed_state_of(op)};
}

/// Opens a subtask of the job, with the same parallelism or another one.
void open_from(harness& op, const saved_job& saved) {
  std::vector<std::vector<saved_operator_state>> each;
  each.reserve(saved.size());
  for (const auto& subtask : saved) each.push_back(subtask.of_operator);
  op.restore(united(std::move(each)));
  for (const auto& subtask : saved) restore_keyed_state(op, subtask.keyed);
  op.open();
}

/// A checkpoint whose barriers were not aligned: of two subtasks the first had come to 19, and the
/// second to 49, after it had these records; then its windows had these results.
saved_job apart(const operator_factory_ptr& windows, rows records, timestamp_column at,
                const rows& results) {
  harness slow(windows, subtask_of(0, 2));
  slow.open();
  slow.advance_to(19);
  harness fast(windows, subtask_of(1, 2));
  fast.open();
  fast.process_timed(std::move(records), std::move(at));
  fast.advance_to(49);
  CHECK(fast.take() == results);
  saved_job saved;
  saved.push_back(checkpoint_of(slow));
  saved.push_back(checkpoint_of(fast));
  return saved;
}

std::int64_t late_records_dropped(harness& op) {
  return op.runtime().sum_accumulator(late_records_accumulator);
}

}  // namespace

TEST_CASE("a window that a key's former subtask had fired fires again with what is late there") {
  const auto key = key_of_subtask(1, 2);
  harness after(sliced(), subtask_of(0, 1));
  open_from(after, apart(sliced(), {{key, 1}}, {35}, {{1, 1}}));
  after.process_timed({{key, 5}}, {35});
  CHECK(after.take() == rows{{2, 6}});  // at once, though it is not late for keys of the other one
  after.advance_to(60);
  CHECK(after.take().empty());
}

TEST_CASE("which windows a key's former subtask had fired is known after a failover, too") {
  const auto key = key_of_subtask(1, 2);
  saved_job again;
  {
    harness rescaled(sliced(), subtask_of(0, 1));
    open_from(rescaled, apart(sliced(), {{key, 1}}, {35}, {{1, 1}}));
    rescaled.advance_to(29);
    CHECK(rescaled.take().empty());
    again.push_back(checkpoint_of(rescaled));
  }
  harness after(sliced(), subtask_of(0, 1));
  open_from(after, again);
  after.process_timed({{key, 5}}, {35});
  after.advance_to(60);
  CHECK(after.take() == rows{{2, 6}});
}

TEST_CASE("a window that a key's former subtask had fired does not fire again with a part of it") {
  const auto key = key_of_subtask(1, 2);
  harness after(sliding_by_half(), subtask_of(0, 1));
  // Of [40, 50) only the slice at 45 is kept, as the next window needs it.
  open_from(after, apart(sliding_by_half(), {{key, 1}, {key, 2}, {key, 4}, {key, 8}},
                         {36, 41, 46, 51}, {{1, 1}, {2, 3}, {3, 6}}));
  after.process_timed({{key, 16}}, {47});
  after.advance_to(49);
  CHECK(after.take().empty());
  after.advance_to(59);
  CHECK(after.take() == rows{{4, 28}, {5, 8}});
  CHECK(late_records_dropped(after) == 0);
}

TEST_CASE("what is late for a key stays so, however often the parallelism changes") {
  // With three subtasks the second has keys of both.
  const auto of_slow = key_of_subtasks({{0, 2}, {1, 3}});
  const auto of_fast = key_of_subtasks({{1, 2}, {1, 3}});
  saved_job again;
  {
    harness one(sliding_by_half(), subtask_of(0, 1));
    open_from(one,
              apart(sliding_by_half(), {{of_fast, 1}, {of_fast, 2}, {of_fast, 4}, {of_fast, 8}},
                    {36, 41, 46, 51}, {{1, 1}, {2, 3}, {3, 6}}));
    one.advance_to(29);
    CHECK(one.take().empty());
    again.push_back(checkpoint_of(one));
  }
  harness after(sliding_by_half(), subtask_of(1, 3));
  open_from(after, again);
  after.process_timed({{of_fast, 16}, {of_slow, 32}, {of_fast, 64}}, {47, 47, 37});
  CHECK(late_records_dropped(after) == 1);  // that at 37
  after.advance_to(49);
  CHECK(after.take() == rows{{1, 32}});
  after.advance_to(59);
  CHECK(after.take() == rows{{2, 32}, {4, 28}, {5, 8}});
}

TEST_CASE("keys of a subtask that had come to the end begin anew, and others go on") {
  const auto of_fast = key_of_subtask(1, 3);
  const auto of_ended = key_of_subtask(2, 3);
  saved_job saved;
  for (const std::uint32_t s : {0, 1, 2}) {
    harness before(sliced(), subtask_of(s, 3));
    before.open();
    if (s > 0) before.process_timed({{s == 1 ? of_fast : of_ended, 1}}, {35});
    before.advance_to(s == 0 ? 19 : s == 1 ? 49 : max_watermark);
    CHECK(before.take() == (s > 0 ? rows{{1, 1}} : rows()));
    saved.push_back(checkpoint_of(before));
  }
  harness after(sliced(), subtask_of(0, 1));
  open_from(after, saved);
  after.process_timed({{of_fast, 5}}, {35});
  CHECK(after.take() == rows{{2, 6}});
  after.process_timed({{of_ended, 7}}, {35});
  CHECK(after.take().empty());
  after.advance_to(39);
  CHECK(after.take() == rows{{2, 7}});
  CHECK(late_records_dropped(after) == 0);
}

TEST_CASE("a window that is never over fires again with what comes after its job was drained") {
  const auto never_over = make_slicing_window_operator<row, row>(
      settings(tumbling_event_time_windows::of(10ms), event_time_trigger(),
               std::make_shared<life>(), max_watermark));
  saved_job saved(1);
  {
    harness drained(never_over);
    drained.open();
    drained.process_timed({{7, 1}}, {35});
    drained.advance_to(max_watermark);
    CHECK(drained.take() == rows{{1, 1}});
    saved[0] = checkpoint_of(drained);
  }
  for (const char* why : {"started from the savepoint", "failed over"}) {
    CAPTURE(why);
    harness after(never_over);
    open_from(after, saved);
    saved[0] = checkpoint_of(after);
    after.process_timed({{7, 4}}, {36});
    CHECK(after.take().empty());
    after.advance_to(39);
    CHECK(after.take() == rows{{2, 5}});
  }
}

TEST_CASE("a restored subtask knows which windows had fired, also if others have ended since") {
  // At a barrier that was not aligned they may be apart; the first of three had ended.
  std::vector<std::vector<saved_operator_state>> each;
  for (const std::uint32_t s : {1, 2}) {
    harness before(sliced(), subtask_of(s, 3));
    before.open();
    before.advance_to(s == 1 ? 19 : 49);
    each.push_back(before.checkpoint(checkpoint_id(1)));
  }
  const auto saved = united(std::move(each));
  /// Whether a record of the window that ends at 40 comes too late for its first result.
  const auto is_late_for = [](std::int64_t key, const std::vector<saved_operator_state>& from,
                              std::uint32_t index, std::uint32_t parallelism) {
    harness after(sliced(), subtask_of(index, parallelism));
    after.restore(from);
    after.open();
    after.process_timed({{key, 1}}, {35});
    return !after.take().empty();
  };
  const auto is_late = [&](const std::vector<saved_operator_state>& from, std::uint32_t index,
                           std::uint32_t parallelism) {
    return is_late_for(key_of_subtask(index, parallelism), from, index, parallelism);
  };
  CHECK_FALSE(is_late(saved, 0, 3));
  CHECK_FALSE(is_late(saved, 1, 3));
  CHECK(is_late(saved, 2, 3));
  // Of another parallelism: that of the key's former subtask counts.
  CHECK_FALSE(is_late_for(key_of_subtasks({{0, 3}, {0, 2}}), saved, 0, 2));
  CHECK_FALSE(is_late_for(key_of_subtasks({{1, 3}, {0, 2}}), saved, 0, 2));
  CHECK_FALSE(is_late_for(key_of_subtasks({{1, 3}, {1, 2}}), saved, 1, 2));
  CHECK(is_late_for(key_of_subtasks({{2, 3}, {1, 2}}), saved, 1, 2));
  // States of the version before say whose they are, and no more.
  auto before = saved;
  std::erase_if(before, [](const auto& state) {
    return state.name == "_former-watermarks" || state.name == "_fired-until";
  });
  CHECK(before.size() == 2);
  CHECK_FALSE(is_late(before, 1, 3));
  CHECK(is_late(before, 2, 3));
  CHECK_FALSE(is_late_for(key_of_subtasks({{1, 3}, {1, 2}}), before, 1, 2));
  CHECK(is_late_for(key_of_subtasks({{2, 3}, {1, 2}}), before, 1, 2));
  // Of states that do not say whose they are, all must be there.
  auto older = before;
  std::erase_if(older, [](const auto& state) { return state.name == "_watermark-of"; });
  CHECK_FALSE(is_late(older, 0, 2));
  CHECK(is_late(older, 1, 2));
  CHECK_FALSE(is_late(older, 2, 3));
}

TEST_CASE(
    "sums ahead of the exchange wait for a watermark only where nobody else may be ahead of it") {
  using totals = folded_contents<row, sum_fold<key_of>>;
  using sum = partial_sum<std::int64_t, row>;
  operator_harness<row, sum> op(
      make_local_slices<row>(slice_geometry(10, 10, 0), &row::key, totals{{&row::value}}));
  // How many records each sum is of, and what they sum up to.
  const auto sent = [&] {
    std::vector<std::pair<std::int64_t, std::int64_t>> all;
    for (const auto& s : op.take()) all.emplace_back(s.records, s.content.value);
    return all;
  };
  using sums = decltype(sent());
  op.open();
  op.process_timed({{7, 1}, {7, 2}}, {5, 6});
  CHECK(sent().empty());
  op.advance_to(8);
  CHECK(sent() == sums{{2, 3}});
  op.process_timed({{7, 4}}, {5});  // behind the watermark, but its window is not over
  CHECK(sent().empty());
  op.advance_to(9);
  CHECK(sent() == sums{{1, 4}});
  // Others may not be as far, and the window open until they are.
  op.process_timed({{7, 8}, {7, 16}, {7, 32}}, {5, 15, 6});
  CHECK(sent() == sums{{1, 8}, {1, 32}});
  op.op().on_status(stream_status::idle);
  CHECK(sent() == sums{{1, 16}});
  // Others may have gone on, and be ahead until a watermark has caught up.
  op.op().on_status(stream_status::active);
  op.process_timed({{7, 64}, {7, 128}}, {25, 26});
  CHECK(sent() == sums{{2, 192}});
}

TEST_CASE("windows of processing time fire after a restore, though no record comes") {
  harness before(by_the_clock());
  before.open();
  before.process({{7, 1}});
  harness after(by_the_clock());
  restore_keyed_state(after, keyed_state_of(before));
  after.open();
  CHECK(after.has_wake_up());
  after.pass_time(20ms);
  CHECK(after.take() == rows{{1, 1}});
}

TEST_CASE("spans and times whose sums would overflow are refused") {
  constexpr auto ever = std::chrono::milliseconds::max();
  const char* too_long =
      "the size of a window must not be above 1152921504606846976 ms, as 9223372036854775807 ms is";
  CHECK_THROWS_WITH_AS(tumbling_event_time_windows::of(ever), too_long, failure);
  CHECK_THROWS_WITH_AS(sliding_event_time_windows::of(ever, 1ms), too_long, failure);
  CHECK_THROWS_AS(sliding_event_time_windows::of(1ms, ever), failure);
  CHECK_THROWS_AS(event_time_session_windows::with_gap(ever), failure);
  CHECK(is_placeable(0));
  CHECK(is_placeable(4 * span_max_ms));
  CHECK(is_placeable(-4 * span_max_ms));
  CHECK_FALSE(is_placeable(4 * span_max_ms + 1));
  CHECK_FALSE(is_placeable(no_timestamp));
  CHECK_FALSE(is_placeable(max_watermark));

  harness op(sliced());
  op.open();
  op.process_timed({{7, 1}}, {4 * span_max_ms});
  CHECK_THROWS_WITH_AS(op.process_timed({{7, 1}}, {max_watermark}),
                       doctest::Contains("a record has the timestamp 9223372036854775807, which is "
                                         "no time in milliseconds since 1970"),
                       failure);
  std::vector<timestamped<row>> all{{-5, {}}, {-4, {}}};
  time_evictor::of(ever).evict_before(all);
  CHECK(all.size() == 2);
}

TEST_CASE("states of functions can't have names like those of operators") {
  harness op(sliced());
  op.open();
  keyed_runtime_context<std::int64_t> context(op, op.keyed_backend<std::int64_t>());
  const value_state_descriptor<std::int64_t> taken("_slices");
  const char* why =
      "state '_slices' can't be called so: names that begin with '_' are those of the operators' "
      "own states; choose another name";
  CHECK_THROWS_WITH_AS(context.get_state(taken), why, failure);
  const time_window at{0, 10};
  side_outputs side;
  window_context<std::int64_t, time_window> of_window(op.keyed_backend<std::int64_t>(), side, at, 0,
                                                      0, false);
  CHECK_THROWS_WITH_AS(of_window.window_state(taken), why, failure);
  CHECK_THROWS_WITH_AS(of_window.global_state(taken), why, failure);
}

TEST_CASE("a side of an interval join to which nothing comes any more loses its rows") {
  const auto pair = [](const row& left, const row& right, collector<row>& out) {
    out.emit({left.value, right.value});
  };
  harness op(make_interval_join<row, row, row, join_type::inner>(
      interval_join_settings<row, row, key_of, key_of, decltype(pair)>{
          &row::key, &row::key, -10, 10, pair, {}, {}}));
  op.open();
  const auto bytes = [&] {
    std::size_t all = 0;
    for (const auto& [group, saved] : keyed_state_of(op)) all += saved.size();
    return all;
  };
  const auto of_nothing = bytes();
  for (std::int64_t at = 0; at < 100; ++at)
    op.process_timed({{7, at}}, {at}, rows_access::exclusive, 1);
  const auto of_right = bytes() - of_nothing;
  for (timestamp_ms at = 100; at < 300; at += 5) {
    op.process_timed({{7, at}}, {at}, rows_access::exclusive, 0);
    op.advance_to(at);
  }
  CHECK(op.take().size() == 10 + 5);  // those at 100 and 105
  CHECK(bytes() - of_nothing < of_right / 4);
}

}  // namespace window_operator_test
