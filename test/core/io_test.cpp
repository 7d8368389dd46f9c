#include "millrace/core/io.hpp"

#include <doctest/doctest.h>

namespace io_test {

TEST_CASE("the system's clock never goes back and knows the year") {
  const millrace::system_clock_source time;
  const auto before = time.now();
  CHECK(time.now() >= before);
  CHECK(time.wall_ms() > 1'600'000'000'000);
}

}  // namespace io_test
