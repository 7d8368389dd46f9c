#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "millrace/operators/interval_join.hpp"
#include "millrace/operators/window_join.hpp"
#include "millrace/operators/window_operator.hpp"
#include "reference/random_stream.hpp"
#include "reference/subtasks.hpp"

namespace join_reference_test {

using namespace millrace;
using namespace millrace::test;
using namespace millrace::test::reference;
using std::chrono::milliseconds;

namespace {

/// Values of the two rows of a pair; -1 for none.
struct joined {
  std::int64_t key = 0;
  std::int64_t left = -1;
  std::int64_t right = -1;

  auto operator<=>(const joined&) const = default;
};

joined pair_of(const event* left, const event* right) {
  return {left != nullptr ? left->key : right->key, left != nullptr ? left->value : -1,
          right != nullptr ? right->value : -1};
}

struct to_pair {
  void operator()(const event& left, const event& right, collector<joined>& out) const {
    out.emit(pair_of(&left, &right));
  }
  void operator()(const event* left, const event* right, collector<joined>& out) const {
    out.emit(pair_of(left, right));
  }
};

using factory = operator_factory_ptr;
using key_of = std::int64_t event::*;

void require_equal(std::vector<joined> got, std::vector<joined> wanted) {
  std::sort(got.begin(), got.end());
  std::sort(wanted.begin(), wanted.end());
  REQUIRE(got.size() == wanted.size());
  REQUIRE(got == wanted);
}

// -- interval joins --------------------------------------------------------------------------

struct interval_job {
  join_type type = join_type::inner;
  std::int64_t lower = 0;
  std::int64_t upper = 0;
};

const output_tag<event> late_left("late left");
const output_tag<event> late_right("late right");

template <join_type Type>
factory interval_join(const interval_job& job) {
  return make_interval_join<event, event, joined, Type>(
      interval_join_settings<event, event, key_of, key_of, to_pair>{
          &event::key, &event::key, job.lower, job.upper, {}, late_left, late_right});
}

factory interval_join(const interval_job& job) {
  switch (job.type) {
    case join_type::inner:
      return interval_join<join_type::inner>(job);
    case join_type::left_outer:
      return interval_join<join_type::left_outer>(job);
    case join_type::right_outer:
      return interval_join<join_type::right_outer>(job);
    case join_type::full_outer:
      return interval_join<join_type::full_outer>(job);
  }
  return nullptr;
}

/// All pairs, by brute force.
std::vector<joined> pairs_of(const std::vector<event>& left, const std::vector<event>& right,
                             const interval_job& job) {
  std::vector<joined> all;
  const auto is_pair = [&](const event& l, const event& r) {
    return l.key == r.key && l.at + job.lower <= r.at && r.at <= l.at + job.upper;
  };
  for (const auto& l : left) {
    bool is_alone = true;
    for (const auto& r : right) {
      if (!is_pair(l, r)) continue;
      is_alone = false;
      all.push_back(pair_of(&l, &r));
    }
    if (is_alone && keeps_left(job.type)) all.push_back(pair_of(&l, nullptr));
  }
  if (keeps_right(job.type))
    for (const auto& r : right)
      if (std::none_of(left.begin(), left.end(), [&](const event& l) { return is_pair(l, r); }))
        all.push_back(pair_of(nullptr, &r));
  return all;
}

void run_interval_case(std::uint64_t seed) {
  random_numbers random(seed);
  interval_job job;
  job.type = static_cast<join_type>(random.upto(0, 3));
  job.lower = random.upto(-30, 20);
  job.upper = job.lower + random.upto(0, 30);
  const auto& backend = backend_of_case(seed);
  CAPTURE(backend.name);
  CAPTURE(job.lower);
  CAPTURE(job.upper);
  random_inputs inputs(random);
  keyed_subtasks<event, joined> subtasks(interval_join(job),
                                         static_cast<std::uint32_t>(random.upto(1, 4)),
                                         backend.backend, inputs.count());
  const bool reads_late = random.one_of(2);
  if (reads_late) {
    subtasks.listen(late_left);
    subtasks.listen(late_right);
  }
  subtasks.open();

  std::vector<event> rows[2], late[2];
  timestamp_ms watermark = no_timestamp;
  random_stream stream(random, 0);
  while (stream.has_next()) {
    const auto e = stream.next();
    const auto side = static_cast<std::size_t>(random.upto(0, 1));
    (e.at < watermark ? late : rows)[side].push_back(e);
    subtasks.add(e, e.key, e.at, side, random.one_of(4));
    const auto at = stream.next_watermark();
    if (!at) continue;
    for (const auto& [said, reached] : inputs.hear(*at)) {
      watermark = reached.value_or(watermark);
      subtasks.tell(said);
    }
  }
  require_equal(subtasks.finish(), pairs_of(rows[0], rows[1], job));
  const auto late_rows = late[0].size() + late[1].size();
  REQUIRE(subtasks.late() == (reads_late ? 0 : static_cast<std::int64_t>(late_rows)));
  if (!reads_late) return;
  for (auto& side : late) std::sort(side.begin(), side.end());
  auto got_left = subtasks.side_output(late_left);
  auto got_right = subtasks.side_output(late_right);
  std::sort(got_left.begin(), got_left.end());
  std::sort(got_right.begin(), got_right.end());
  REQUIRE(got_left == late[0]);
  REQUIRE(got_right == late[1]);
}

// -- joins in windows ------------------------------------------------------------------------

using either = either_row<event, event>;
using either_event_key = either_key<key_of, key_of>;

/// What is done with the rows of a window: one operator for all types of joins, and co_group.
struct chosen_pairing {
  join_type type = join_type::inner;
  bool co_groups = false;

