// Brings taxi rides and their fares together, whichever comes first, and reports the rides whose
// fare is missing. A keyed co-process function with state, timers and a side output
// (docs/examples/taxi_rides.md).

#include <cstdio>
#include <iostream>

#include "millrace/millrace.hpp"

using namespace millrace;

struct ride {
  std::int64_t id;
  timestamp_ms at_ms;
  std::int64_t driver;
};

struct fare {
  std::int64_t ride;
  timestamp_ms at_ms;
  double amount;
};

const output_tag<ride> without_fare("rides without fare");

class enrich : public keyed_co_process_function<std::int64_t, ride, fare, std::string> {
 public:
  void open(keyed_runtime_context<std::int64_t>& context) override {
    ride_ = context.get_state(value_state_descriptor<ride>("ride"));
    fare_ = context.get_state(value_state_descriptor<fare>("fare"));
  }

  void process_element1(const ride& r, keyed_process_context<std::int64_t>& now,
                        collector<std::string>& out) override {
    if (const auto* f = fare_.find()) {
      emit(r, *f, out);
      now.timer_service().delete_event_time_timer(f->at_ms + patience_ms);
      fare_.clear();
    } else {
      ride_.update(r);
      now.timer_service().register_event_time_timer(r.at_ms + patience_ms);
    }
  }

  void process_element2(const fare& f, keyed_process_context<std::int64_t>& now,
                        collector<std::string>& out) override {
    if (const auto* r = ride_.find()) {
      emit(*r, f, out);
      now.timer_service().delete_event_time_timer(r->at_ms + patience_ms);
      ride_.clear();
    } else {
      fare_.update(f);
      now.timer_service().register_event_time_timer(f.at_ms + patience_ms);
    }
  }

  /// The other half did not come in time.
  void on_timer(timestamp_ms, on_timer_context<std::int64_t>& now,
                collector<std::string>&) override {
    if (const auto* r = ride_.find()) now.output(without_fare, *r);
    ride_.clear();
    fare_.clear();
  }

 private:
  static constexpr timestamp_ms patience_ms = 60 * 60'000;

  static void emit(const ride& r, const fare& f, collector<std::string>& out) {
    char text[96];
    std::snprintf(text, sizeof text, "ride %lld: driver %lld, %.2f", static_cast<long long>(r.id),
                  static_cast<long long>(r.driver), f.amount);
    out.emit(text);
  }

  value_state<ride> ride_;
  value_state<fare> fare_;
};

/// "id,at_ms,driver"
ride parse_ride(const std::string& line) {
  long long id = 0;
  long long at = 0;
  long long driver = 0;
  if (std::sscanf(line.c_str(), "%lld,%lld,%lld", &id, &at, &driver) != 3)
    throw std::runtime_error("not a ride: '" + line + "'");
  return {id, at, driver};
}

/// "ride,at_ms,amount"
fare parse_fare(const std::string& line) {
  long long id = 0;
  long long at = 0;
  double amount = 0;
  if (std::sscanf(line.c_str(), "%lld,%lld,%lf", &id, &at, &amount) != 3)
    throw std::runtime_error("not a fare: '" + line + "'");
  return {id, at, amount};
}

void build(stream_environment& env, const arguments& args) {
  args.check_known({"rides", "fares", "help"});
  if (args.has("help")) {
    std::cout << "  --rides PATH   lines id,at_ms,driver\n"
                 "  --fares PATH   lines ride,at_ms,amount\n";
    return;
  }
  using namespace std::chrono_literals;
  const auto rides =
      env.read_text_file(args.get("rides"))
          .map(parse_ride)
          .assign_timestamps_and_watermarks(
              watermark_strategy<ride>::for_bounded_out_of_orderness(1min).with_timestamp_assigner(
                  &ride::at_ms));
  const auto fares =
      env.read_text_file(args.get("fares"))
          .map(parse_fare)
          .assign_timestamps_and_watermarks(
              watermark_strategy<fare>::for_bounded_out_of_orderness(1min).with_timestamp_assigner(
                  &fare::at_ms));

  const auto complete = rides.connect(fares)
                            .key_by(&ride::id, &fare::ride)
                            .process(enrich{})
                            .name("enrich rides")
                            .uid("enrich-rides");
  complete.side_output(without_fare)
      .map([](const ride& r) { return "ride " + std::to_string(r.id) + ": no fare"; })
      .union_with(complete)
      .print();
}
