#pragma once

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "millrace/core/event_time.hpp"

namespace millrace {

/// A row that waits for partners.
template <class T>
struct waiting_row {
  timestamp_ms at = no_timestamp;
  bool has_partner = false;
  T row{};
};

/// What a key has of one side of an interval join, in the order of time; rows of one time in that
/// of their arrival.
template <class T>
struct join_buffer {
  std::vector<waiting_row<T>> rows;

  /// Rows mostly come at or near the end. Those before `needed_from` nobody needs any more.
  void add(timestamp_ms at, const T& row, bool has_partner, timestamp_ms needed_from) {
    if (rows.size() % 8 == 7) forget(needed_from);
    auto place = rows.end();
    while (place != rows.begin() && std::prev(place)->at > at) --place;
    rows.insert(place, waiting_row<T>{at, has_partner, row});
  }

  /// Drops rows before `needed_from`. Some of them may stay, up to a third of the rows, so that
  /// moving what stays costs a few moves for each row that goes.
  void forget(timestamp_ms needed_from) {
    if (!rows.empty() && rows[rows.size() / 4].at < needed_from)
      rows.erase(rows.begin(), first_from(needed_from));
  }

  auto first_from(timestamp_ms from) noexcept {
    return std::partition_point(rows.begin(), rows.end(),
                                [&](const waiting_row<T>& r) { return r.at < from; });
  }

  /// `visit(waiting_row<T>&)` for those of the times in [from, to].
  template <class Visit>
  void for_each_in(timestamp_ms from, timestamp_ms to, Visit&& visit) {
    for (auto r = first_from(from); r != rows.end() && r->at <= to; ++r) visit(*r);
  }
};

/// What a key has of both sides, and when there is something to be done for it next.
template <class T1, class T2>
struct join_buffers {
  timestamp_ms due = max_watermark;  ///< `max_watermark` for never.
  join_buffer<T1> left;
  join_buffer<T2> right;
};

}  // namespace millrace
