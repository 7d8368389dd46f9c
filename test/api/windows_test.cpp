#include <doctest/doctest.h>

#include <algorithm>
#include <memory>

#include "millrace/millrace.hpp"
#include "support/local_runner.hpp"

namespace windows_test {

using namespace millrace;
using namespace std::chrono_literals;
using test::local_runner;
using test::pipeline_settings;

namespace {

struct reading {
  std::string sensor;
  std::int64_t value = 0;
  std::int64_t at = 0;

  auto operator<=>(const reading&) const = default;
};

struct mean {
  struct totals {
    std::int64_t sum = 0;
    std::int64_t count = 0;
  };
  totals create_accumulator() const { return {}; }
  void add(totals& into, const reading& r) const {
    into.sum += r.value;
    ++into.count;
  }
  double get_result(const totals& t) const {
    return static_cast<double>(t.sum) / static_cast<double>(t.count);
  }
  void merge(totals& into, const totals& from) const {
    into.sum += from.sum;
    into.count += from.count;
  }
};

struct window_mean {
  std::string sensor;
  timestamp_ms start = 0;
  double value = 0;

  auto operator<=>(const window_mean&) const = default;
};

stream_environment make_env(std::uint64_t seed) {
  pipeline_settings settings;
  settings.seed = seed;
  return stream_environment({}, std::make_shared<local_runner>(settings));
}

auto in_event_time(const data_stream<reading>& readings, std::chrono::milliseconds disorder) {
  return readings.assign_timestamps_and_watermarks(
      watermark_strategy<reading>::for_bounded_out_of_orderness(disorder).with_timestamp_assigner(
          &reading::at));
}

template <class T>
std::vector<T> sorted(std::vector<T> rows) {
  std::sort(rows.begin(), rows.end());
  return rows;
}

/// Counts its firings in the window and over all windows of the key.
struct count_firings {
  using context = window_context<std::string, time_window>;

  void process(const std::string& sensor, context& in, const std::vector<reading>& rows,
               collector<reading>& out) {
    const auto here = ++in.window_state(firings).get_or_default();
    const auto everywhere = ++in.global_state(total).get_or_default();
    if (in.window().start > 0) in.output(late_in_the_day, rows.front());
    out.emplace(sensor, static_cast<std::int64_t>(rows.size()), here * 100 + everywhere);
  }
  void clear(context& in) {
    in.window_state(firings).clear();
    in.output(cleared, in.window().start);
  }

  output_tag<reading> late_in_the_day{"late in the day"};
  output_tag<std::int64_t> cleared{"cleared"};
  value_state_descriptor<std::int64_t> firings{"firings"};
  value_state_descriptor<std::int64_t> total{"total"};
};

}  // namespace

TEST_CASE("a keyed stream is aggregated in windows, whatever the parallelism and the schedule") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    auto env = make_env(seed);
    env.set_parallelism(1 + seed % 4);
    const auto readings = env.from_generator(
        [](std::uint64_t i) {
          const auto n = static_cast<std::int64_t>(i);
          return reading{"s" + std::to_string(n % 7), n, n / 8 * 8 + n * 5 % 8};
        },
        800);
    const auto means = in_event_time(readings, 8ms)
                           .key_by(&reading::sensor)
                           .window(sliding_event_time_windows::of(100ms, 25ms))
                           .aggregate(mean(), [](const std::string& sensor, const time_window& w,
                                                 const double& value, collector<window_mean>& out) {
                             out.emplace(sensor, w.start, value);
                           });
    std::map<std::pair<std::string, timestamp_ms>, mean::totals> wanted;
    for (std::int64_t n = 0; n < 800; ++n) {
      const auto at = n / 8 * 8 + n * 5 % 8;
      for (auto start = at / 25 * 25; start > at - 100; start -= 25)
        mean().add(wanted[{"s" + std::to_string(n % 7), start}], {"", n, at});
    }
    std::vector<window_mean> all;
    for (const auto& [where, totals] : wanted)
      all.push_back({where.first, where.second, mean().get_result(totals)});
    CHECK(sorted(means.execute_and_collect()) == sorted(all));
  }
}