  template <class Key, class Window>
  void operator()(const Key& key, window_context<Key, Window>& context,
                  const window_rows<event, event>& rows, collector<joined>& out) const {
    const auto as = [&](auto function) { function(key, context, rows, out); };
    if (co_groups) return as(co_grouping<decltype(&sizes)>{{&sizes}});
    switch (type) {
      case join_type::inner:
        return as(window_joining<to_pair, join_type::inner>{});
      case join_type::left_outer:
        return as(window_joining<to_pair, join_type::left_outer>{});
      case join_type::right_outer:
        return as(window_joining<to_pair, join_type::right_outer>{});
      case join_type::full_outer:
        return as(window_joining<to_pair, join_type::full_outer>{});
    }
  }

  static void sizes(const std::vector<event>& left, const std::vector<event>& right,
                    collector<joined>& out) {
    out.emplace(left.empty() ? right.front().key : left.front().key,
                static_cast<std::int64_t>(left.size()), static_cast<std::int64_t>(right.size()));
  }
};

template <class Assigner>
factory join_in(Assigner assigner, const window_job& job, chosen_pairing pairing) {
  using trigger = decltype(assigner.default_trigger());
  return make_window_operator<either, joined>(
      window_settings<either, either_event_key, Assigner, trigger, joined_contents<event, event>,
                      chosen_pairing>{
          {&event::key, &event::key}, assigner, {}, {}, pairing, job.lateness, {}});
}
template <bool EventTime>
factory join_in(const window_job& job, chosen_pairing pairing) {
  const milliseconds size(job.size);
  return job.assigner == assigning::sessions
             ? join_in(session_windows<EventTime>::with_gap(size), job, pairing)
             : join_in(sliding_windows<EventTime>::of(size, milliseconds(job.slide)), job, pairing);
}

/// From the firings of the windows, in which even values are left and odd ones right.
std::vector<joined> pairs_of(const std::vector<firing>& firings, chosen_pairing pairing) {
  std::vector<joined> all;
  for (const auto& f : firings) {
    std::vector<std::int64_t> left, right;
    for (const auto& row : f.rows) (row.value % 2 == 0 ? left : right).push_back(row.value);
    if (pairing.co_groups) {
      all.push_back(
          {f.key, static_cast<std::int64_t>(left.size()), static_cast<std::int64_t>(right.size())});
      continue;
    }
    for (const auto l : left)
      for (const auto r : right) all.push_back({f.key, l, r});
    if (right.empty() && keeps_left(pairing.type))
      for (const auto l : left) all.push_back({f.key, l, -1});
    if (left.empty() && keeps_right(pairing.type))
      for (const auto r : right) all.push_back({f.key, -1, r});
  }
  return all;
}

void run_window_case(std::uint64_t seed) {
  random_numbers random(seed);
  window_job job;
  job.assigner = random.one_of(2) ? assigning::sliding : assigning::sessions;
  job.is_event_time = !random.one_of(4);
  if (!job.is_event_time) job.trigger = triggering::at_clock_end;
  job.slide = random.upto(1, 12);
  job.size = job.slide * random.upto(1, 4);
  if (job.is_event_time && random.one_of(2)) job.lateness = random.upto(1, 30);
  chosen_pairing pairing{static_cast<join_type>(random.upto(0, 3)), random.one_of(5)};
  const auto& backend = backend_of_case(seed);
  CAPTURE(backend.name);
  const auto made = job.is_event_time ? join_in<true>(job, pairing) : join_in<false>(job, pairing);
  random_inputs inputs(random);
  keyed_subtasks<either, joined> subtasks(made, static_cast<std::uint32_t>(random.upto(1, 4)),
                                          backend.backend, inputs.count());
  subtasks.open();
  interpreter expected(job, subtasks.clock());
  random_stream stream(random, 0);
  while (stream.has_next()) {
    auto e = stream.next();
    e.value = 2 * e.value + random.upto(0, 1);
    expected.row(e);
    const auto row =
        e.value % 2 == 0 ? either(std::in_place_index<0>, e) : either(std::in_place_index<1>, e);
    subtasks.add(row, e.key, e.at, 0, random.one_of(4));
    if (const auto at = stream.next_watermark())
      for (const auto& [said, reached] : inputs.hear(*at)) {
        if (reached) expected.watermark(*reached);
        subtasks.tell(said);
      }
    if (!random.one_of(5)) continue;
    subtasks.pass_time(random.upto(1, 20));
    expected.clock(subtasks.clock());
  }
  expected.end();
  require_equal(subtasks.finish(), pairs_of(expected.firings, pairing));
  REQUIRE(subtasks.late() == static_cast<std::int64_t>(expected.late.size()));
}

}  // namespace

TEST_CASE("random streams: interval joins emit what brute force finds") {
  const case_range cases(2'000);
  for (auto seed = cases.first; seed < cases.first + cases.count; ++seed) {
    CAPTURE(seed);
    run_interval_case(seed);
  }
}

TEST_CASE("random streams: joins in windows emit what the reference does") {
  const case_range cases(1'000);
  for (auto seed = cases.first; seed < cases.first + cases.count; ++seed) {
    CAPTURE(seed);
    run_window_case(seed);
  }
}

}  // namespace join_reference_test
