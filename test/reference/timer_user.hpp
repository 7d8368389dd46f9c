#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "millrace/operators/keyed_process.hpp"
#include "reference/outcome.hpp"
#include "reference/window_reference.hpp"

namespace millrace::test::reference {

/// What a timer saw: the sum of its key's values until then. Counts 1 if it was set by the clock.
inline outcome rung(std::int64_t key, timestamp_ms at, bool is_by_clock, std::int64_t sum) {
  return {key, at, sum, is_by_clock ? 1 : 0};
}

/// Sets a timer for most records, takes one back for some, and now and then sets one in a timer.
/// Records of a second stream count for less than nothing.
class timer_user {
 public:
  using context = keyed_process_context<std::int64_t>;

  /// Without timers of the clock, what comes out depends on event time alone.
  explicit timer_user(bool uses_clock = true) : uses_clock_(uses_clock) {}

  void open(keyed_runtime_context<std::int64_t>& runtime) {
    sum_ = runtime.get_state(value_state_descriptor<std::int64_t>("sum"));
  }
  void process_element(const event& e, context& now, collector<outcome>&) {
    sum_.get_or_default() += e.value;
    set_timers(e, now.timer_service());
  }
  void process_element1(const event& e, context& now, collector<outcome>& out) {
    process_element(e, now, out);
  }
  void process_element2(const event& e, context& now, collector<outcome>&) {
    sum_.get_or_default() -= e.value;
    set_timers(e, now.timer_service());
  }
  void on_timer(timestamp_ms at, on_timer_context<std::int64_t>& now, collector<outcome>& out) {
    const bool is_by_clock = now.time_domain() == time_domain::processing_time;
    out.emit(rung(now.current_key(), at, is_by_clock, sum_.value()));
    auto timers = now.timer_service();
    if (at % 5 == 0) timers.register_event_time_timer(at + 4);
    if (uses_clock_ && at % 5 == 1)
      timers.register_processing_time_timer(timers.current_processing_time() + 3);
  }

 private:
  void set_timers(const event& e, keyed_timers<std::int64_t> timers) const {
    const auto now = timers.current_processing_time();
    if (e.value % 7 == 0)
      timers.delete_event_time_timer(e.at + 3);
    else
      timers.register_event_time_timer(e.at + e.value % 10);
    if (!uses_clock_) return;
    if (e.value % 6 == 0) timers.delete_processing_time_timer(now + 2);
    if (e.value % 3 == 0) timers.register_processing_time_timer(now + 1 + e.value % 5);
  }

  bool uses_clock_;
  value_state<std::int64_t> sum_;
};

/// The same, key by key and step by step.
class timer_interpreter {
 public:
  /// `clock` is the wall clock's time.
  explicit timer_interpreter(bool uses_clock, timestamp_ms clock = 0)
      : uses_clock_(uses_clock), clock_(clock) {}

  void row(const event& e, std::size_t input = 0) {
    auto& one = keys_[e.key];
    one.sum += input == 0 ? e.value : -e.value;
    if (e.value % 7 == 0)
      one.timers.erase(e.at + 3);
    else
      one.timers.insert(e.at + e.value % 10);
    if (!uses_clock_) return;
    if (e.value % 6 == 0) one.clock_timers.erase(clock_ + 2);
    if (e.value % 3 == 0) one.clock_timers.insert(clock_ + 1 + e.value % 5);
  }
  /// Event time is `at` now.
  void watermark(timestamp_ms at) {
    for (auto& [key, one] : keys_)
      while (!one.timers.empty() && *one.timers.begin() <= at)
        ring(key, one, one.timers.extract(one.timers.begin()).value(), false);
  }
  /// The wall clock shows `now`.
  void clock(timestamp_ms now) {
    while (clock_ < now) {
      ++clock_;
      for (auto& [key, one] : keys_)
        while (!one.clock_timers.empty() && *one.clock_timers.begin() <= clock_)
          ring(key, one, one.clock_timers.extract(one.clock_timers.begin()).value(), true);
    }
  }

  std::vector<outcome> rings;

 private:
  struct one_key {
    std::int64_t sum = 0;
    std::set<timestamp_ms> timers;
    std::set<timestamp_ms> clock_timers;
  };

  void ring(std::int64_t key, one_key& one, timestamp_ms due, bool is_by_clock) {
    rings.push_back(rung(key, due, is_by_clock, one.sum));
    if (due % 5 == 0) one.timers.insert(due + 4);
    if (uses_clock_ && due % 5 == 1) one.clock_timers.insert(clock_ + 3);
  }

  bool uses_clock_;
  timestamp_ms clock_;
  std::map<std::int64_t, one_key> keys_;
};

}  // namespace millrace::test::reference
