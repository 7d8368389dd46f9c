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

  timestamp_ms due = never;  ///< When there is something to be done next.
  slice<Acc> newest;
  std::vector<slice<Acc>> older;
  unsaved<slice_stacks<Acc>> stacks;

  bool is_empty() const noexcept { return newest.start == no_timestamp; }
  std::size_t size() const noexcept { return is_empty() ? 0 : older.size() + 1; }
  const slice<Acc>& operator[](std::size_t i) const noexcept {
    return i < older.size() ? older[i] : newest;
  }

  /// The slice at `start`, and whether it was made just now. `is_over(slice)` says which slices
  /// nobody needs any more: some of them may stay, up to a third of the list.
  template <class IsOver>
  std::pair<slice<Acc>&, bool> at(timestamp_ms start, IsOver&& is_over) {
    if (newest.start == start) return {newest, false};
    if (newest.start < start) {
      if (!is_empty()) {
        older.push_back(std::move(newest));
        if (older.size() % 8 == 0) forget(is_over);
      }
      newest.start = start;
      return {newest, true};
    }
    auto place = older.end();
    while (place != older.begin() && std::prev(place)->start > start) --place;
    if (place != older.begin() && std::prev(place)->start == start)
      return {*std::prev(place), false};
    return {*older.insert(place, slice<Acc>{start, Acc{}}), true};
  }

  /// The slices that begin in [from, to), as numbers. Takes as many steps as there are slices from
  /// `from` on.
  slice_run run(timestamp_ms from, timestamp_ms to) const noexcept {
    auto end = size();
    while (end > 0 && (*this)[end - 1].start >= to) --end;
    auto begin = end;
    while (begin > 0 && (*this)[begin - 1].start >= from) --begin;
    return {begin, end};
  }

 private:
  template <class IsOver>
  void forget(IsOver& is_over) {
    // Moving what stays costs a few moves for each slice that goes.
    if (!is_over(older[older.size() / 4])) return;
    older.erase(older.begin(), std::find_if_not(older.begin(), older.end(), is_over));
  }
};

}  // namespace millrace
