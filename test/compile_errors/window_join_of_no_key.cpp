// error: key_by needs functions that take `const T&` and return the key

#include "millrace/millrace.hpp"

using namespace millrace;
using namespace std::chrono_literals;

void build(stream_environment& env, const arguments&) {
  env.from_sequence(1, 10)
      .join(env.from_sequence(1, 10))
      .where(5)
      .equal_to([](const std::int64_t& n) { return n; })
      .window(tumbling_event_time_windows::of(1s))
      .apply([](const std::int64_t& a, const std::int64_t& b) { return a + b; })
      .print();
}
