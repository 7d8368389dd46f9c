#include <doctest/doctest.h>

#include <algorithm>
#include <memory>

#include "millrace/millrace.hpp"
#include "support/local_runner.hpp"

namespace joins_test {

using namespace millrace;
using namespace std::chrono_literals;
using test::local_runner;
using test::pipeline_settings;

namespace {

struct order {
  std::string id;
  std::int64_t amount = 0;
  std::int64_t at = 0;

  auto operator<=>(const order&) const = default;
};

struct payment {
  std::string order_id;
  std::int64_t paid = 0;
  std::int64_t at = 0;

  auto operator<=>(const payment&) const = default;
};

struct paid_order {
  std::string id;
  std::int64_t amount = 0;
  std::int64_t paid = 0;

  auto operator<=>(const paid_order&) const = default;
};

stream_environment make_env(std::uint64_t seed) {
  pipeline_settings settings;
  settings.seed = seed;
  return stream_environment({}, std::make_shared<local_runner>(settings));
}

template <class T>
auto in_event_time(const data_stream<T>& rows, std::chrono::milliseconds disorder) {
  return rows.assign_timestamps_and_watermarks(
      watermark_strategy<T>::for_bounded_out_of_orderness(disorder).with_timestamp_assigner(
          &T::at));
}

template <class T>
std::vector<T> sorted(std::vector<T> rows) {
  std::sort(rows.begin(), rows.end());
  return rows;
}

struct streams {
  data_stream<order> orders;
  data_stream<payment> payments;
};

streams orders_and_payments(stream_environment& env) {
  return {
      in_event_time(
          env.from_elements<order>({{"a", 10, 1}, {"b", 20, 5}, {"a", 30, 11}, {"c", 40, 12}}),
          20ms),
      in_event_time(
          env.from_elements<payment>({{"a", 1, 3}, {"a", 2, 9}, {"b", 3, 25}, {"d", 4, 4}}), 20ms)};
}

paid_order both(const order* o, const payment* p) {
  return {o != nullptr ? o->id : p->order_id, o != nullptr ? o->amount : -1,
          p != nullptr ? p->paid : -1};
}

}  // namespace

TEST_CASE("a join pairs what is in the same window") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    auto env = make_env(seed);
    env.set_parallelism(1 + seed % 4);
    const auto [orders, payments] = orders_and_payments(env);
    const auto pairs = orders.join(payments)
                           .where(&order::id)
                           .equal_to(&payment::order_id)
                           .window(tumbling_event_time_windows::of(10ms))
                           .apply([](const order& o, const payment& p) { return both(&o, &p); });
    CHECK(sorted(pairs.execute_and_collect()) ==
          std::vector<paid_order>{{"a", 10, 1}, {"a", 10, 2}});
  }
}

TEST_CASE("a full outer join in windows also has what is alone in its window") {
  auto env = make_env(1);
  const auto [orders, payments] = orders_and_payments(env);
  const auto pairs = orders.join(payments)
                         .full_outer()
                         .where(&order::id)
                         .equal_to(&payment::order_id)
                         .window(tumbling_event_time_windows::of(10ms))
                         .apply([](const order* o, const payment* p, collector<paid_order>& out) {
                           out.emit(both(o, p));
                         });
  CHECK(sorted(pairs.execute_and_collect()) == std::vector<paid_order>{{"a", 10, 1},
                                                                       {"a", 10, 2},
                                                                       {"a", 30, -1},
                                                                       {"b", -1, 3},
                                                                       {"b", 20, -1},
                                                                       {"c", 40, -1},
                                                                       {"d", -1, 4}});
}

TEST_CASE("co_group has all of both streams in a window at once") {
  auto env = make_env(1);
  env.set_parallelism(2);
  const auto [orders, payments] = orders_and_payments(env);
  const auto groups =
      orders.co_group(payments)
          .where(&order::id)
          .equal_to(&payment::order_id)
          .window(event_time_session_windows::with_gap(5ms))
          .apply([](const std::vector<order>& os, const std::vector<payment>& ps,
                    collector<paid_order>& out) {
            out.emplace(os.empty() ? ps.front().order_id : os.front().id,
                        static_cast<std::int64_t>(os.size()), static_cast<std::int64_t>(ps.size()));
          });
  CHECK(sorted(groups.execute_and_collect()) ==
        std::vector<paid_order>{
            {"a", 1, 1}, {"a", 1, 1}, {"b", 0, 1}, {"b", 1, 0}, {"c", 1, 0}, {"d", 0, 1}});
}

