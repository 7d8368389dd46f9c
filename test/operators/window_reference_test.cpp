#include "reference/window_reference.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "millrace/operators/slicing_window_operator.hpp"
#include "millrace/operators/window_triggers.hpp"
#include "reference/random_numbers.hpp"
#include "reference/subtasks.hpp"

using namespace millrace;
using namespace millrace::test;
using namespace millrace::test::reference;
using std::chrono::milliseconds;

namespace {

struct sum_of_values {
  std::int64_t create_accumulator() const { return 0; }
  void add(std::int64_t& into, const event& e) const { into += e.value; }
  std::int64_t get_result(const std::int64_t& sum) const { return sum; }
  void merge(std::int64_t& into, const std::int64_t& from) const { into += from; }
};

/// Makes a firing of a list, in the order of the values, or of a sum.
struct to_firing {
  template <class Window>
  void operator()(std::int64_t key, const Window& w, const std::vector<event>& rows,
                  collector<fired>& out) const {
    std::vector<std::int64_t> values;
    for (const auto& row : rows) values.push_back(row.value);
    std::sort(values.begin(), values.end());
    out.emplace(key, shown(w).start, shown(w).end, values);
  }
  template <class Window>
  void operator()(std::int64_t key, const Window& w, const std::int64_t& sum,
                  collector<fired>& out) const {
    out.emplace(key, shown(w).start, shown(w).end, std::vector{sum});
  }

 private:
  static time_window shown(const time_window& w) { return w; }
  static time_window shown(const global_window&) { return {0, max_watermark}; }
};

/// The trigger that a job says, so that one operator does for all of them.
struct chosen_trigger {
  struct state {
    next_firing next;
    std::int64_t count = 0;
  };

  triggering which;
  event_time_trigger at_end;
  continuous_event_time_trigger continuously;
  count_trigger every_n;

  template <class Context, class Call>
  trigger_result with_chosen(Context& context, Call&& call) const {
    detail::inner_trigger_context<Context, &state::next> next(context);
    detail::inner_trigger_context<Context, &state::count> count(context);
    switch (which) {
      case triggering::at_end:
        return call(at_end, context);
      case triggering::continuously:
        return call(continuously, next);
      case triggering::every_n:
        return call(every_n, count);
      case triggering::every_n_purging:
        return call(purging_trigger(every_n), count);
    }
    return trigger_result::proceed;
  }

