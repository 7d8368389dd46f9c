#pragma once

#include <cstdint>

#include "millrace/stream/collector.hpp"
#include "millrace/stream/operator.hpp"

namespace millrace::test {

/// The numbers next..last, for `add_source`: from a source that needs nobody to give it splits.
struct number_source {
  std::int64_t next = 1;
  std::int64_t last = 0;

  poll_status operator()(collector<std::int64_t>& out) {
    for (auto room = out.room(); room > 0 && next <= last; --room) out.emplace(next++);
    return next > last ? poll_status::finished : poll_status::more;
  }
};

}  // namespace millrace::test
