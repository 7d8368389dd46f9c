// A job to be killed, with a result that does not depend on when: --count orders and as many
// payments, made from their numbers, are joined in windows, and the sums of each customer are taken
// over windows again. Pairs go to part files that end at checkpoints (<output>/pairs), sums to part
// files that go on over checkpoints (<output>/sums) and to a table (<output>/sums.db).
//
// Event time is the number of the record, and each reader goes through its numbers in order, so no
// record is ever late. Each of the two sources makes --per-second records a second, or all it can.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "millrace/connectors/key_value_sink.hpp"
#include "millrace/millrace.hpp"

using namespace millrace;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t block = 64;  // orders whose payments come in another order
constexpr std::int64_t customers = 97;

struct order {
  std::int64_t id = 0;
  timestamp_ms at_ms = 0;
  std::int64_t customer = 0;
};

struct payment {
  std::int64_t order = 0;
  timestamp_ms at_ms = 0;
  std::int64_t cents = 0;
};

struct pair {
  std::int64_t order = 0;
  std::int64_t customer = 0;
  std::int64_t cents = 0;
};

struct customer_sum {
  std::int64_t customer = 0;
  timestamp_ms window_end = 0;
  std::int64_t orders = 0;
  std::int64_t cents = 0;
};

std::int64_t signed_of(std::uint64_t number) {
  return static_cast<std::int64_t>(number);
}

struct sum_of_pairs {
  customer_sum create_accumulator() const { return {}; }
  void add(customer_sum& sum, const pair& p) const {
    ++sum.orders;
    sum.cents += p.cents;
  }
  customer_sum get_result(const customer_sum& sum) const { return sum; }
  void merge(customer_sum& sum, const customer_sum& other) const {
    sum.orders += other.orders;
    sum.cents += other.cents;
  }
};

template <class T>
auto by_number() {
  return watermark_strategy<T>::for_monotonous_timestamps().with_timestamp_assigner(&T::at_ms);
}

}  // namespace

void build(stream_environment& env, const arguments& args) {
  args.check_known({"count", "per-second", "output"});
  const auto count = args.get<std::uint64_t>("count");
  generator_options rate{.count = count};
  if (args.has("per-second")) rate.per_second = args.get<double>("per-second");
  const auto output = args.get<std::string>("output");
  env.set_job_name("paid orders");

  const auto orders = env.from_generator(
                             [](std::uint64_t i) {
                               return order{signed_of(i), signed_of(i),
                                            signed_of((i * 2654435761U >> 7) % customers)};
                             },
                             rate)
                          .uid("orders")
                          .assign_timestamps_and_watermarks(by_number<order>());
  const auto payments =
      env.from_generator(
             [count](std::uint64_t i) {
               const auto first = i / block * block;
               // Those of the last block, which may be shorter, come in order.
               const auto of = first + block <= count ? first + (i - first) * 37 % block : i;
               return payment{signed_of(of), signed_of(i), signed_of(of * 31 % 1009)};
             },
             rate)
          .uid("payments")
          .assign_timestamps_and_watermarks(by_number<payment>());

  const auto pairs = orders.join(payments)
                         .where(&order::id)
                         .equal_to(&payment::order)
                         .window(tumbling_event_time_windows::of(std::chrono::milliseconds(block)))
                         .apply([](const order& o, const payment& p) {
                           return pair{o.id, o.customer, p.cents};
                         })
                         .uid("join");
  pairs
      .sink_to(file_sink<pair>::for_csv(output + "/pairs")
                   .with_rolling_policy(rolling_policy::only_on_checkpoint()))
      .uid("pairs");

  const auto sums =
      pairs.key_by(&pair::customer)
          .window(tumbling_event_time_windows::of(16 * std::chrono::milliseconds(block)))
          .aggregate(sum_of_pairs(),
                     [](const std::int64_t& customer, const time_window& window,
                        const customer_sum& sum, collector<customer_sum>& out) {
                       out.emplace(customer, window.end, sum.orders, sum.cents);
                     })
          .uid("sums");
  sums.sink_to(file_sink<customer_sum>::for_csv(output + "/sums")
                   .with_rolling_policy({.part_bytes = 64 << 10, .rollover_interval = 3s}))
      .uid("sum-files");
  sums.key_by(&customer_sum::customer)
      .sink_to(key_value_sink<customer_sum>::upsert(
          {output + "/sums.db", "sums"},
          [](const customer_sum& s) {
            return std::to_string(s.customer) + "@" + std::to_string(s.window_end);
          },
          &customer_sum::cents))
      .uid("sum-table");
}
