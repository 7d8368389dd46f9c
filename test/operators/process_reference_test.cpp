#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "millrace/operators/co_process.hpp"
#include "reference/random_stream.hpp"
#include "reference/subtasks.hpp"

namespace process_reference_test {

using namespace millrace;
using namespace millrace::test;
using namespace millrace::test::reference;

namespace {

/// What a timer saw: the sum of its key's values until then.
struct rung {
  std::int64_t key = 0;
  timestamp_ms at = 0;
  bool is_by_clock = false;
  std::int64_t sum = 0;

  auto operator<=>(const rung&) const = default;
};

/// Sets a timer for most records, takes one back for some, and now and then sets one in a timer.
/// Records of a second stream count for less than nothing.
class timer_user {
 public:
  using context = keyed_process_context<std::int64_t>;

  void open(keyed_runtime_context<std::int64_t>& runtime) {
    sum_ = runtime.get_state(value_state_descriptor<std::int64_t>("sum"));
  }
  void process_element(const event& e, context& now, collector<rung>&) {
    sum_.get_or_default() += e.value;
    set_timers(e, now.timer_service());
  }
  void process_element1(const event& e, context& now, collector<rung>& out) {
    process_element(e, now, out);
  }
  void process_element2(const event& e, context& now, collector<rung>&) {
    sum_.get_or_default() -= e.value;
    set_timers(e, now.timer_service());
  }
  void on_timer(timestamp_ms at, on_timer_context<std::int64_t>& now, collector<rung>& out) {
    const bool is_by_clock = now.time_domain() == time_domain::processing_time;
    out.emplace(now.current_key(), at, is_by_clock, sum_.value());
    auto timers = now.timer_service();
    if (at % 5 == 0) timers.register_event_time_timer(at + 4);
    if (at % 5 == 1) timers.register_processing_time_timer(timers.current_processing_time() + 3);
  }

 private:
  static void set_timers(const event& e, keyed_timers<std::int64_t> timers) {
    const auto now = timers.current_processing_time();
    if (e.value % 7 == 0)
      timers.delete_event_time_timer(e.at + 3);
    else
      timers.register_event_time_timer(e.at + e.value % 10);
    if (e.value % 6 == 0) timers.delete_processing_time_timer(now + 2);
    if (e.value % 3 == 0) timers.register_processing_time_timer(now + 1 + e.value % 5);
  }

  value_state<std::int64_t> sum_;
};

/// The same, key by key and step by step.
struct one_key {
  std::int64_t sum = 0;
  std::set<timestamp_ms> timers;
  std::set<timestamp_ms> clock_timers;

  void row(const event& e, std::size_t input, timestamp_ms clock) {
    sum += input == 0 ? e.value : -e.value;
    if (e.value % 7 == 0)
      timers.erase(e.at + 3);
    else
      timers.insert(e.at + e.value % 10);
    if (e.value % 6 == 0) clock_timers.erase(clock + 2);
    if (e.value % 3 == 0) clock_timers.insert(clock + 1 + e.value % 5);
  }
  void ring(std::int64_t key, timestamp_ms due, bool is_by_clock, timestamp_ms clock,
            std::vector<rung>& rings) {
    rings.push_back({key, due, is_by_clock, sum});
    if (due % 5 == 0) timers.insert(due + 4);
    if (due % 5 == 1) clock_timers.insert(clock + 3);
  }
  void watermark(std::int64_t key, timestamp_ms at, timestamp_ms clock, std::vector<rung>& rings) {
    while (!timers.empty() && *timers.begin() <= at)
      ring(key, timers.extract(timers.begin()).value(), false, clock, rings);
  }
  /// The clock shows the next millisecond.
  void tick(std::int64_t key, timestamp_ms clock, std::vector<rung>& rings) {
    while (!clock_timers.empty() && *clock_timers.begin() <= clock)
      ring(key, clock_timers.extract(clock_timers.begin()).value(), true, clock, rings);
  }
};

void run_case(std::uint64_t seed) {
  random_numbers random(seed);
  const auto& backend = backend_of_case(seed);
  CAPTURE(backend.name);
  const bool has_two_inputs = random.one_of(3);
  const auto made = has_two_inputs ? make_keyed_co_process<event, event, rung>(
                                         &event::key, &event::key, timer_user())
                                   : make_keyed_process<event, rung>(&event::key, timer_user());
  random_inputs inputs(random);
  keyed_subtasks<event, rung> subtasks(made, static_cast<std::uint32_t>(random.upto(1, 4)),
                                       backend.backend, inputs.count());
  subtasks.open();
  std::map<std::int64_t, one_key> keys;
  std::vector<rung> wanted;
  timestamp_ms clock = subtasks.clock();
  const auto advance = [&](timestamp_ms at) {
    for (auto& [key, one] : keys) one.watermark(key, at, clock, wanted);
  };
  random_stream stream(random, 0);
  while (stream.has_next()) {
    const auto e = stream.next();
    const std::size_t input = has_two_inputs && random.one_of(2) ? 1 : 0;
    keys[e.key].row(e, input, clock);
    subtasks.add(e, e.key, e.at, input, random.one_of(4));
    if (const auto at = stream.next_watermark())
      for (const auto& [said, reached] : inputs.hear(*at)) {
        if (reached) advance(*reached);
        subtasks.tell(said);
      }
    if (!random.one_of(5)) continue;
    subtasks.pass_time(random.upto(1, 12));
    while (clock < subtasks.clock()) {
      ++clock;
      for (auto& [key, one] : keys) one.tick(key, clock, wanted);
    }
  }
  advance(max_watermark);
  auto got = subtasks.finish();
  std::sort(got.begin(), got.end());
  std::sort(wanted.begin(), wanted.end());
  REQUIRE(got == wanted);
}

}  // namespace

TEST_CASE("random streams: timers of process functions fire as the reference says") {
  const case_range cases(1'500);
  for (auto seed = cases.first; seed < cases.first + cases.count; ++seed) {
    CAPTURE(seed);
    run_case(seed);
  }
}

}  // namespace process_reference_test
