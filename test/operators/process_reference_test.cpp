#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "millrace/operators/keyed_process.hpp"
#include "reference/random_numbers.hpp"
#include "reference/subtasks.hpp"
#include "reference/window_reference.hpp"

using namespace millrace;
using namespace millrace::test;
using namespace millrace::test::reference;

namespace {

/// What a timer saw: the sum of its key's values until then.
struct rung {
  std::int64_t key = 0;
  timestamp_ms at = 0;
  std::int64_t sum = 0;

  auto operator<=>(const rung&) const = default;
};

/// Sets a timer for most records, takes one back for some, and now and then sets one in a timer.
class timer_user : public keyed_process_function<std::int64_t, event, rung> {
 public:
  void open(keyed_runtime_context<std::int64_t>& context) override {
    sum_ = context.get_state(value_state_descriptor<std::int64_t>("sum"));
  }
  void process_element(const event& e, keyed_process_context<std::int64_t>& now,
                       collector<rung>&) override {
    sum_.get_or_default() += e.value;
    if (e.value % 7 == 0)
      now.timer_service().delete_event_time_timer(e.at + 3);
    else
      now.timer_service().register_event_time_timer(e.at + e.value % 10);
  }
  void on_timer(timestamp_ms at, on_timer_context<std::int64_t>& now,
                collector<rung>& out) override {
    out.emplace(now.current_key(), at, sum_.value());
    if (at % 5 == 0) now.timer_service().register_event_time_timer(at + 4);
  }

 private:
  value_state<std::int64_t> sum_;
};

/// The same, key by key and step by step.
struct one_key {
  std::int64_t sum = 0;
  std::set<timestamp_ms> timers;

  void row(const event& e) {
    sum += e.value;
    if (e.value % 7 == 0)
      timers.erase(e.at + 3);
    else
      timers.insert(e.at + e.value % 10);
  }
  void watermark(std::int64_t key, timestamp_ms at, std::vector<rung>& rings) {
    while (!timers.empty() && *timers.begin() <= at) {
      const auto due = *timers.begin();
      timers.erase(timers.begin());
      rings.push_back({key, due, sum});
      if (due % 5 == 0) timers.insert(due + 4);
    }
  }
};

void run_case(std::uint64_t seed) {
  random_numbers random(seed);
  const auto& backend = backend_of_case(seed);
  CAPTURE(backend.name);
  const auto made = make_keyed_process<event, rung>(&event::key, timer_user());
  keyed_subtasks<event, rung> subtasks(made, static_cast<std::uint32_t>(random.upto(1, 4)),
                                       backend.backend);
  subtasks.open();
  std::map<std::int64_t, one_key> keys;
  std::vector<rung> wanted;
  const auto advance = [&](timestamp_ms at) {
    for (auto& [key, one] : keys) one.watermark(key, at, wanted);
  };
  timestamp_ms time = random.upto(-50, 50);
  timestamp_ms watermark = time - 20;
  for (std::int64_t n = 0, events = random.upto(5, 80); n < events; ++n) {
    time += random.one_of(10) ? random.upto(0, 40) : random.upto(0, 4);
    const event e{random.upto(1, 5), n, time - random.upto(0, 20)};
    keys[e.key].row(e);
    subtasks.add(e, e.key, e.at, 0, random.one_of(4));
    if (const auto next = time - random.upto(0, 20); random.one_of(5) && next > watermark) {
      watermark = next;
      advance(watermark);
      subtasks.watermark(watermark);
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
