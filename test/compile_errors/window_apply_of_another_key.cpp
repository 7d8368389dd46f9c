// error: a window function takes a `const Key&`, a `const Window&`

#include "millrace/millrace.hpp"

using namespace millrace;
using namespace std::chrono_literals;

void build(stream_environment& env, const arguments&) {
  env.from_sequence(1, 10)
      .key_by([](const std::int64_t& n) { return n; })
      .window(tumbling_processing_time_windows::of(1s))
      .apply([](const std::string&, const time_window&, const std::vector<std::int64_t>& rows,
                collector<std::int64_t>& out) { out.emit(rows.front()); })
      .print();
}
