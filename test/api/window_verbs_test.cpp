// Evictors, triggers and assigners as a job uses them. What each means in every combination is
// compared with the reference interpreter in test/operators.

#include <doctest/doctest.h>

#include <algorithm>

#include "api/paced_readings.hpp"

namespace window_verbs_test {

using namespace millrace;
using namespace std::chrono_literals;
using test::first_second;
using test::one_task_at_a_time;
using test::paced;
using test::reading;

namespace {

using values = std::vector<std::int64_t>;

/// What a window function was given.
struct firing {
  std::string sensor;
  timestamp_ms start = 0;
  timestamp_ms end = 0;
  values rows;

  auto operator<=>(const firing&) const = default;
};

const auto list_rows = [](const std::string& sensor, const time_window& w,
                          const std::vector<reading>& rows, collector<firing>& out) {
  firing made{sensor, w.start, w.end, {}};
  for (const auto& r : rows) made.rows.push_back(r.value);
  out.emit(std::move(made));
};

const auto difference = [](const reading& a, const reading& b) {
  return static_cast<double>(b.value - a.value);
};

template <class Assigner>
auto windows_of(stream_environment& env, Assigner assigner, std::vector<reading> rows) {
  return paced(env, std::move(rows)).key_by(&reading::sensor).window(std::move(assigner));
}
auto windows_of_100_ms(stream_environment& env, std::vector<reading> rows) {
  return windows_of(env, tumbling_event_time_windows::of(100ms), std::move(rows));
}

/// The rows of each firing; all of them of one window of one sensor.
template <class Windows>
std::vector<values> firings(const Windows& windows) {
  std::vector<values> all;
  for (auto& f : windows.apply(list_rows).execute_and_collect()) all.push_back(std::move(f.rows));
  return all;
}

/// What a window emits that fires at every second row, and forgets before or after it.
template <class Evictor>
std::vector<values> evicted(Evictor evictor, const std::vector<reading>& rows) {
  auto env = one_task_at_a_time();
  return firings(windows_of_100_ms(env, rows).trigger(count_trigger::of(2)).evictor(evictor));
}

/// Fires once the values of a session have come to a total, and drops them; at the session's end
/// for what is left.
struct fire_at_total {
  using state = std::int64_t;
  std::int64_t total;