TEST_CASE("local aggregation changes nothing but the way") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    const auto runner = std::make_shared<local_runner>(pipeline_settings{.seed = seed});
    stream_environment env({}, runner);
    env.set_parallelism(1 + seed % 4);
    const auto readings = env.from_generator(
        [](std::uint64_t i) {
          const auto n = static_cast<std::int64_t>(i);
          return reading{"s" + std::to_string(n % 7), n, n / 8 * 8 + n * 5 % 8};
        },
        800);
    const auto sums = in_event_time(readings, 8ms)
                          .key_by(&reading::sensor)
                          .window(sliding_event_time_windows::of(100ms, 25ms))
                          .local_aggregation()
                          .reduce([](const reading& a, const reading& b) {
                            return reading{a.sensor, a.value + b.value, 0};
                          });
    std::map<std::pair<timestamp_ms, std::string>, std::int64_t> wanted;
    for (std::int64_t n = 0; n < 800; ++n) {
      const auto at = n / 8 * 8 + n * 5 % 8;
      for (auto start = at / 25 * 25; start > at - 100; start -= 25)
        wanted[{start, "s" + std::to_string(n % 7)}] += n;
    }
    std::vector<reading> all;
    for (const auto& [where, sum] : wanted) all.push_back({where.second, sum, 0});
    auto got = sums.execute_and_collect();
    for (auto& r : got) r.at = 0;
    CHECK(sorted(got) == sorted(all));
    const auto& vertices = runner->last_graph().vertices;
    CHECK(std::any_of(vertices.begin(), vertices.end(), [](const graph::job_vertex& v) {
      return v.name.find("local window reduce") != std::string::npos;
    }));
  }
}

TEST_CASE("local aggregation is refused where records must not be summed up") {
  auto env = make_env(1);
  const auto windows = in_event_time(env.from_elements<reading>({{"a", 1, 1}}), 0ms)
                           .key_by(&reading::sensor)
                           .window(tumbling_event_time_windows::of(10ms))
                           .allowed_lateness(5ms)
                           .local_aggregation();
  CHECK_THROWS_WITH_AS(windows.sum(&reading::value), doctest::Contains("allowed_lateness"),
                       failure);
}

TEST_CASE(
    "records that are late for all their windows are counted, and in batch mode none is late") {
  for (const auto mode : {graph::runtime_mode::streaming, graph::runtime_mode::batch}) {
    auto env = make_env(1);
    env.set_parallelism(1);
    env.set_runtime_mode(mode);
    const auto readings = env.from_generator(
        [](std::uint64_t i) {
          const auto n = static_cast<std::int64_t>(i);
          return reading{"a", 1, n % 100 == 99 ? 0 : 1000 + n};
        },
        {.count = 2000, .per_second = 500});
    // Of the windows' sums that of the first one.
    const auto first = std::make_shared<std::int64_t>(0);
    const auto total = std::make_shared<std::int64_t>(0);
    in_event_time(readings, 1ms)
        .key_by(&reading::sensor)
        .window(tumbling_event_time_windows::of(10ms))
        .sum(&reading::value)
        .add_sink([=](const reading& sum) {
          if (sum.at < 10) *first = sum.value;
          *total += sum.value;
        });
    const auto totals = env.execute().accumulators;
    if (mode == graph::runtime_mode::batch) {
      CHECK(totals.empty());
      CHECK(*first == 20);
      CHECK(*total == 2000);
    } else {
      REQUIRE(totals.contains("late records dropped"));
      CHECK(std::get<std::int64_t>(totals.at("late records dropped").value) >= 19);
    }
  }
}

