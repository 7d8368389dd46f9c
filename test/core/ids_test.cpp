#include "millrace/core/ids.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace millrace;

TEST_CASE("an id is written as 32 hex digits and read back") {
  const job_id id{0x0123456789abcdef, 0xfedcba9876543210};
  CHECK(to_string(id) == "0123456789abcdeffedcba9876543210");
  CHECK(parse_id<job_id>(to_string(id)) == id);
  CHECK(parse_id<job_id>("0123456789ABCDEFFEDCBA9876543210") == id);
}

TEST_CASE("text that is not 32 hex digits is no id") {
  CHECK_FALSE(parse_id<job_id>(""));
  CHECK_FALSE(parse_id<job_id>("0123456789abcdeffedcba987654321"));
  CHECK_FALSE(parse_id<job_id>("0123456789abcdeffedcba98765432100"));
  CHECK_FALSE(parse_id<job_id>("0123456789abcdeffedcba987654321g"));
}

TEST_CASE("ids made from one seed are the same ids, and never the empty one") {
  std::mt19937_64 first(7);
  std::mt19937_64 second(7);
  const auto id = make_id<job_id>(first);
  CHECK(id == make_id<job_id>(second));
  CHECK(id != make_id<job_id>(first));
  CHECK(static_cast<bool>(id));
  CHECK_FALSE(static_cast<bool>(job_id{}));
}

TEST_CASE("an attempt id names job, vertex, subtask and attempt") {
  const execution_attempt_id id{{0, 1}, 2, 3, 4};
  CHECK(to_string(id) == "00000000000000000000000000000001/v2/s3/a4");
}
