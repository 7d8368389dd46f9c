// Joins orders with their payments, of which there may be several, within an hour: a join of two
// streams written as a process function (docs/examples/order_payments.md).

#include <cstdio>
#include <iostream>

#include "millrace/millrace.hpp"

using namespace millrace;

struct order {
  std::int64_t id;
  timestamp_ms at_ms;
  std::int64_t customer;
};

struct payment {
  std::int64_t order;
  timestamp_ms at_ms;
  std::int64_t cents;
};

struct paid_order {
  std::int64_t order;
  std::int64_t customer;
  std::int64_t cents;
};

/// Keeps the records of both sides until no partner can come any more.
class join_within_an_hour
    : public keyed_co_process_function<std::int64_t, order, payment, paid_order> {
 public:
  void open(keyed_runtime_context<std::int64_t>& context) override {
    orders_ = context.get_list_state(list_state_descriptor<order>("orders"));
    payments_ = context.get_list_state(list_state_descriptor<payment>("payments"));
  }

  void process_element1(const order& o, keyed_process_context<std::int64_t>& now,
                        collector<paid_order>& out) override {
    for (const auto& p : payments_.get()) emit_if_close(o, p, out);
    orders_.add(o);
    now.timer_service().register_event_time_timer(o.at_ms + hour_ms + 1);
  }

  void process_element2(const payment& p, keyed_process_context<std::int64_t>& now,
                        collector<paid_order>& out) override {
    for (const auto& o : orders_.get()) emit_if_close(o, p, out);
    payments_.add(p);
    now.timer_service().register_event_time_timer(p.at_ms + hour_ms + 1);
  }

  /// Forgets what is more than an hour old.
  void on_timer(timestamp_ms at, on_timer_context<std::int64_t>&, collector<paid_order>&) override {
    keep_after(orders_, at - hour_ms - 1);
    keep_after(payments_, at - hour_ms - 1);
  }

 private:
  static constexpr timestamp_ms hour_ms = 60 * 60'000;

  static void emit_if_close(const order& o, const payment& p, collector<paid_order>& out) {
    if (std::abs(o.at_ms - p.at_ms) <= hour_ms) out.emit({o.id, o.customer, p.cents});
  }

  template <class T>
  static void keep_after(const list_state<T>& state, timestamp_ms limit) {
    auto rows = state.get();
    std::erase_if(rows, [limit](const T& row) { return row.at_ms <= limit; });
    if (rows.empty())
      state.clear();
    else
      state.update(std::move(rows));
  }

  list_state<order> orders_;
  list_state<payment> payments_;
};

template <class T>
T parse(const std::string& line) {
  long long id = 0;
  long long at = 0;
  long long last = 0;
  if (std::sscanf(line.c_str(), "%lld,%lld,%lld", &id, &at, &last) != 3)
    throw std::runtime_error("not three numbers: '" + line + "'");
  return {id, at, last};
}

void build(stream_environment& env, const arguments& args) {
  args.check_known({"orders", "payments", "help"});
  if (args.has("help")) {
    std::cout << "  --orders PATH     lines id,at_ms,customer\n"
                 "  --payments PATH   lines order,at_ms,cents\n";
    return;
  }
  using namespace std::chrono_literals;
  const auto orders =
      env.read_text_file(args.get("orders"))
          .map(parse<order>)
          .assign_timestamps_and_watermarks(
              watermark_strategy<order>::for_bounded_out_of_orderness(1min).with_timestamp_assigner(
                  &order::at_ms));
  const auto payments = env.read_text_file(args.get("payments"))
                            .map(parse<payment>)
                            .assign_timestamps_and_watermarks(
                                watermark_strategy<payment>::for_bounded_out_of_orderness(1min)
                                    .with_timestamp_assigner(&payment::at_ms));

  orders.connect(payments)
      .key_by(&order::id, &payment::order)
      .process(join_within_an_hour{})
      .name("join within an hour")
      .uid("join-within-an-hour")
      .map([](const paid_order& p) {
        return "order " + std::to_string(p.order) + " of customer " + std::to_string(p.customer) +
               ": " + std::to_string(p.cents);
      })
      .print();
}