TEST_CASE("late records can be read from a side output, and are not counted then") {
  auto env = make_env(1);
  env.set_parallelism(1);
  const output_tag<reading> late("late");
  const auto readings = env.from_generator(
      [](std::uint64_t i) {
        const auto n = static_cast<std::int64_t>(i);
        return reading{"a", n, n % 100 == 99 ? 0 : 1000 + n};
      },
      {.count = 2000, .per_second = 500});
  const auto sums = in_event_time(readings, 1ms)
                        .key_by(&reading::sensor)
                        .window(tumbling_event_time_windows::of(10ms))
                        .side_output_late_data(late)
                        .sum(&reading::value);
  const auto rows = sums.side_output(late).execute_and_collect();
  CHECK(rows.size() >= 19);
  CHECK(std::all_of(rows.begin(), rows.end(), [](const reading& r) { return r.at == 0; }));
}

TEST_CASE("windows have the least and greatest values, and the records that have them") {
  const auto windows = [](stream_environment& env) {
    env.set_parallelism(1);
    return in_event_time(env.from_elements<reading>(
                             {{"a", 5, 12}, {"a", 7, 13}, {"a", 5, 3}, {"a", 7, 4}, {"a", 1, 15}}),
                         20ms)
        .key_by(&reading::sensor)
        .window(sliding_event_time_windows::of(20ms, 10ms));
  };
  using rows = std::vector<reading>;
  const auto shared = [&](auto verb) {
    auto env = make_env(1);
    return verb(windows(env)).execute_and_collect();
  };
  // Of three windows; the second has both slices, of which the earlier one counts first.
  CHECK(shared([](const auto& w) { return w.min(&reading::value); }) ==
        rows{{"a", 5, 3}, {"a", 1, 3}, {"a", 1, 12}});
  CHECK(shared([](const auto& w) { return w.max(&reading::value); }) ==
        rows{{"a", 7, 3}, {"a", 7, 3}, {"a", 7, 12}});
  CHECK(shared([](const auto& w) { return w.min_by(&reading::value); }) ==
        rows{{"a", 5, 3}, {"a", 1, 15}, {"a", 1, 15}});
  CHECK(shared([](const auto& w) { return w.max_by(&reading::value); }) ==
        rows{{"a", 7, 4}, {"a", 7, 4}, {"a", 7, 13}});
  // With a trigger of its own each window has its records as they came; only one is full.
  const auto apart = [&](auto verb) {
    auto env = make_env(1);
    return verb(windows(env).trigger(count_trigger::of(5))).execute_and_collect();
  };
  CHECK(apart([](const auto& w) { return w.min(&reading::value); }) == rows{{"a", 1, 12}});
  CHECK(apart([](const auto& w) { return w.max(&reading::value); }) == rows{{"a", 7, 12}});
  CHECK(apart([](const auto& w) { return w.min_by(&reading::value); }) == rows{{"a", 1, 15}});
  CHECK(apart([](const auto& w) { return w.max_by(&reading::value); }) == rows{{"a", 7, 13}});
}

TEST_CASE("sessions are as long as records keep coming") {
  auto env = make_env(1);
  const auto views = env.from_elements<reading>({{"ann", 1, 0},
                                                 {"bob", 1, 5},
                                                 {"ann", 1, 20},
                                                 {"ann", 1, 10},
                                                 {"ann", 1, 60},
                                                 {"bob", 1, 9}});
  const auto sessions =
      in_event_time(views, 10ms)
          .key_by(&reading::sensor)
          .window(event_time_session_windows::with_gap(15ms))
          .apply([](const std::string& user, const time_window& session,
                    const std::vector<reading>& rows, collector<reading>& out) {
            out.emplace(user, static_cast<std::int64_t>(rows.size()), session.end - session.start);
          });
  CHECK(sorted(sessions.execute_and_collect()) ==
        std::vector<reading>{{"ann", 1, 15}, {"ann", 3, 35}, {"bob", 2, 19}});
}

