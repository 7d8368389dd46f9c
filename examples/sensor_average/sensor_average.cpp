// The mean of each sensor's readings over ten seconds, although readings come out of order, and
// some much too late. A watermark generator, allowed lateness and a side output
// (docs/examples/sensor_average.md).

#include <algorithm>
#include <cstdio>
#include <iostream>

#include "millrace/millrace.hpp"

using namespace millrace;
using namespace std::chrono_literals;

struct reading {
  std::int64_t sensor;
  timestamp_ms at_ms;
  double degrees;
};

struct mean_of_readings {
  struct totals {
    double sum = 0;
    std::int64_t count = 0;
  };

  totals create_accumulator() const { return {}; }
  void add(totals& into, const reading& r) const {
    into.sum += r.degrees;
    ++into.count;
  }
  totals get_result(const totals& all) const { return all; }
  void merge(totals& into, const totals& from) const {
    into.sum += from.sum;
    into.count += from.count;
  }
};

/// Event time follows the greatest timestamp at five seconds, and is told after each reading. The
/// ready-made strategy, for_bounded_out_of_orderness(5s), tells it five times a second, so that
/// what is late depends on how fast the file is read.
class after_each_reading {
 public:
  void on_event(const reading&, timestamp_ms at, watermark_output& out) {
    greatest_ = std::max(greatest_, at);
    out.emit_watermark(greatest_ - disorder_ms - 1);
  }
  void on_periodic_emit(watermark_output&) {}

 private:
  static constexpr timestamp_ms disorder_ms = 5'000;

  timestamp_ms greatest_ = 0;
};

const output_tag<reading> too_late("too late");

/// "sensor,at_ms,degrees"
reading parse(const std::string& line) {
  long long sensor = 0;
  long long at = 0;
  double degrees = 0;
  if (std::sscanf(line.c_str(), "%lld,%lld,%lf", &sensor, &at, &degrees) != 3)
    throw std::runtime_error("not a reading: '" + line + "'");
  return {sensor, at, degrees};
}

void build(stream_environment& env, const arguments& args) {
  args.check_known({"input", "help"});
  if (args.has("help")) {
    std::cout << "  --input PATH   lines sensor,at_ms,degrees, in the order of arrival\n";
    return;
  }
  // One reader, so that readings arrive in the order of the file.
  const auto means =
      env.read_text_file(args.get("input"))
          .set_parallelism(1)
          .map(parse)
          .set_parallelism(1)
          .assign_timestamps_and_watermarks(
              watermark_strategy<reading>::for_generator(after_each_reading())
                  .with_timestamp_assigner(&reading::at_ms))
          .set_parallelism(1)
          .key_by(&reading::sensor)
          .window(tumbling_event_time_windows::of(10s))
          .allowed_lateness(20s)
          .side_output_late_data(too_late)
          .aggregate(mean_of_readings(),
                     [](const std::int64_t& sensor, const time_window& window,
                        const mean_of_readings::totals& all, collector<std::string>& out) {
                       char text[96];
                       std::snprintf(text, sizeof text, "sensor %lld from %lld: %.2f of %lld",
                                     static_cast<long long>(sensor),
                                     static_cast<long long>(window.start),
                                     all.sum / static_cast<double>(all.count),
                                     static_cast<long long>(all.count));
                       out.emit(text);
                     })
          .name("mean of readings")
          .uid("mean-of-readings");
  means.side_output(too_late)
      .map([](const reading& r) {
        return "too late: sensor " + std::to_string(r.sensor) + " at " + std::to_string(r.at_ms);
      })
      .union_with(means)
      .print();
}
