#include "millrace/core/ids.hpp"

#include <doctest/doctest.h>

#include <random>

namespace ids_test {

using namespace millrace;

TEST_CASE("an id is 32 hex digits and reads back") {
  const job_id id{0x0123456789abcdef, 0xfedcba9876543210};
  CHECK(to_string(id) == "0123456789abcdeffedcba9876543210");
  CHECK(parse_id<job_id>(to_string(id)) == id);
  CHECK(parse_id<job_id>("0123456789ABCDEFFEDCBA9876543210") == id);
  CHECK_FALSE(parse_id<job_id>("0123").has_value());
  CHECK_FALSE(parse_id<job_id>("g123456789abcdeffedcba9876543210").has_value());
}

TEST_CASE("fresh ids come from the generator given and are never empty") {
  std::mt19937_64 a(1);
  std::mt19937_64 b(1);
  CHECK(make_id<job_id>(a) == make_id<job_id>(b));
  CHECK(make_id<job_id>(a));
  CHECK_FALSE(job_id{});
}

TEST_CASE("an attempt names its job, vertex, subtask and attempt") {
  CHECK(to_string(execution_attempt_id{{0, 1}, 2, 3, 4}) ==
        "00000000000000000000000000000001/v2/s3/a4");
}

}  // namespace ids_test