TEST_CASE("count windows fire when they are full") {
  auto env = make_env(1);
  const auto keyed =
      env.from_elements<reading>({{"a", 1}, {"a", 2}, {"b", 9}, {"a", 4}, {"a", 8}, {"a", 16}})
          .key_by(&reading::sensor);
  CHECK(sorted(keyed.count_window(2).sum(&reading::value).execute_and_collect()) ==
        std::vector<reading>{{"a", 3}, {"a", 12}});
  auto again = make_env(1);
  const auto sliding =
      again.from_elements<reading>({{"a", 1}, {"a", 2}, {"a", 4}, {"a", 8}, {"a", 16}})
          .key_by(&reading::sensor)
          .count_window(3, 2)
          .sum(&reading::value);
  CHECK(sorted(sliding.execute_and_collect()) == std::vector<reading>{{"a", 3}, {"a", 14}});
}

TEST_CASE("results of windows without end have no timestamp") {
  auto env = make_env(1);
  const auto sums = env.from_elements<reading>({{"a", 1}, {"a", 2}, {"a", 4}})
                        .key_by(&reading::sensor)
                        .count_window(2)
                        .sum(&reading::value)
                        .process([](const reading&, process_context& now, collector<bool>& out) {
                          out.emit(now.timestamp() == no_timestamp);
                        });
  CHECK(sums.execute_and_collect() == std::vector<bool>{true});
}

TEST_CASE("window_all brings all records together in one subtask") {
  auto env = make_env(3);
  env.set_parallelism(3);
  const auto readings = env.from_generator(
      [](std::uint64_t i) {
        const auto n = static_cast<std::int64_t>(i);
        return reading{std::to_string(n), 1, n};
      },
      100);
  auto sums = in_event_time(readings, 0ms)
                  .window_all(tumbling_event_time_windows::of(50ms))
                  .sum(&reading::value)
                  .map([](const reading& r) { return r.value; });
  CHECK(sorted(sums.execute_and_collect()) == std::vector<std::int64_t>{50, 50});
}

TEST_CASE("windows of processing time emit what they have at the end of the input") {
  auto env = make_env(1);
  auto sums = env.from_elements<reading>({{"a", 1}, {"a", 2}, {"b", 4}})
                  .key_by(&reading::sensor)
                  .window(tumbling_processing_time_windows::of(1h))
                  .sum(&reading::value);
  CHECK(sorted(sums.execute_and_collect()) == std::vector<reading>{{"a", 3}, {"b", 4}});
}

TEST_CASE("a process function has state of each window and of each key, and side outputs") {
  auto env = make_env(1);
  const count_firings function;
  const auto firings =
      in_event_time(
          env.from_elements<reading>(
              {{"a", 1, 1}, {"a", 1, 2}, {"a", 1, 3}, {"a", 1, 4}, {"a", 1, 11}, {"a", 1, 12}}),
          0ms)
          .key_by(&reading::sensor)
          .window(tumbling_event_time_windows::of(10ms))
          .trigger(count_trigger::of(2))
          .process(function);
  using rows = std::vector<reading>;
  const auto late = std::make_shared<rows>();
  const auto cleared = std::make_shared<std::vector<std::int64_t>>();
  firings.side_output(function.late_in_the_day)
      .process([late](const reading& r, process_context& now, collector<reading>&) {
        late->push_back({r.sensor, r.value, now.timestamp()});
      })
      .discard();
  firings.side_output(function.cleared).add_sink([cleared](const std::int64_t& start) {
    cleared->push_back(start);
  });
  CHECK(sorted(firings.execute_and_collect()) ==
        std::vector<reading>{{"a", 2, 101}, {"a", 2, 103}, {"a", 4, 202}});
  CHECK(*late == rows{{"a", 1, 19}});  // with the window's timestamp, as its result
  CHECK(sorted(*cleared) == std::vector<std::int64_t>{0, 10});
}

TEST_CASE("a record without a timestamp is refused by windows of event time") {
  auto env = make_env(1);
  env.from_elements<reading>({{"a", 1, 1}})
      .key_by(&reading::sensor)
      .window(tumbling_event_time_windows::of(10ms))
      .sum(&reading::value)
      .discard();
  CHECK_THROWS_WITH_AS(env.execute(), doctest::Contains("assign_timestamps_and_watermarks"),
                       failure);
}

}  // namespace windows_test
