#include "sim/event_time_stage.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "millrace/millrace.hpp"

namespace millrace::sim {

namespace {

using std::chrono::milliseconds;

/// The result of a window: no two windows of a key may give the same one.
row window_result(std::int64_t key, std::int64_t end, std::int64_t sum) {
  return {key, sum + end * 1'000'000};
}
row pair_of(const row& left, const row& right) {
  return {left.key, left.value * 10'000 + right.value};
}

/// Keeps nothing but timers.
class timer_setter {
 public:
  explicit timer_setter(std::int64_t delay) : delay_(delay) {}

  void process_element(const row&, keyed_process_context<std::int64_t>& context, collector<row>&) {
    context.timer_service().register_event_time_timer(context.timestamp() + delay_);
  }
  void on_timer(timestamp_ms at, on_timer_context<std::int64_t>& context, collector<row>& out) {
    out.emit({context.current_key(), at});
  }

 private:
  std::int64_t delay_;
};

// -- sequential -----------------------------------------------------------------------------------

struct span_of_time {
  std::int64_t start = 0;
  std::int64_t end = 0;
};

/// All windows of one key's rows, by trying every start there may be.
std::vector<span_of_time> windows_of(const event_time_stage& stage,
                                     const std::vector<timed_row>& rows) {
  std::set<std::int64_t> times;
  for (const auto& r : rows) times.insert(r.at);
  std::vector<span_of_time> all;
  if (times.empty()) return all;
  if (stage.kind == stage_kind::session) {
    for (const auto at : times) {
      if (all.empty() || at > all.back().end) all.push_back({at, at});
      all.back().end = std::max(all.back().end, at + stage.size);
    }
    return all;
  }
  const auto slide = stage.kind == stage_kind::sliding ? stage.slide : stage.size;
  for (std::int64_t start = *times.begin() - stage.size; start <= *times.rbegin(); ++start)
    if (start % slide == 0) all.push_back({start, start + stage.size});
  return all;
}

std::vector<timed_row> within(const std::vector<timed_row>& rows, const span_of_time& window) {
  std::vector<timed_row> found;
  for (const auto& r : rows)
    if (r.at >= window.start && r.at < window.end) found.push_back(r);
  return found;
}

std::vector<timed_row> of_key(const std::vector<timed_row>& rows, std::int64_t key) {
  std::vector<timed_row> found;
  for (const auto& r : rows)
    if (r.r.key == key) found.push_back(r);
  return found;
}

std::int64_t sum_of(const std::vector<timed_row>& rows) {
  std::int64_t sum = 0;
  for (const auto& r : rows) sum += r.r.value;
  return sum;
}

/// One key's part.
void interpret_key(const event_time_stage& stage, std::int64_t key,
                   const std::vector<timed_row>& first, const std::vector<timed_row>& second,
                   std::vector<timed_row>& out) {
  if (stage.kind == stage_kind::interval_join) {
    for (const auto& l : first)
      for (const auto& r : second)
        if (r.at >= l.at - stage.size && r.at <= l.at + stage.size)
          out.push_back({pair_of(l.r, r.r), std::max(l.at, r.at)});
    return;
  }
  if (stage.kind == stage_kind::timers) {
    std::set<std::int64_t> times;
    for (const auto& r : first) times.insert(r.at + stage.size);
    for (const auto at : times) out.push_back({{key, at}, at});
    return;
  }
  std::vector<timed_row> both = first;
  both.insert(both.end(), second.begin(), second.end());
  for (const auto& window : windows_of(stage, both)) {
    const auto lefts = within(first, window);
    const auto rights = within(second, window);
    const auto at = window.end - 1;
    if (stage.kind == stage_kind::window_join) {
      for (const auto& l : lefts)
        for (const auto& r : rights) out.push_back({pair_of(l.r, r.r), at});
    } else if (stage.kind == stage_kind::co_group) {
      if (!lefts.empty() || !rights.empty())
        out.push_back({{key, sum_of(lefts) * 1'000'000 + sum_of(rights)}, at});
    } else if (!lefts.empty()) {
      out.push_back({window_result(key, window.end, sum_of(lefts)), at});
    }
  }
}

// -- DataStream API -------------------------------------------------------------------------------

template <class Windows>
data_stream<row> sums_of(const Windows& windows, std::uint32_t parallelism) {
  return windows
      .reduce(
          [](const row& a, const row& b) {
            return row{a.key, a.value + b.value};
          },
          [](const std::int64_t& key, const time_window& window, const row& sum,
             collector<row>& out) { out.emit(window_result(key, window.end, sum.value)); })
      .set_parallelism(parallelism);
}

template <class Windows>
data_stream<row> sums_of(const Windows& windows, const event_time_stage& stage) {
  if (stage.is_local) return sums_of(windows.local_aggregation(), stage.parallelism);
  return sums_of(windows, stage.parallelism);
}

}  // namespace

bool is_of_two(stage_kind kind) {
  return kind == stage_kind::connect || kind == stage_kind::window_join ||
         kind == stage_kind::co_group || kind == stage_kind::interval_join;
}

event_time_stage make_stage(stage_kind kind, std::uint32_t parallelism, random_source& random) {
  event_time_stage stage;
  stage.kind = kind;
  stage.parallelism = parallelism;
  stage.size = kind == stage_kind::session ? random.between(1, 40) : random.between(1, 120);
  stage.slide = random.between((stage.size + 9) / 10, stage.size);
  stage.is_local =
      (kind == stage_kind::tumbling || kind == stage_kind::sliding) && random.chance(40);
  return stage;
}

std::string to_string(const event_time_stage& stage) {
  const auto size = std::to_string(stage.size) + " ms";
  std::string text;
  switch (stage.kind) {
    case stage_kind::none:
      return {};
    case stage_kind::connect:
      text = "connect";
      break;
    case stage_kind::tumbling:
      text = "tumbling " + size;
      break;
    case stage_kind::sliding:
      text = "sliding " + size + " by " + std::to_string(stage.slide) + " ms";
      break;
    case stage_kind::session:
      text = "session " + size;
      break;
    case stage_kind::window_join:
      text = "window join " + size;
      break;
    case stage_kind::co_group:
      text = "co-group " + size;
      break;
    case stage_kind::interval_join:
      text = "interval join " + size;
      break;
    case stage_kind::timers:
      text = "timers after " + size;
      break;
  }
  return " {" + text + (stage.is_local ? " local" : "") + "}/" + std::to_string(stage.parallelism);
}

std::vector<timed_row> interpret(const event_time_stage& stage, const std::vector<timed_row>& first,
                                 const std::vector<timed_row>& second) {
  std::vector<timed_row> out;
  if (stage.kind == stage_kind::connect) {
    for (const auto& r : first) out.push_back({{r.r.key, r.r.value + 1}, r.at});
    for (const auto& r : second) out.push_back({{r.r.key, r.r.value + 2}, r.at});
    return out;
  }
  std::set<std::int64_t> keys;
  for (const auto& r : first) keys.insert(r.r.key);
  for (const auto& r : second) keys.insert(r.r.key);
  for (const auto key : keys)
    interpret_key(stage, key, of_key(first, key), of_key(second, key), out);
  return out;
}

data_stream<row> extend(const data_stream<row>& first, const data_stream<row>& second,
                        const event_time_stage& stage) {
  const milliseconds size(stage.size);
  const auto p = stage.parallelism;
  switch (stage.kind) {
    case stage_kind::none:
      break;
    case stage_kind::connect:
      return first.connect(second)
          .map(
              [](const row& r) {
                return row{r.key, r.value + 1};
              },
              [](const row& r) {
                return row{r.key, r.value + 2};
              })
          .set_parallelism(p);
    case stage_kind::tumbling:
      return sums_of(first.key_by(&row::key).window(tumbling_event_time_windows::of(size)), stage);
    case stage_kind::sliding:
      return sums_of(first.key_by(&row::key).window(
                         sliding_event_time_windows::of(size, milliseconds(stage.slide))),
                     stage);
    case stage_kind::session:
      return sums_of(first.key_by(&row::key).window(event_time_session_windows::with_gap(size)), p);
    case stage_kind::window_join:
      return first.join(second)
          .where(&row::key)
          .equal_to(&row::key)
          .window(tumbling_event_time_windows::of(size))
          .apply([](const row& l, const row& r) { return pair_of(l, r); })
          .set_parallelism(p);
    case stage_kind::co_group:
      return first.co_group(second)
          .where(&row::key)
          .equal_to(&row::key)
          .window(tumbling_event_time_windows::of(size))
          .apply([](const std::vector<row>& lefts, const std::vector<row>& rights,
                    collector<row>& out) {
            std::int64_t left = 0, right = 0;
            for (const auto& r : lefts) left += r.value;
            for (const auto& r : rights) right += r.value;
            out.emit({(lefts.empty() ? rights : lefts).front().key, left * 1'000'000 + right});
          })
          .set_parallelism(p);
    case stage_kind::interval_join:
      return first.key_by(&row::key)
          .interval_join(second.key_by(&row::key))
          .between(-size, size)
          .process([](const row& l, const row& r, collector<row>& out) { out.emit(pair_of(l, r)); })
          .set_parallelism(p);
    case stage_kind::timers:
      return first.key_by(&row::key).process(timer_setter(stage.size)).set_parallelism(p);
  }
  return first;
}

}  // namespace millrace::sim