  template <class Window, class Context>
  trigger_result on_element(const reading& r, timestamp_ms, const Window& window,
                            Context& context) const {
    context.register_event_time_timer(window.max_timestamp());
    if ((context.state() += r.value) < total) return trigger_result::proceed;
    context.clear_state();
    return trigger_result::fire_and_purge;
  }
  template <class Window, class Context>
  trigger_result on_event_time(timestamp_ms at, const Window& window, Context&) const {
    return at == window.max_timestamp() ? trigger_result::fire : trigger_result::proceed;
  }
  template <class Window, class Context>
  trigger_result on_processing_time(timestamp_ms, const Window&, Context&) const {
    return trigger_result::proceed;
  }
  template <class Window, class Context>
  void on_merge(const Window& window, Context& context) const {
    context.merge_state([](std::int64_t& into, const std::int64_t& from) { into += from; });
    context.register_event_time_timer(window.max_timestamp());
  }
  template <class Window, class Context>
  void clear(const Window& window, Context& context) const {
    context.delete_event_time_timer(window.max_timestamp());
    context.clear_state();
  }
};

values values_of(const std::vector<reading>& rows) {
  values all;
  for (const auto& r : rows) all.push_back(r.value);
  return all;
}

}  // namespace

TEST_CASE("a count evictor keeps the last rows of a window") {
  const std::vector<reading> rows{{"a", 1, 1}, {"a", 2, 2}, {"a", 3, 3},
                                  {"a", 4, 4}, {"a", 5, 5}, {"a", 6, 6}};
  CHECK(evicted(count_evictor::of(3), rows) == std::vector<values>{{1, 2}, {2, 3, 4}, {4, 5, 6}});
  CHECK(evicted(count_evictor::of(3, evict::after), rows) ==
        std::vector<values>{{1, 2}, {1, 2, 3, 4}, {2, 3, 4, 5, 6}});
  CHECK(evicted(count_evictor::of(0), rows).empty());
}

TEST_CASE("a time evictor keeps the latest rows of a window") {
  const std::vector<reading> rows{{"a", 1, 1},  {"a", 2, 20}, {"a", 3, 25},
                                  {"a", 4, 26}, {"a", 5, 40}, {"a", 6, 41}};
  CHECK(evicted(time_evictor::of(10ms), rows) == std::vector<values>{{2}, {2, 3, 4}, {5, 6}});
  CHECK(evicted(time_evictor::of(10ms, evict::after), rows) ==
        std::vector<values>{{1, 2}, {2, 3, 4}, {2, 3, 4, 5, 6}});
}

TEST_CASE("a delta evictor keeps the rows of a window that are near the last one") {
  const std::vector<reading> rows{{"a", 1, 1}, {"a", 2, 2},  {"a", 8, 3},
                                  {"a", 9, 4}, {"a", 10, 5}, {"a", 20, 6}};
  CHECK(evicted(delta_evictor(3, difference), rows) == std::vector<values>{{1, 2}, {8, 9}, {20}});
  CHECK(evicted(delta_evictor(3, difference, evict::after), rows) ==
        std::vector<values>{{1, 2}, {1, 2, 8, 9}, {8, 9, 10, 20}});
}

TEST_CASE("behind an evictor, functions that need no rows sum up those that are left") {
  auto env = one_task_at_a_time();
  const auto sums =
      windows_of_100_ms(env, {{"a", 1, 1}, {"a", 2, 2}, {"a", 4, 3}, {"b", 8, 4}, {"a", 16, 101}})
          .evictor(count_evictor::of(2))
          .sum(&reading::value);
  auto found = values_of(sums.execute_and_collect());
  std::sort(found.begin(), found.end());
  CHECK(found == values{6, 8, 16});
}

TEST_CASE("a continuous trigger of event time fires a window before its end, too") {
  auto env = one_task_at_a_time();
  const auto windows = windows_of(
      env, tumbling_event_time_windows::of(30ms),
      {{"a", 1, 1, 1}, {"a", 2, 5, 12}, {"a", 3, 15, 22}, {"a", 4, 25, 40}, {"a", 5, 55, 56}});
  CHECK(firings(windows.trigger(continuous_event_time_trigger::of(10ms))) ==
        std::vector<values>{{1, 2}, {1, 2, 3}, {1, 2, 3, 4}, {5}});
}

TEST_CASE("a continuous trigger of processing time fires a window before its end, too") {
  auto env = one_task_at_a_time();
  const auto windows =
      windows_of(env, tumbling_processing_time_windows::of(6s),
                 {{"a", 1, 1}, {"a", 2, 2}, {"a", 3, 3}, {"a", 4, 4}, {"a", 5, 5}, {"a", 6, 6}});
  CHECK(firings(windows.trigger(continuous_processing_time_trigger::of(2s))) ==
        std::vector<values>{{1, 2}, {1, 2, 3, 4}, {1, 2, 3, 4, 5}, {6}});
}

TEST_CASE("a delta trigger fires at what is far from where it fired last") {
  auto env = one_task_at_a_time();
  const auto windows =
      windows_of_100_ms(env, {{"a", 0, 1}, {"a", 3, 2}, {"a", 6, 3}, {"a", 7, 4}, {"a", 13, 5}});
  CHECK(firings(windows.trigger(make_delta_trigger<reading>(5, difference))) ==
        std::vector<values>{{0, 3, 6}, {0, 3, 6, 7, 13}});
}

TEST_CASE("a purging trigger drops what it has fired") {
  auto env = one_task_at_a_time();
  const auto windows =
      windows_of_100_ms(env, {{"a", 1, 1}, {"a", 2, 2}, {"a", 3, 3}, {"a", 4, 4}, {"a", 5, 5}});
  CHECK(firings(windows.trigger(purging_trigger(count_trigger::of(2)))) ==
        std::vector<values>{{1, 2}, {3, 4}});
}

TEST_CASE("a timeout fires a window that waits for too long") {
  auto env = one_task_at_a_time();
  const auto windows = windows_of_100_ms(
      env,
      {{"a", 1, 1}, {"a", 2, 2}, {"a", 3, 3}, {"b", 4, 4}, {"a", 5, 5}, {"a", 6, 6}, {"a", 7, 7}});
  // b's row waits from the fourth second on.
  CHECK(firings(windows.trigger(processing_time_timeout_trigger(count_trigger::of(3), 2500ms))) ==
        std::vector<values>{{1, 2, 3}, {4}, {1, 2, 3, 5, 6, 7}});
}

TEST_CASE("a trigger of the user's goes with its sessions when they become one") {
  auto env = one_task_at_a_time();
  auto all = windows_of(env, event_time_session_windows::with_gap(10ms),
                        {{"a", 4, 0}, {"a", 5, 15}, {"a", 2, 8}, {"a", 1, 20, 40}, {"a", 3, 50}})
                 .trigger(fire_at_total{10})
                 .apply(list_rows)
                 .execute_and_collect();
  for (auto& f : all) std::sort(f.rows.begin(), f.rows.end());
  CHECK(all == std::vector<firing>{{"a", 0, 25, {2, 4, 5}}, {"a", 0, 30, {1}}, {"a", 50, 60, {3}}});
}

TEST_CASE("a session's gap may depend on the record, in event time and in processing time") {
  const auto gap_of = [](const reading& r) { return std::chrono::milliseconds(r.value); };
  auto env = one_task_at_a_time();
  const auto sessions = windows_of(env, event_time_session_windows::with_dynamic_gap(gap_of),
                                   {{"a", 5, 0}, {"a", 20, 10}, {"a", 5, 25}, {"a", 1, 40}})
                            .apply(list_rows);
  CHECK(sessions.execute_and_collect() ==
        std::vector<firing>{{"a", 0, 5, {5}}, {"a", 10, 30, {20, 5}}, {"a", 40, 41, {1}}});

  auto by_clock = one_task_at_a_time();
  const auto of_the_clock =
      windows_of(by_clock, processing_time_session_windows::with_dynamic_gap(gap_of),
                 {{"a", 1500, 1}, {"a", 500, 2}, {"a", 3000, 3}, {"a", 500, 4}})
          .apply(list_rows);
  CHECK(of_the_clock.execute_and_collect() ==
        std::vector<firing>{
            {"a", first_second, first_second + 1500, {1500, 500}},
            {"a", first_second + 2000, first_second + 5000, {3000, 500}},
        });
}

TEST_CASE("sessions of processing time end when nothing comes for their gap") {
  auto env = one_task_at_a_time();
  const auto sessions = windows_of(env, processing_time_session_windows::with_gap(1500ms),
                                   {{"a", 1, 1}, {"a", 2, 2}, {"b", 3, 3}, {"a", 4, 4}})
                            .apply(list_rows);
  CHECK(sessions.execute_and_collect() == std::vector<firing>{
                                              {"a", first_second, first_second + 2500, {1, 2}},
                                              {"b", first_second + 2000, first_second + 3500, {3}},
                                              {"a", first_second + 3000, first_second + 4500, {4}},
                                          });
}

TEST_CASE("sliding windows of processing time overlap") {
  auto env = one_task_at_a_time();
  const auto windows = windows_of(env, sliding_processing_time_windows::of(4s, 2s),
                                  {{"a", 1, 1}, {"a", 2, 2}, {"a", 3, 3}, {"a", 4, 4}})
                           .apply(list_rows);
  CHECK(windows.execute_and_collect() ==
        std::vector<firing>{
            {"a", first_second - 3000, first_second + 1000, {1}},
            {"a", first_second - 1000, first_second + 3000, {1, 2, 3}},
            {"a", first_second + 1000, first_second + 5000, {2, 3, 4}},
            {"a", first_second + 3000, first_second + 7000, {4}},
        });
}

TEST_CASE("count windows over all records take no notice of keys") {
  const std::vector<reading> rows{{"a", 1, 1}, {"b", 2, 2}, {"a", 4, 3}, {"c", 8, 4}, {"a", 16, 5}};
  auto env = one_task_at_a_time();
  const auto sums = paced(env, rows).count_window_all(2).sum(&reading::value);
  CHECK(values_of(sums.execute_and_collect()) == values{3, 12});
  auto again = one_task_at_a_time();
  const auto sliding = paced(again, rows).count_window_all(3, 2).sum(&reading::value);
  CHECK(values_of(sliding.execute_and_collect()) == values{3, 14});
}

}  // namespace window_verbs_test
