#include "millrace/stream/credit_window.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <random>
#include <vector>

namespace credit_window_test {

using millrace::credit_window;

namespace {

constexpr auto overhead = credit_window::batch_overhead_bytes;

}  // namespace

TEST_CASE("nothing can be sent before the window is open") {
  credit_window window;
  CHECK_FALSE(window.is_open());
  CHECK(window.try_charge(0) == 0);
  CHECK(window.try_charge(1) == 0);
  window.grant(0);
  CHECK_FALSE(window.is_open());
  window.grant(1);
  CHECK(window.is_open());
  CHECK(window.try_charge(100) == 1);
}

TEST_CASE("every batch is charged its bytes and a fixed cost") {
  credit_window window;
  window.grant(10'000);
  CHECK(window.try_charge(0) == overhead);
  CHECK(window.try_charge(1000) == 1000 + overhead);
  CHECK(window.in_flight() == 1000 + 2 * overhead);
}

TEST_CASE("a batch larger than the window takes all of it and travels alone") {
  credit_window window;
  window.grant(5000);
  const auto small = window.try_charge(10);
  CHECK(window.try_charge(1'000'000) == 0);
  REQUIRE(window.give_back(small));
  CHECK(window.try_charge(1'000'000) == 5000);
  CHECK(window.available() == 0);
  CHECK(window.try_charge(0) == 0);
  REQUIRE(window.give_back(5000));
  CHECK(window.available() == 5000);
}

TEST_CASE("a peer that returns more than it was sent is noticed and changes nothing") {
  credit_window window;
  window.grant(5000);
  CHECK_FALSE(window.give_back(1));
  const auto charge = window.try_charge(100);
  CHECK_FALSE(window.give_back(charge + 1));
  CHECK_FALSE(window.give_back(std::numeric_limits<std::uint64_t>::max()));
  CHECK(window.in_flight() == charge);
  CHECK(window.give_back(charge));
  CHECK(window.in_flight() == 0);
}

TEST_CASE("sizes and grants at the end of 64 bits do not wrap around") {
  constexpr auto huge = std::numeric_limits<std::uint64_t>::max();
  credit_window window;
  window.grant(1000);
  window.grant(huge);
  window.grant(huge);
  CHECK(window.capacity() == huge);
  CHECK(window.available() == huge);
  CHECK(window.try_charge(huge - 1) == huge);
  CHECK(window.give_back(huge));
}

TEST_CASE("credit is conserved whatever happens") {
  for (std::uint32_t seed = 0; seed < 50; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 rng(seed);
    credit_window window;
    std::uint64_t granted = 0;
    std::vector<std::uint64_t> under_way;
    for (int i = 0; i < 2000; ++i) {
      switch (rng() % 8) {
        case 0:
          if (granted < 1'000'000) {
            const auto bytes = rng() % 50'000;
            window.grant(bytes);
            granted += bytes;
          }
          break;
        case 1:
        case 2:
        case 3:
          if (const auto charge = window.try_charge(rng() % 100'000)) under_way.push_back(charge);
          break;
        default:
          if (under_way.empty()) break;
          std::swap(under_way[rng() % under_way.size()], under_way.back());
          REQUIRE(window.give_back(under_way.back()));
          under_way.pop_back();
      }
      std::uint64_t sum = 0;
      for (auto charge : under_way) sum += charge;
      REQUIRE(window.capacity() == granted);
      REQUIRE(window.available() <= window.capacity());
      REQUIRE(window.in_flight() == sum);
      REQUIRE(window.available() + sum == granted);
    }
    for (auto charge : under_way) REQUIRE(window.give_back(charge));
    CHECK(window.available() == granted);
  }
}

}  // namespace credit_window_test