  template <class Window, class Context>
  trigger_result on_element(const event& e, timestamp_ms at, const Window& window,
                            Context& context) const {
    return with_chosen(context, [&](const auto& trigger, auto& inside) {
      return trigger.on_element(e, at, window, inside);
    });
  }
  template <class Window, class Context>
  trigger_result on_event_time(timestamp_ms at, const Window& window, Context& context) const {
    return with_chosen(context, [&](const auto& trigger, auto& inside) {
      return trigger.on_event_time(at, window, inside);
    });
  }
  template <class Window, class Context>
  trigger_result on_processing_time(timestamp_ms, const Window&, Context&) const {
    return trigger_result::proceed;
  }
  template <class Window, class Context>
  void on_merge(const Window& window, Context& context) const {
    with_chosen(context, [&](const auto& trigger, auto& inside) {
      trigger.on_merge(window, inside);
      return trigger_result::proceed;
    });
  }
  template <class Window, class Context>
  void clear(const Window& window, Context& context) const {
    with_chosen(context, [&](const auto& trigger, auto& inside) {
      trigger.clear(window, inside);
      return trigger_result::proceed;
    });
    context.clear_state();
  }
};

using factory = std::shared_ptr<const operator_factory>;
using sums = aggregated_contents<event, sum_of_values>;
using lists = listed_contents<event>;
using evicted_lists = evicted_contents<event, lists, count_evictor>;

const output_tag<event> late_events("late");

template <class Assigner, class Trigger, class Contents>
auto settings(const window_job& job, Assigner assigner, Trigger trigger, Contents contents) {
  return window_settings<event, std::int64_t event::*, Assigner, Trigger, Contents,
                         applied_function<to_firing>>{
      &event::key, assigner, trigger, contents, {}, job.lateness, late_events};
}

auto sliding(const window_job& job) {
  return sliding_event_time_windows::of(milliseconds(job.size), milliseconds(job.slide),
                                        milliseconds(job.offset));
}
auto sessions(const window_job& job) {
  const auto gap_of = [size = job.size, spread = job.gap_spread](const event& e) {
    return milliseconds(size + e.value % spread);
  };
  return event_time_session_windows::with_dynamic_gap(gap_of);
}
chosen_trigger chosen(const window_job& job) {
  return {job.trigger,
          {},
          continuous_event_time_trigger::of(milliseconds(job.interval)),
          count_trigger::of(job.n)};
}

/// An operator, and which jobs it can run.
struct kind {
  const char* name;
  bool gives_sums;
  assigning assigner;
  bool has_any_trigger;
  bool evicts;
  factory (*make)(const window_job&);
};

const kind kinds[] = {
    {"sliced sums", true, assigning::sliding, false, false,
     [](const window_job& job) {
       return make_slicing_window_operator<event, fired>(
           settings(job, sliding(job), event_time_trigger(), sums()));
     }},
    {"sums of whole windows", true, assigning::sliding, false, false,
     [](const window_job& job) {
       return make_window_operator<event, fired>(
           settings(job, sliding(job), event_time_trigger(), sums()));
     }},
    {"lists", false, assigning::sliding, true, false,
     [](const window_job& job) {
       return make_window_operator<event, fired>(settings(job, sliding(job), chosen(job), lists()));
     }},
    {"evicted lists", false, assigning::sliding, true, true,
     [](const window_job& job) {
       const auto keeps = static_cast<std::int64_t>(*job.keeps_last);
       return make_window_operator<event, fired>(
           settings(job, sliding(job), chosen(job), evicted_lists{{}, count_evictor::of(keeps)}));
     }},
    {"sessions", false, assigning::sessions, true, false,
     [](const window_job& job) {
       return make_window_operator<event, fired>(
           settings(job, sessions(job), chosen(job), lists()));
     }},
    {"global windows", false, assigning::global, true, false,
     [](const window_job& job) {
       return make_window_operator<event, fired>(
           settings(job, global_windows::create(), chosen(job), lists()));
     }},
};

window_job random_job(random_numbers& random, const kind& what) {
  window_job job;
  job.assigner = what.assigner;
  job.slide = random.one_of(2) ? random.upto(1, 3) : random.upto(1, 12);
  job.size = random.one_of(3) ? random.upto(1, 40) : job.slide * random.upto(1, 20);
  job.gap_spread = random.one_of(2) ? 1 : 5;
  job.offset = random.upto(-20, 20);
  job.lateness = random.one_of(2) ? 0 : random.upto(1, 40);
  job.n = random.upto(1, 5);
  job.interval = random.upto(1, 15);
  if (what.has_any_trigger) job.trigger = static_cast<triggering>(random.upto(0, 3));
  if (what.assigner == assigning::global && job.trigger != triggering::every_n)
    job.trigger = triggering::every_n_purging;
  if (what.evicts) job.keeps_last = static_cast<std::size_t>(random.upto(1, 4));
  return job;
}

/// A stream with disorder, gaps, bursts and late records through an operator's subtasks and through
/// the interpreter.
void run_case(std::uint64_t seed) {
  random_numbers random(seed);
  const auto& what = kinds[static_cast<std::size_t>(random.upto(0, std::size(kinds) - 1))];
  const auto& backend = backend_of_case(seed);
  const std::string kind_of_window = what.name;
  CAPTURE(kind_of_window);
  CAPTURE(backend.name);
  const auto job = random_job(random, what);
  keyed_subtasks<event, fired> subtasks(
      what.make(job), static_cast<std::uint32_t>(random.upto(1, 4)), backend.backend);
  const bool reads_late = random.one_of(2);
  if (reads_late) subtasks.listen(late_events);
  subtasks.open();

  interpreter expected(job);
  timestamp_ms time = random.upto(-50, 50);
  timestamp_ms watermark = time - 20;
  const auto keys = random.upto(1, 5);
  const auto events = random.one_of(5) ? random.upto(60, 200) : random.upto(5, 60);
  const auto lag = random.one_of(2) ? 2 : 20;
  for (std::int64_t n = 0; n < events; ++n) {
    time += random.one_of(10) ? random.upto(0, 40) : random.upto(0, 4);
    const event e{random.upto(1, keys), n,
                  time - (random.one_of(3) ? random.upto(0, 60) : random.upto(0, 5))};
    expected.row(e);
    subtasks.add(e, e.key, e.at, 0, random.one_of(4));
    if (const auto next = time - random.upto(0, lag); random.one_of(5) && next > watermark) {
      watermark = next;
      expected.watermark(watermark);
      subtasks.watermark(watermark);
    }
  }
  expected.watermark(max_watermark);
  auto got = subtasks.finish();

  auto wanted = expected.firings;
  for (auto& f : wanted) {
    std::sort(f.values.begin(), f.values.end());
    if (!what.gives_sums) continue;
    std::int64_t sum = 0;
    for (const auto v : f.values) sum += v;
    f.values = {sum};
  }
  std::sort(wanted.begin(), wanted.end());
  std::sort(got.begin(), got.end());
  REQUIRE(got.size() == wanted.size());
  REQUIRE(got == wanted);
  if (reads_late) {
    auto late = subtasks.side_output(late_events);
    std::sort(late.begin(), late.end());
    std::sort(expected.late.begin(), expected.late.end());
    REQUIRE(late == expected.late);
  }
  REQUIRE(subtasks.late() == (reads_late ? 0 : static_cast<std::int64_t>(expected.late.size())));
}

/// A quarter of the cases, so that the quarters may run side by side.
void run_quarter(std::uint64_t which) {
  const case_range cases(5'500);
  for (auto seed = cases.first + which; seed < cases.first + cases.count; seed += 4) {
    CAPTURE(seed);
    run_case(seed);
  }
}

}  // namespace

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
