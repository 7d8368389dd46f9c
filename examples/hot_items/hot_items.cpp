// The items that were clicked most in the last five minutes, anew each minute. A sliding window
// that counts, and behind it a window that ranks (docs/examples/hot_items.md).

#include <algorithm>
#include <cstdio>
#include <iostream>

#include "millrace/millrace.hpp"

using namespace millrace;
using namespace std::chrono_literals;

struct click {
  std::int64_t user;
  timestamp_ms at_ms;
  std::int64_t item;
};

struct item_count {
  std::int64_t item;
  timestamp_ms window_end;
  std::int64_t clicks;
};

struct count_clicks {
  std::int64_t create_accumulator() const { return 0; }
  void add(std::int64_t& count, const click&) const { ++count; }
  std::int64_t get_result(const std::int64_t& count) const { return count; }
  void merge(std::int64_t& count, const std::int64_t& other) const { count += other; }
};

/// "user,at_ms,item"
click parse(const std::string& line) {
  long long user = 0;
  long long at = 0;
  long long item = 0;
  if (std::sscanf(line.c_str(), "%lld,%lld,%lld", &user, &at, &item) != 3)
    throw std::runtime_error("not a click: '" + line + "'");
  return {user, at, item};
}

/// The first `n` of a window's items in one line; of items with as many clicks the lesser number
/// comes first, so that every run says the same.
std::string ranking(timestamp_ms window_end, std::vector<item_count> items, std::size_t n) {
  std::sort(items.begin(), items.end(), [](const item_count& a, const item_count& b) {
    return a.clicks != b.clicks ? a.clicks > b.clicks : a.item < b.item;
  });
  items.resize(std::min(items.size(), n));
  std::string line = "until " + std::to_string(window_end) + ":";
  for (const auto& i : items)
    line += " item " + std::to_string(i.item) + " (" + std::to_string(i.clicks) + ")";
  return line;
}

void build(stream_environment& env, const arguments& args) {
  args.check_known({"input", "top", "help"});
  if (args.has("help")) {
    std::cout << "  --input PATH   lines user,at_ms,item, up to ten seconds out of order\n"
                 "  --top N        how many items to name; 3\n";
    return;
  }
  const auto top = args.get_or<std::int64_t>("top", 3);
  if (top < 1) throw std::runtime_error("--top needs a number above 0");

  const auto counts =
      env.read_text_file(args.get("input"))
          .map(parse)
          .assign_timestamps_and_watermarks(
              watermark_strategy<click>::for_bounded_out_of_orderness(10s).with_timestamp_assigner(
                  &click::at_ms))
          .key_by(&click::item)
          .window(sliding_event_time_windows::of(5min, 1min))
          .aggregate(
              count_clicks(),
              [](const std::int64_t& item, const time_window& window, const std::int64_t& clicks,
                 collector<item_count>& out) { out.emplace(item, window.end, clicks); })
          .name("count clicks")
          .uid("count-clicks");

  // A result has the last timestamp of its window: those of one window meet again in one minute.
  counts.key_by(&item_count::window_end)
      .window(tumbling_event_time_windows::of(1min))
      .apply([top](const timestamp_ms& window_end, const time_window&,
                   const std::vector<item_count>& items, collector<std::string>& out) {
        out.emit(ranking(window_end, items, static_cast<std::size_t>(top)));
      })
      .name("rank items")
      .uid("rank-items")
      .print();
}
