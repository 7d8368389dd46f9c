#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>

#include "chosen_windows.hpp"
#include "reference/random_stream.hpp"
#include "reference/subtasks.hpp"

namespace window_reference_test {

using namespace millrace;
using namespace millrace::test;
using namespace millrace::test::reference;

namespace {

std::vector<fired> as_fired(const std::vector<firing>& firings, const chosen_windows& how) {
  std::vector<fired> all;
  for (const auto& f : firings) {
    fired made{f.key, f.window.start, f.window.end, how.counts_firings ? f.nth : 0, {}};
    std::int64_t sum = 0;
    timestamp_ms latest = no_timestamp;
    for (const auto& row : f.rows) {
      sum += row.value;
      latest = std::max(latest, row.at);
      if (how.keeps == keeping::list) made.values.push_back(row.value);
    }
    std::sort(made.values.begin(), made.values.end());
    if (how.keeps == keeping::sum) made.values = {sum};
    if (how.keeps == keeping::fold) made.values = {sum, latest};
    all.push_back(std::move(made));
  }
  return all;
}

template <class T>
std::vector<T> sorted(std::vector<T> rows) {
  std::sort(rows.begin(), rows.end());
  return rows;
}

/// Time on the clock of operators, and of events where both kinds of time meet.
constexpr timestamp_ms clock_start = 3'600'000;

chosen_windows random_windows(random_numbers& random) {
  chosen_windows how;
  auto& job = how.job;
  how.is_sliced = random.one_of(8);
  job.assigner = how.is_sliced ? assigning::sliding : static_cast<assigning>(random.upto(0, 2));
  job.is_event_time = how.is_sliced || !random.one_of(3);
  if (job.assigner == assigning::global) job.is_event_time = false;
  job.slide = random.one_of(2) ? random.upto(1, 3) : random.upto(1, 12);
  job.size = random.one_of(3) ? random.upto(1, 40) : job.slide * random.upto(1, 20);
  if (random.one_of(4)) job.slide = job.size;
  job.gap_spread = random.one_of(2) ? 1 : 5;
  job.offset = random.upto(-20, 20);
  if (job.is_event_time && random.one_of(2)) job.lateness = random.upto(1, 40);
  how.keeps = static_cast<keeping>(random.upto(0, how.is_sliced ? 1 : 2));
  if (how.is_sliced) return how;

  job.trigger = random.one_of(3)
                    ? (job.is_event_time ? triggering::at_end : triggering::at_clock_end)
                    : static_cast<triggering>(random.upto(0, 5));
  // Windows that merge need a trigger that can.
  if (job.assigner == assigning::sessions && job.trigger == triggering::by_delta)
    job.trigger = triggering::every_n;
  job.n = random.upto(1, 5);
  job.interval = random.upto(1, 15);
  job.delta = random.upto(0, 10);
  job.purges = random.one_of(3);
  if (random.one_of(4)) job.timeout = random.upto(1, 30);
  job.timeout_resets = random.one_of(2);
  job.timeout_clears = random.one_of(2);
  job.timeout_purges = job.timeout && random.one_of(4);
  if (random.one_of(3)) {
    job.evictor = static_cast<evicting>(random.upto(1, 3));
    job.evicts_after = random.one_of(2);
    job.keeps = job.evictor == evicting::by_count ? random.upto(0, 4) : random.upto(0, 20);
  }
  // State of a window can't be merged.
  how.counts_firings = job.assigner != assigning::sessions && random.one_of(2);
  return how;
}

struct random_case {
  explicit random_case(std::uint64_t seed)
      : random(seed),
        windows(random_windows(random)),
        parallelism(static_cast<std::uint32_t>(random.upto(1, 4))),
        reads_late(random.one_of(2)),
        stream(random, random.one_of(3) && !windows.meets_clock() ? 0 : clock_start) {}

  random_numbers random;
  chosen_windows windows;
  std::uint32_t parallelism;
  bool reads_late;
  random_stream stream;
};

/// A random stream through an operator's subtasks and through the interpreter.
void run_case(std::uint64_t seed) {
  random_case now(seed);
  const auto& backend = backend_of_case(seed);
  const auto what = now.windows.to_string();
  CAPTURE(what);
  CAPTURE(backend.name);
  keyed_subtasks<event, fired> subtasks(make_operator(now.windows), now.parallelism,
                                        backend.backend);
  if (now.reads_late) subtasks.listen(late_events);
  subtasks.open();
  interpreter expected(now.windows.job, subtasks.clock());
  REQUIRE(subtasks.clock() == clock_start);
  while (now.stream.has_next()) {
    const auto e = now.stream.next();
    expected.row(e);
    subtasks.add(e, e.key, e.at, 0, now.random.one_of(4));
    if (const auto at = now.stream.next_watermark()) {
      expected.watermark(*at);
      subtasks.watermark(*at);
    }
    if (!now.random.one_of(5)) continue;
    subtasks.pass_time(now.random.one_of(4) ? now.random.upto(1, 60) : now.random.upto(1, 6));
    expected.clock(subtasks.clock());
  }
  expected.end();
  const auto got = sorted(subtasks.finish());
  const auto wanted = sorted(as_fired(expected.firings, now.windows));
  REQUIRE(got.size() == wanted.size());
  REQUIRE(got == wanted);
  if (now.reads_late) REQUIRE(sorted(subtasks.side_output(late_events)) == sorted(expected.late));
  const auto dropped = now.reads_late ? 0 : static_cast<std::int64_t>(expected.late.size());
  REQUIRE(subtasks.late() == dropped);
}

constexpr std::uint64_t usual_cases = 6'000;

/// A quarter of the cases, so that the quarters may run side by side.
void run_quarter(std::uint64_t which) {
  const case_range cases(usual_cases);
  for (auto seed = cases.first + which; seed < cases.first + cases.count; seed += 4) {
    CAPTURE(seed);
    run_case(seed);
  }
}

/// One subtask with windows of event time of 100 ms.
struct one_subtask {
  explicit one_subtask(const window_job& job)
      : all(make_operator({job, keeping::sum}), 1, backend_of_case(0).backend) {
    all.open();
  }
  void row(std::int64_t value, timestamp_ms at) { all.add(event{1, value, at}, 1, at, 0, true); }
  /// The sums that were emitted, at the end of the input too.
  std::vector<std::int64_t> sums() {
    std::vector<std::int64_t> found;
    for (const auto& f : all.finish()) found.push_back(f.values.front());
    return found;
  }

