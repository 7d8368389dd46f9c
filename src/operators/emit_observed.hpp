#pragma once

#include <cstddef>
#include <utility>

#include "millrace/operators/event_time_tracker.hpp"
#include "millrace/stream/collector.hpp"

namespace millrace {

/// Gives the rows of a batch their timestamps and hands them on through `out`, in parts where a
/// watermark comes between them. `tell()` is called before and after each part and passes on what
/// the tracker has to say.
template <class T, class Tell>
void emit_observed(event_time_tracker<T>& tracker, batch& rows, collector<T>& out, Tell&& tell) {
  auto& in = rows_of<T>(rows);
  auto& timestamps = timestamps_of<T>(rows);
  tracker.begin(in, timestamps);
  tell();
  for (std::size_t from = 0; from < in.size();) {
    const auto next = tracker.observe(in, timestamps, from);
    if (from == 0 && next == in.size()) {
      out.target().push(rows, rows_access::exclusive);
    } else {
      for (auto row = from; row < next; ++row)
        out.emit(std::move(in[row]), timestamps.empty() ? no_timestamp : timestamps[row]);
      out.flush();
    }
    from = next;
    tell();
  }
}

}  // namespace millrace
