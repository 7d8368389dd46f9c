#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "millrace/core/unsaved.hpp"
#include "millrace/operators/slice_stacks.hpp"

namespace millrace {

/// The slices of a key that are not empty, in the order of time. As most records belong to the
/// newest slice, that one lies apart, next to the key.
template <class Acc>
struct slice_list {
  static constexpr timestamp_ms never = max_watermark;
  /// With fewer slices in a window, merging them takes no longer than keeping stacks.
  static constexpr std::size_t stacks_worth_slices = 8;
  /// What windows a few slides on will need is brought near, too, as they may follow at once.
  static constexpr std::size_t slices_ahead = 4;

  timestamp_ms due = never;  ///< When there is something to be done next.
  slice<Acc> newest;
  std::vector<slice<Acc>> older;
  unsaved<slice_stacks<Acc>> stacks;

  bool is_empty() const noexcept { return newest.start == no_timestamp; }
  std::size_t size() const noexcept { return is_empty() ? 0 : older.size() + 1; }
  const slice<Acc>& operator[](std::size_t i) const noexcept {
    return i < older.size() ? older[i] : newest;
  }

  /// The slice at `start`, and whether it was made just now.
  std::pair<slice<Acc>&, bool> at(timestamp_ms start) {
    if (newest.start == start) return {newest, false};
    if (newest.start < start) {
      if (!is_empty()) older.push_back(std::move(newest));
      newest.start = start;
      return {newest, true};
    }
    auto place = older.end();
    while (place != older.begin() && std::prev(place)->start > start) --place;
    if (place != older.begin() && std::prev(place)->start == start)
      return {*std::prev(place), false};
    return {*older.insert(place, slice<Acc>{start, Acc{}}), true};
  }

  /// How many slices begin before `at`. Takes as many steps as there are slices between the answer
  /// and `near`, where it is looked for first.
  std::size_t count_before(timestamp_ms at, std::size_t near) const noexcept {
    auto count = std::min(near, size());
    while (count < size() && (*this)[count].start < at) ++count;
    while (count > 0 && (*this)[count - 1].start >= at) --count;
    return count;
  }

  /// The slices that begin in [from, to), as numbers; `near` is where the end is looked for first.
  slice_run run(timestamp_ms from, timestamp_ms to, std::size_t near) const noexcept {
    const auto end = count_before(to, near);
    return {count_before(from, end), end};
  }

  /// Brings near what the next window needs of the list, which lies in three places. In two steps,
  /// so that many lists can be brought near at once: the second one looks at what the first
  /// fetched.
  void prefetch() const noexcept {
    if (!stacks) return;
    const auto* first = reinterpret_cast<const std::byte*>(&*stacks);
    __builtin_prefetch(first);
    __builtin_prefetch(first + sizeof(*stacks) - 1);
  }
  /// Where the newest slice goes when the next one begins.
  void prefetch_end() const noexcept { __builtin_prefetch(older.data() + older.size(), 1); }
  void prefetch_sums() const noexcept {
    if (!stacks) return;
    const auto& sums = (*stacks).front;
    const auto next = (*stacks).before_until;
    if (!sums.empty()) __builtin_prefetch(&sums.back());
    if (sums.size() > slices_ahead) __builtin_prefetch(&sums[sums.size() - 1 - slices_ahead]);
    if (next < older.size()) __builtin_prefetch(&older[next]);
    if (next + slices_ahead < older.size()) __builtin_prefetch(&older[next + slices_ahead]);
  }

  /// Forgets slices that begin before `start`, if they are more than a quarter of the list: moving
  /// what stays then costs a few moves for each slice that goes.
  void forget_before(timestamp_ms start) {
    if (older.empty() || older[older.size() / 4].start >= start) return;
    const auto kept = std::find_if_not(older.begin(), older.end(),
                                       [start](const auto& s) { return s.start < start; });
    if (stacks) stacks->on_forgotten(static_cast<std::size_t>(kept - older.begin()));
    older.erase(older.begin(), kept);
  }
};

}  // namespace millrace