  keyed_subtasks<event, fired> all;
};

window_job windows_of_100_ms(triggering trigger) {
  window_job job;
  job.size = job.slide = 100;
  job.trigger = trigger;
  job.interval = 15;
  return job;
}

}  // namespace

TEST_CASE("a window that has fired by timeout fires at its end for what came since") {
  auto job = windows_of_100_ms(triggering::at_end);
  job.timeout = 10;
  one_subtask windows(job);
  windows.row(1, 0);
  windows.all.pass_time(20);
  windows.row(2, 1);
  windows.all.watermark(99);
  windows.all.pass_time(20);
  CHECK(windows.sums() == std::vector<std::int64_t>{1, 3});
}

TEST_CASE("a timeout takes no timer of the trigger inside away that is due at the same time") {
  auto job = windows_of_100_ms(triggering::continuously_by_clock);
  job.timeout = 30;  // set at 3,600,000, as the trigger's second timer will be
  job.timeout_clears = false;
  one_subtask windows(job);
  windows.row(1, 0);
  windows.all.pass_time(50);
  // The trigger inside fired three times.
  CHECK(windows.sums() == std::vector<std::int64_t>{1, 1, 1, 1});
}

TEST_CASE("a continuous trigger of the clock fires over a stream of the past, and at its end") {
  one_subtask windows(windows_of_100_ms(triggering::continuously_by_clock));
  windows.row(1, 0);
  windows.all.pass_time(20);
  windows.row(2, 50);
  windows.all.pass_time(15);
  windows.all.watermark(99);
  windows.all.pass_time(100);
  CHECK(windows.sums() == std::vector<std::int64_t>{1, 3, 3});
}

TEST_CASE("a trigger of the clock leaves out no record of a window that has ended by it") {
  one_subtask windows(windows_of_100_ms(triggering::at_clock_end));
  windows.row(1, 0);
  windows.all.pass_time(1);
  windows.row(2, 50);
  windows.all.pass_time(1);
  CHECK(windows.sums() == std::vector<std::int64_t>{1, 3});
}

TEST_CASE("a window of processing time emits once at the end of the input, whatever is due") {
  auto job = windows_of_100_ms(triggering::continuously_by_clock);
  job.is_event_time = false;
  job.interval = 99;
  one_subtask windows(job);
  windows.row(1, 0);
  CHECK(windows.sums() == std::vector<std::int64_t>{1});
}

TEST_CASE("random streams: windows emit what the reference does, first quarter") {
  run_quarter(0);
}
TEST_CASE("random streams: windows emit what the reference does, second quarter") {
  run_quarter(1);
}
TEST_CASE("random streams: windows emit what the reference does, third quarter") {
  run_quarter(2);
}
TEST_CASE("random streams: windows emit what the reference does, last quarter") {
  run_quarter(3);
}

TEST_CASE("the random streams have all that streams have, and windows all that is to be chosen") {
  stream_shape shape;
  std::set<std::tuple<assigning, bool, triggering, bool, keeping>> windows;
  std::set<std::tuple<assigning, evicting, bool>> evictors;
  std::set<std::tuple<triggering, bool, bool, bool>> timeouts;
  std::map<std::pair<std::string, std::uint32_t>, int> places;
  for (std::uint64_t seed = 1; seed <= usual_cases; ++seed) {
    random_case now(seed);
    const auto& job = now.windows.job;
    windows.emplace(job.assigner, job.is_event_time, job.trigger, job.lateness > 0,
                    now.windows.keeps);
    evictors.emplace(job.assigner, job.evictor, job.evicts_after);
    if (job.timeout)
      timeouts.emplace(job.trigger, job.purges, job.timeout_resets, job.timeout_clears);
    ++places[{backend_of_case(seed).name, now.parallelism}];
    while (now.stream.has_next()) {
      now.stream.next();
      now.stream.next_watermark();
    }
    shape += now.stream.shape();
  }
  // Sliding and sessions, event time (in time and late) and processing time, 6 and 5 triggers, 3
  // functions; global windows with 6 triggers.
  CHECK(windows.size() == (2 + 1) * (6 + 5) * 3 + 6 * 3);
  CHECK(evictors.size() == 3 * (1 + 3 * 2));
  CHECK(timeouts.size() == 6 * 2 * 2 * 2);
  CHECK(places.size() == 4 * 4);
  for (const auto& [place, cases] : places) CHECK(cases > 100);
  CHECK(shape.out_of_order > 10'000);
  CHECK(shape.at_the_same_time > 10'000);
  CHECK(shape.bursts > 1'000);
  CHECK(shape.pauses > 10'000);
  CHECK(shape.behind_watermark > 10'000);
}

}  // namespace window_reference_test
