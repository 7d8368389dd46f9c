#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "millrace/operators/time_window.hpp"

namespace millrace {

/// What the records of a key in one slice were aggregated to.
template <class Acc>
struct slice {
  timestamp_ms start = no_timestamp;
  Acc content{};
};

/// Numbers of slices in a list, from `begin` to before `end`.
struct slice_run {
  std::size_t begin = 0;
  std::size_t end = 0;

  bool is_empty() const noexcept { return begin == end; }
};

/// The sums of the last window over a list of slices, kept so that the next window takes three
/// merges on average, however many slices it has: the two-stacks algorithm (Tangwongsan, Hirzel,
/// Schneider: "Low-latency sliding-window aggregation in worst-case constant time", DEBS 2017,
/// section 2). The front has for each of its slices the sum of all from there to where the back
/// begins; the back has one sum of what came since. A window is one of the front plus the back.
/// Windows are asked for in their order.
template <class Acc>
struct slice_stacks {
  std::vector<slice<Acc>> front;  ///< The latest slice first.
  slice<Acc> back;                ///< Without a start if there is none.
  timestamp_ms until = no_timestamp;
  /// How many slices began before `until`, and about how many do now. Records may be far ahead of
  /// the windows that are complete: looking for the next slice from the newest one on would take
  /// longer than all merges.
  std::size_t before_until = 0;

  /// The content of a window, which may lie in `scratch`; null if it has no records.
  template <class List, class Contents>
  const Acc* sum(const List& slices, const time_window& window, const Contents& contents,
                 Acc& scratch) {
    while (!front.empty() && front.back().start < window.start) front.pop_back();
    if (front.empty())
      refill(slices, window, contents);
    else
      extend(slices, window.end, contents);
    until = window.end;
    if (front.empty()) return nullptr;
    if (back.start == no_timestamp) return &front.back().content;
    scratch = front.back().content;
    contents.merge(scratch, back.content);
    return &scratch;
  }

  /// A record was added to a slice that may be in the sums.
  template <class T, class Contents>
  void on_late(const T& row, timestamp_ms at, timestamp_ms start, const Contents& contents) {
    if (start >= until) return;
    if (back.start != no_timestamp && start >= back.start)
      contents.add(back.content, row, at);
    else
      front.clear();
  }

  /// The first `count` slices of the list are no longer there.
  void on_forgotten(std::size_t count) noexcept { before_until -= std::min(count, before_until); }

 private:
  /// Turns everything round.
  template <class List, class Contents>
  void refill(const List& slices, const time_window& window, const Contents& contents) {
    const auto run = slices.run(window.start, window.end, before_until);
    before_until = run.end;
    for (auto i = run.end; i-- > run.begin;) {
      front.push_back(slices[i]);
      if (front.size() > 1) contents.merge(front.back().content, front[front.size() - 2].content);
    }
    back.start = no_timestamp;
  }

  template <class List, class Contents>
  void extend(const List& slices, timestamp_ms end, const Contents& contents) {
    const auto begin = slices.count_before(until, before_until);
    before_until = slices.count_before(end, begin);
    for (auto i = begin; i < before_until; ++i) {
      if (back.start == no_timestamp)
        back = slices[i];
      else
        contents.merge(back.content, slices[i].content);
    }
  }
};

}  // namespace millrace
