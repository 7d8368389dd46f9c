#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>

#include "chosen_windows.hpp"
#include "millrace/operators/slice_list.hpp"
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
        inputs(random),
        stream(random, random.one_of(3) && !windows.meets_clock() ? 0 : clock_start) {}

  random_numbers random;
  chosen_windows windows;
  std::uint32_t parallelism;
  bool reads_late;
  random_inputs inputs;
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
                                        backend.backend, now.inputs.count());
  if (now.reads_late) subtasks.listen(late_events);
  subtasks.listen(fired_aside);
  subtasks.open();
  // Whatever made a window fire, what its function says aside comes with its result.
  const auto require_same_aside = [&] {
    REQUIRE(subtasks.emitted_on(fired_aside) == (now.windows.is_sliced ? 0 : subtasks.emitted()));
  };
  interpreter expected(now.windows.job, subtasks.clock());
  REQUIRE(subtasks.clock() == clock_start);
  while (now.stream.has_next()) {
    const auto e = now.stream.next();
    expected.row(e);
    subtasks.add(e, e.key, e.at, 0, now.random.one_of(4));
    if (const auto at = now.stream.next_watermark())
      for (const auto& [said, reached] : now.inputs.hear(*at)) {
        if (reached) expected.watermark(*reached);
        subtasks.tell(said);
        require_same_aside();
      }
    if (!now.random.one_of(5)) continue;
    subtasks.pass_time(now.random.one_of(4) ? now.random.upto(1, 60) : now.random.upto(1, 6));
    require_same_aside();
    expected.clock(subtasks.clock());
  }
  expected.end();
  const auto got = sorted(subtasks.finish());
  const auto wanted = sorted(as_fired(expected.firings, now.windows));
  REQUIRE(got.size() == wanted.size());
  REQUIRE(got == wanted);
  if (!now.windows.is_sliced) REQUIRE(sorted(subtasks.side_output(fired_aside)) == wanted);
  if (now.reads_late) REQUIRE(sorted(subtasks.side_output(late_events)) == sorted(expected.late));
  const auto dropped = now.reads_late ? 0 : static_cast<std::int64_t>(expected.late.size());
  REQUIRE(subtasks.late() == dropped);
}

constexpr std::uint64_t usual_cases = 6'000;

/// The assigners that users know.
enum class assigner { tumbling, sliding, sessions, sessions_by_record, global };

assigner assigner_of(const window_job& job) {
  if (job.assigner == assigning::global) return assigner::global;
  if (job.assigner == assigning::sessions)
    return job.gap_spread == 1 ? assigner::sessions : assigner::sessions_by_record;
  return job.slide == job.size ? assigner::tumbling : assigner::sliding;
}

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

class entry_counter final : public state_entry_visitor {
 public:
  void entry(byte_view, byte_view, byte_view, byte_view) override { ++count; }
  std::size_t count = 0;
};

/// How many slices each key has in its state.
std::map<std::int64_t, std::size_t> slices_in(keyed_state_backend_base& state) {
  struct reader final : state_entry_visitor {
    void entry(byte_view key, byte_view, byte_view, byte_view value) override {
      std::int64_t of = 0;
      slice_list<chosen_accumulator> all;
      REQUIRE(decode_bytes_into(key, of));
      REQUIRE(decode_bytes_into(value, all));
      REQUIRE(slices.emplace(of, all.size()).second);
    }
    std::map<std::int64_t, std::size_t> slices;
  };
  reader found;
  for (auto g = state.groups().first; g <= state.groups().last; ++g)
    state.for_each("_slices", g, found);
  return found.slices;
}

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

