// A busy and a silent stream in event time, which the silent one holds back; with --idle it does
// not.

#include <chrono>
#include <cstdint>

#include "millrace/millrace.hpp"

void build(millrace::stream_environment& env, const millrace::arguments& args) {
  using strategy = millrace::watermark_strategy<std::uint64_t>;
  args.check_known({"idle"});
  auto how = strategy::for_monotonous_timestamps().with_timestamp_assigner(
      [](const std::uint64_t& n) { return static_cast<millrace::timestamp_ms>(1000 + n); });
  if (args.has("idle")) how = how.with_idleness(std::chrono::milliseconds(300));
  const auto itself = [](std::uint64_t index) { return index; };
  const auto stream = [&](const std::string& name, double per_second) {
    return env.from_generator(itself, {.count = {}, .per_second = per_second})
        .name(name)
        .set_parallelism(1)
        .assign_timestamps_and_watermarks(how)
        .name(name + " time")
        .set_parallelism(1);
  };
  env.set_job_name("stuck");
  stream("busy", 1000)
      .union_with(stream("silent", 0.0001))
      .rebalance()
      .map(itself)
      .name("merged")
      .discard();
}
