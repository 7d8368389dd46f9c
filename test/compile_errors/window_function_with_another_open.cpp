// error: open() of a function takes a `runtime_context&`; on a keyed stream it may take

#include "millrace/millrace.hpp"

using namespace millrace;
using namespace std::chrono_literals;

struct adding {
  void open(keyed_runtime_context<std::int64_t>&) {}
  std::int64_t operator()(const std::int64_t& a, const std::int64_t& b) { return a + b; }
};

void build(stream_environment& env, const arguments&) {
  env.from_sequence(1, 10)
      .key_by([](const std::int64_t& n) { return n; })
      .window(tumbling_processing_time_windows::of(1s))
      .reduce(adding{})
      .print();
}
