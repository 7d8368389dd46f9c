#pragma once

#include <type_traits>
#include <utility>

#include "millrace/stream/collector.hpp"

namespace millrace {

/// Calls `use(row)` for each row of a batch of `In`, in order, so that what it emits into `out`
/// gets the timestamp of that row. `use` is handed `In&` where the row may be moved from, else
/// `const In&`. Batches without timestamps pay for one test.
template <class In, class Out, class Use>
void for_each_row(batch& rows, rows_access access, collector<Out>& out, Use&& use) {
  auto& in = typed<In>(rows);
  const auto loop = [&](auto& all) {
    if (in.timestamps.empty()) {
      out.set_timestamp(no_timestamp);
      for (auto& row : all) use(row);
    } else {
      const timestamp_ms* timestamp = in.timestamps.data();
      for (auto& row : all) {
        out.set_timestamp(*timestamp++);
        use(row);
      }
    }
  };
  if (access == rows_access::exclusive)
    loop(in.rows);
  else
    loop(std::as_const(in.rows));
}

/// `call(row, context)` for each row, with a context that knows the row's timestamp.
template <class In, class Out, class Context, class Call>
void for_each_row(batch& rows, rows_access access, collector<Out>& out, Context& now, Call&& call) {
  for_each_row<In>(rows, access, out, [&]<class Row>(Row& row) {
    now.set_timestamp(out.timestamp(), out.timestamp());
    if constexpr (std::is_const_v<Row>)
      call(row, now);
    else
      call(std::move(row), now);
  });
}

}  // namespace millrace
