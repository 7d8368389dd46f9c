// Finds card fraud: a tiny payment that tries a stolen card, and a large one right after it.
// A keyed process function with state and timers (docs/examples/fraud_detection.md).

#include <cstdio>
#include <iostream>

#include "millrace/millrace.hpp"

using namespace millrace;

struct payment {
  std::int64_t account;
  timestamp_ms at_ms;
  double amount;
};

struct alert {
  std::int64_t account;
  timestamp_ms at_ms;
  double amount;
};

class fraud_detector : public keyed_process_function<std::int64_t, payment, alert> {
 public:
  void open(keyed_runtime_context<std::int64_t>& context) override {
    tiny_at_ = context.get_state(value_state_descriptor<timestamp_ms>("tiny payment"));
  }

  void process_element(const payment& p, keyed_process_context<std::int64_t>& now,
                       collector<alert>& out) override {
    if (const auto* at = tiny_at_.find()) {
      // The timer may be late, as it waits for the watermark; the record's own time decides.
      if (p.amount > large && p.at_ms - *at <= patience_ms)
        out.emit({p.account, p.at_ms, p.amount});
      now.timer_service().delete_event_time_timer(*at + patience_ms + 1);
      tiny_at_.clear();
    }
    if (p.amount < tiny) {
      tiny_at_.update(p.at_ms);
      now.timer_service().register_event_time_timer(p.at_ms + patience_ms + 1);
    }
  }

  /// Nothing followed in time: the account's state is not kept for ever.
  void on_timer(timestamp_ms, on_timer_context<std::int64_t>&, collector<alert>&) override {
    tiny_at_.clear();
  }

 private:
  static constexpr double tiny = 1;
  static constexpr double large = 500;
  static constexpr timestamp_ms patience_ms = 60'000;

  value_state<timestamp_ms> tiny_at_;
};

/// "account,at_ms,amount"
payment parse(const std::string& line) {
  long long account = 0;
  long long at = 0;
  double amount = 0;
  if (std::sscanf(line.c_str(), "%lld,%lld,%lf", &account, &at, &amount) != 3)
    throw std::runtime_error("not a payment: '" + line + "'");
  return {account, at, amount};
}

void build(stream_environment& env, const arguments& args) {
  args.check_known({"input", "help"});
  if (args.has("help")) {
    std::cout << "  --input PATH   lines account,at_ms,amount, in order of time\n";
    return;
  }
  // One reader, so that the payments of an account stay in order.
  env.read_text_file(args.get("input"))
      .set_parallelism(1)
      .map(parse)
      .set_parallelism(1)
      .assign_timestamps_and_watermarks(
          watermark_strategy<payment>::for_monotonous_timestamps().with_timestamp_assigner(
              &payment::at_ms))
      .set_parallelism(1)
      .key_by(&payment::account)
      .process(fraud_detector{})
      .name("detect fraud")
      .uid("detect-fraud")
      .map([](const alert& a) {
        return "account " + std::to_string(a.account) + " at " + std::to_string(a.at_ms);
      })
      .print();
}
