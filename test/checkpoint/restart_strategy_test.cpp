#include "millrace/checkpoint/restart_strategy.hpp"

#include <doctest/doctest.h>

#include "millrace/checkpoint/restart_schedule.hpp"

namespace restart_strategy_test {

using namespace millrace;
using namespace std::chrono_literals;

TEST_CASE("without a restart strategy nothing is restarted") {
  CHECK_FALSE(make_no_restart()->on_failure(0));
}

TEST_CASE("a fixed delay is given a fixed number of times") {
  auto strategy = make_fixed_delay_restart(2, 5s);
  CHECK(strategy->on_failure(0) == 5s);
  CHECK(strategy->on_failure(1'000'000) == 5s);
  CHECK_FALSE(strategy->on_failure(2'000'000));
  CHECK(strategy->description() == "fixed-delay (2 attempts, 5 s)");
}

TEST_CASE("a failure rate bounds the failures of any interval") {
  auto strategy = make_failure_rate_restart(2, 10s, 1s);
  CHECK(strategy->on_failure(0) == 1s);
  CHECK(strategy->on_failure(5'000) == 1s);
  CHECK(strategy->on_failure(10'000) == 1s);  // the first is out of the interval
  CHECK_FALSE(strategy->on_failure(14'999));
}

TEST_CASE("an exponential delay grows up to its limit and begins anew after a quiet time") {
  auto strategy = make_exponential_delay_restart(
      {.initial = 100ms, .max = 1s, .multiplier = 2, .jitter = 0, .reset_after = 60s}, 1);
  std::int64_t now = 0;
  for (const auto expected : {100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
    CHECK(strategy->on_failure(now) == expected);
    now += expected.count() + 1;
  }
  CHECK(strategy->on_failure(now + 58'000) == 1000ms);
  CHECK(strategy->on_failure(now + 58'000 + 1'000 + 60'000) == 100ms);
}

TEST_CASE("jitter spreads the delay within its bounds, the same for the same seed") {
  const exponential_delay how{.initial = 1s, .max = 60s, .multiplier = 2, .jitter = 0.5};
  bool differs = false;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    auto one = make_exponential_delay_restart(how, seed);
    auto same = make_exponential_delay_restart(how, seed);
    one->on_failure(0);
    same->on_failure(0);
    const auto delay = one->on_failure(5'000);
    REQUIRE(delay);
    CHECK(*delay >= 1s);
    CHECK(*delay <= 3s);
    CHECK(delay == same->on_failure(5'000));
    differs |= *delay != 2s;
  }
  CHECK(differs);
}

TEST_CASE("an exponential delay may bound its attempts") {
  auto strategy = make_exponential_delay_restart(
      {.initial = 1s, .max = 1s, .jitter = 0, .reset_after = 10s, .attempts_max = 2}, 1);
  CHECK(strategy->on_failure(0));
  CHECK(strategy->on_failure(2'000));
  CHECK_FALSE(strategy->on_failure(4'000));
  CHECK(strategy->on_failure(60'000));
}

TEST_CASE("the configuration chooses the restart strategy") {
  configuration config;
  CHECK(make_restart_strategy(config, false, 1)->description() == "none");
  CHECK(make_restart_strategy(config, true, 1)->description() ==
        "exponential-delay (1 s to 1 min)");
  REQUIRE(config.set("restart-strategy.type", "fixed-delay", "test"));
  REQUIRE(config.set("restart-strategy.fixed-delay.attempts", "7", "test"));
  CHECK(make_restart_strategy(config, true, 1)->description() == "fixed-delay (7 attempts, 1 s)");
  REQUIRE(config.set("restart-strategy.type", "failure-rate", "test"));
  CHECK(make_restart_strategy(config, false, 1)->on_failure(0) == 1s);
  REQUIRE(config.set("restart-strategy.type", "none", "test"));
  CHECK_FALSE(make_restart_strategy(config, true, 1)->on_failure(0));
  CHECK(config.set("restart-strategy.exponential-delay.backoff-multiplier", "2.25", "test"));
  for (const auto* bad : {"2.", ".5", "1.2345", "-1", "0.9", "two"})
    CHECK_FALSE(config.set("restart-strategy.exponential-delay.backoff-multiplier", bad, "test"));
}

TEST_CASE("failures that come while a restart is waited for belong to it") {
  restart_schedule schedule(make_fixed_delay_restart(2, 1s));
  CHECK_FALSE(schedule.due_ms());
  CHECK(schedule.on_failure(0));
  CHECK_FALSE(schedule.due_ms());  // its tasks still run
  CHECK(schedule.on_failure(500));
  schedule.add(3);
  CHECK(schedule.due_ms() == 1000);
  CHECK(schedule.take(999).empty());
  CHECK(schedule.take(1000) == std::vector<std::uint32_t>{3});
  CHECK(schedule.take(1000).empty());
  schedule.add(4);  // of the first failure, but slow to end
  CHECK(schedule.take(1001) == std::vector<std::uint32_t>{4});
  CHECK(schedule.on_failure(2000));
  CHECK(schedule.on_failure(2500));
  schedule.add(1);
  CHECK(schedule.take(3000).size() == 1);
  CHECK_FALSE(schedule.on_failure(4000));
  CHECK(schedule.restarts() == 3);
}

TEST_CASE("failures that come while a restart is prepared are others") {
  restart_schedule schedule(make_fixed_delay_restart(2, 1s));
  CHECK(schedule.on_failure(0));
  schedule.add(3);
  schedule.on_preparation();
  CHECK(schedule.waiting() == std::vector<std::uint32_t>{3});
  CHECK(schedule.on_failure(1000));
  CHECK(schedule.due_ms() == 2000);
  schedule.on_preparation();
  CHECK_FALSE(schedule.on_failure(2000));
  CHECK(schedule.take(2000) == std::vector<std::uint32_t>{3});
}

}  // namespace restart_strategy_test
