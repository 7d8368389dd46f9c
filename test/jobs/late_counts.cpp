// Sums in windows over a hundred numbers, of which nine come too late, whatever the speed.

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "millrace/millrace.hpp"

namespace {

/// Right behind the greatest timestamp.
struct after_each {
  millrace::timestamp_ms greatest = 0;

  void on_event(const std::uint64_t&, millrace::timestamp_ms at, millrace::watermark_output& out) {
    greatest = std::max(greatest, at);
    out.emit_watermark(greatest - 1);
  }
  void on_periodic_emit(millrace::watermark_output&) {}
};

}  // namespace

void build(millrace::stream_environment& env, const millrace::arguments& args) {
  args.check_known({});
  env.set_job_name("late counts");
  // Every tenth number is of the beginning; only the first of these comes in time.
  const auto time_of = [](const std::uint64_t& n) {
    return static_cast<millrace::timestamp_ms>(n % 10 == 9 ? 0 : n);
  };
  env.from_generator([](std::uint64_t index) { return index; }, 100)
      .set_parallelism(1)
      .assign_timestamps_and_watermarks(
          millrace::watermark_strategy<std::uint64_t>::for_generator(after_each())
              .with_timestamp_assigner(time_of))
      .set_parallelism(1)
      .key_by([](const std::uint64_t& n) { return n % 2; })
      .window(millrace::tumbling_event_time_windows::of(std::chrono::milliseconds(10)))
      .sum()
      .discard();
}
