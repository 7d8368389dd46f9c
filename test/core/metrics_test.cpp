#include "millrace/core/metrics.hpp"

#include <doctest/doctest.h>

namespace metrics_test {

using namespace millrace;
using std::chrono::milliseconds;

TEST_CASE("a counter counts") {
  counter c;
  c.add();
  c.add(5);
  CHECK(c.value() == 6);
}

TEST_CASE("a meter tells the rate between readings") {
  meter m;
  CHECK(m.per_second() == 0);
  m.update(100, milliseconds(1000));
  CHECK(m.per_second() == 0);
  m.update(600, milliseconds(1500));
  CHECK(m.per_second() == doctest::Approx(1000));
  m.update(700, milliseconds(1500));  // no time passed
  CHECK(m.per_second() == doctest::Approx(1000));
  m.update(10, milliseconds(2000));  // restarted
  CHECK(m.per_second() == 0);
  m.update(20, milliseconds(3000));
  CHECK(m.per_second() == doctest::Approx(10));
}

}  // namespace metrics_test
