#include "millrace/core/human_units.hpp"

#include <doctest/doctest.h>

namespace human_units_test {

using namespace millrace;
using namespace std::chrono_literals;

TEST_CASE("bytes have three digits") {
  CHECK(format_bytes(0) == "0 B");
  CHECK(format_bytes(999) == "999 B");
  CHECK(format_bytes(1000) == "1 kB");
  CHECK(format_bytes(1234) == "1.23 kB");
  CHECK(format_bytes(99'960) == "100 kB");
  CHECK(format_bytes(999'999) == "1 MB");
  CHECK(format_bytes(1'500'000'000) == "1.5 GB");
  CHECK(format_bytes(~0ull) == "18.4 EB");
}

TEST_CASE("memory sizes and durations are exact") {
  CHECK(format_memory(0) == "0 b");
  CHECK(format_memory(1000) == "1000 b");
  CHECK(format_memory(32 * 1024) == "32 kb");
  CHECK(format_memory(1 << 20) == "1 mb");
  CHECK(format_duration(0ms) == "0 ms");
  CHECK(format_duration(1500ms) == "1500 ms");
  CHECK(format_duration(10s) == "10 s");
  CHECK(format_duration(5min) == "5 min");
  CHECK(format_duration(48h) == "2 d");
}

TEST_CASE("elapsed times are short") {
  CHECK(format_elapsed(12ms) == "12 ms");
  CHECK(format_elapsed(3400ms) == "3.4 s");
  CHECK(format_elapsed(59'990ms) == "1 min 0 s");
  CHECK(format_elapsed(125s) == "2 min 5 s");
  CHECK(format_elapsed(62min) == "1 h 2 min");
}

TEST_CASE("counts and rates have three digits") {
  CHECK(format_count(0) == "0");
  CHECK(format_count(789) == "789");
  CHECK(format_count(45'600) == "45.6 k");
  CHECK(format_rate(1'200'000) == "1.2 M records/s");
}

}  // namespace human_units_test
