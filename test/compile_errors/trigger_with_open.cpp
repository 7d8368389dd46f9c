// error: window assigners, triggers and evictors have no open()

#include "millrace/millrace.hpp"

using namespace millrace;
using namespace std::chrono_literals;

struct opened_trigger : processing_time_trigger {
  void open(runtime_context&) {}
};

void build(stream_environment& env, const arguments&) {
  env.from_sequence(1, 10)
      .key_by([](const std::int64_t& n) { return n; })
      .window(tumbling_processing_time_windows::of(1s))
      .trigger(opened_trigger{})
      .sum()
      .print();
}
