#include "millrace/core/event_time.hpp"

#include <doctest/doctest.h>

namespace event_time_test {

using namespace millrace;

TEST_CASE("timestamps are shown to the millisecond, in UTC") {
  CHECK(format_timestamp(0) == "1970-01-01T00:00:00.000Z");
  CHECK(format_timestamp(-1) == "1969-12-31T23:59:59.999Z");
  CHECK(format_timestamp(1'709'209'845'250) == "2024-02-29T12:30:45.250Z");
  CHECK(format_timestamp(253'402'300'799'999) == "9999-12-31T23:59:59.999Z");
}

TEST_CASE("timestamps that no calendar has are shown as numbers, the special ones as words") {
  CHECK(format_timestamp(253'402'300'800'000) == "253402300800000");
  CHECK(format_timestamp(no_timestamp + 1) == "-9223372036854775807");
  CHECK(format_timestamp(no_timestamp) == "-");
  CHECK(format_timestamp(max_watermark) == "end");
}

}  // namespace event_time_test