TEST_CASE("a join takes keys of several parts, and leaves the records of a key in their order") {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    CAPTURE(seed);
    auto env = make_env(seed);
    env.set_parallelism(4);
    const auto orders = in_event_time(env.from_generator(
                                             [](std::uint64_t i) {
                                               const auto n = static_cast<std::int64_t>(i);
                                               return order{"a", n % 2, n};
                                             },
                                             200)
                                          .set_parallelism(1),
                                      0ms)
                            .set_parallelism(1);
    const auto payments =
        in_event_time(env.from_elements<payment>({{"a", 0, 1}, {"b", 1, 2}}), 0ms);
    const auto groups =
        orders.co_group(payments)
            .where([](const order& o) { return o.id; }, &order::amount)
            .equal_to(&payment::order_id, &payment::paid)
            .window(tumbling_event_time_windows::of(1000ms))
            .apply([](const std::vector<order>& os, const std::vector<payment>& ps,
                      collector<paid_order>& out) {
              const bool in_order = std::is_sorted(
                  os.begin(), os.end(), [](const order& a, const order& b) { return a.at < b.at; });
              out.emplace(in_order ? "in order" : "out of order",
                          static_cast<std::int64_t>(os.size()),
                          static_cast<std::int64_t>(ps.size()));
            });
    CHECK(sorted(groups.execute_and_collect()) ==
          std::vector<paid_order>{{"in order", 0, 1}, {"in order", 100, 0}, {"in order", 100, 1}});
  }
}

TEST_CASE("an interval join pairs what is near in time, with its bounds or without") {
  using pairs = std::vector<paid_order>;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    const auto pairs_within = [&](std::chrono::milliseconds upper, bool excludes_lower,
                                  bool excludes_upper) {
      auto env = make_env(seed);
      env.set_parallelism(1 + seed % 4);
      const auto [orders, payments] = orders_and_payments(env);
      auto join = orders.key_by(&order::id)
                      .interval_join(payments.key_by(&payment::order_id))
                      .between(-2ms, upper);
      if (excludes_lower) join = join.lower_bound_exclusive();
      if (excludes_upper) join = join.upper_bound_exclusive();
      const auto paid = join.process([](const order& o, const payment& p,
                                        collector<paid_order>& out) { out.emit(both(&o, &p)); });
      return sorted(paid.execute_and_collect());
    };
    CHECK(pairs_within(20ms, false, true) == pairs{{"a", 10, 1}, {"a", 10, 2}, {"a", 30, 2}});
    // The payment of 9 is at the lower bound of the order of 11, that of 3 at the upper one of 1.
    CHECK(pairs_within(20ms, true, true) == pairs{{"a", 10, 1}, {"a", 10, 2}});
    CHECK(pairs_within(2ms, false, false) == pairs{{"a", 10, 1}, {"a", 30, 2}});
    CHECK(pairs_within(2ms, true, false) == pairs{{"a", 10, 1}});
    CHECK(pairs_within(2ms, false, true) == pairs{{"a", 30, 2}});
    CHECK(pairs_within(2ms, true, true).empty());
  }
}

TEST_CASE("rows that an outer interval join emits alone are not late behind it") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    auto env = make_env(seed);
    env.set_parallelism(1);
    const auto orders =
        in_event_time(env.from_generator(
                          [](std::uint64_t i) {
                            return order{std::to_string(i % 10), 1, static_cast<std::int64_t>(i)};
                          },
                          1000),
                      0ms);
    const auto payments =
        in_event_time(env.from_generator(
                          [](std::uint64_t i) {
                            return payment{std::to_string(i % 5), 1, static_cast<std::int64_t>(i)};
                          },
                          1000),
                      0ms);
    const auto sums =
        orders.key_by(&order::id)
            .interval_join(payments.key_by(&payment::order_id))
            .between(0ms, 0ms)
            .left_outer()
            .process([](const order* o, const payment* p, collector<paid_order>& out) {
              out.emit({o->id, 1, p != nullptr ? 1 : 0});
            })
            .key_by([](const paid_order&) { return 0; })
            .window(tumbling_event_time_windows::of(100ms))
            .reduce([](const paid_order& a, const paid_order& b) {
              return paid_order{"", a.amount + b.amount, a.paid + b.paid};
            });
    auto all = sums.execute_and_collect();
    CHECK(all.size() == 10);
    CHECK(std::all_of(all.begin(), all.end(),
                      [](const paid_order& p) { return p.amount == 100 && p.paid == 50; }));
  }
}

TEST_CASE("an interval join without an interval is refused") {
  auto env = make_env(1);
  const auto [orders, payments] = orders_and_payments(env);
  const auto join = orders.key_by(&order::id)
                        .interval_join(payments.key_by(&payment::order_id))
                        .between(5ms, 5ms)
                        .lower_bound_exclusive();
  CHECK_THROWS_WITH_AS(
      join.process([](const order&, const payment&, collector<order>&) {}).discard(),
      doctest::Contains("lower bound"), failure);
  const auto for_ever = join.between(0ms, std::chrono::milliseconds::max());
  CHECK_THROWS_WITH_AS(
      for_ever.process([](const order&, const payment&, collector<order>&) {}).discard(),
      doctest::Contains("can't look as far as"), failure);
}

}  // namespace joins_test