TEST_CASE("sliding windows that share slices keep one entry a key, with a slice a slide") {
  window_job job;
  job.size = 60'000;
  job.slide = 1'000;
  const auto run = [](const window_job& of, bool is_sliced) {
    auto windows = std::make_unique<operator_harness<event, fired>>(
        make_operator({of, keeping::sum, is_sliced}), runtime_context::identity(),
        std::make_shared<hashmap_state_backend>());
    windows->open();
    timestamp_ms at = 0;
    for (; at < 300'000; at += 500) {
      windows->process_timed({{1, 1, at}}, {at});
      if (at == 299'000) windows->process_timed({{2, 1, at}}, {at});
      windows->advance_to(at - 1);
    }
    return windows;
  };
  const auto sliced = run(job, true);
  const auto slices = slices_in(*sliced->keyed_state().state());
  // Windows from that of 240 s on are not over.
  CHECK(slices == std::map<std::int64_t, std::size_t>{{1, 60}, {2, 1}});
  CHECK(sliced->take().size() == 299);
  // Two a slide at most, whatever the sizes, and some that are over and not yet forgotten.
  auto uneven = job;
  uneven.slide = 7'001;
  CHECK(slices_in(*run(uneven, true)->keyed_state().state())[1] <= 2 * 9 + 2 * 9 / 3);
  // What a key of few records costs without.
  const auto apart = run(job, false);
  entry_counter windows;
  auto& state = *apart->keyed_state().state();
  for (auto g = state.groups().first; g <= state.groups().last; ++g)
    state.for_each("_window-contents", g, windows);
  CHECK(windows.count == 60 + 60);
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
  input_shape inputs;
  std::set<std::tuple<assigner, bool, triggering, bool, keeping>> windows;
  std::set<std::tuple<assigner, bool, keeping>> sliced;
  int uneven = 0;  // of those, with slices of two lengths
  std::set<std::tuple<assigner, evicting, bool, keeping>> evictors;
  std::set<std::tuple<triggering, bool, bool, bool>> timeouts;
  std::map<std::tuple<assigner, bool, std::uint32_t>, int> subtasks;
  std::map<std::pair<std::string, std::uint32_t>, int> places;
  for (std::uint64_t seed = 1; seed <= usual_cases; ++seed) {
    random_case now(seed);
    const auto& job = now.windows.job;
    const auto which = assigner_of(job);
    const auto keeps = now.windows.keeps;
    ++subtasks[{which, now.windows.is_sliced, now.parallelism}];
    ++places[{backend_of_case(seed).name, now.parallelism}];
    if (now.windows.is_sliced) {
      sliced.emplace(which, job.lateness > 0, keeps);
      if (job.size % job.slide != 0) ++uneven;
    } else {
      windows.emplace(which, job.is_event_time, job.trigger, job.lateness > 0, keeps);
      evictors.emplace(which, job.evictor, job.evicts_after, keeps);
      if (job.timeout)
        timeouts.emplace(job.trigger, job.purges, job.timeout_resets, job.timeout_clears);
    }
    while (now.stream.has_next()) {
      now.stream.next();
      if (const auto at = now.stream.next_watermark()) now.inputs.hear(*at);
    }
    shape += now.stream.shape();
    inputs += now.inputs.shape();
  }
  // Event time (in time and late) and processing time; tumbling and sliding windows with 6
  // triggers, both kinds of sessions with 5; 3 functions; global windows with 6 triggers.
  CHECK(windows.size() == (2 + 1) * (2 * 6 + 2 * 5) * 3 + 6 * 3);
  // What shares slices is tumbling or sliding, and sums up in either way.
  CHECK(sliced.size() == 2 * 2 * 2);
  CHECK(uneven > 100);
  CHECK(evictors.size() == 5 * (1 + 3 * 2) * 3);
  CHECK(timeouts.size() == 6 * 2 * 2 * 2);
  CHECK(subtasks.size() == (5 + 2) * 4);
  for (const auto& [where, cases] : subtasks) CHECK(cases > 20);
  CHECK(places.size() == 4 * 4);
  for (const auto& [place, cases] : places) CHECK(cases > 100);
  CHECK(shape.out_of_order > 10'000);
  CHECK(shape.at_the_same_time > 10'000);
  CHECK(shape.bursts > 1'000);
  CHECK(shape.pauses > 10'000);
  CHECK(shape.behind_watermark > 10'000);
  CHECK(inputs.became_idle > 5'000);
  CHECK(inputs.let_go > 1'000);
  CHECK(inputs.came_behind > 1'000);
  CHECK(inputs.all_idle > 1'000);
}

}  // namespace window_reference_test
