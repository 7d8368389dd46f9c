#include "millrace/operators/former_watermarks.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

namespace former_watermarks_test {

using namespace millrace;

namespace {

/// Of a key in that group of eight.
std::uint64_t hash_in(std::uint64_t group) {
  return group << 61;
}

}  // namespace

TEST_CASE("how far former owners of key groups had come is known until event time has caught up") {
  using all = std::vector<key_group_watermark>;
  former_watermarks former({2, 5}, 8);
  CHECK_FALSE(former.raise({0, 1}, 70));
  CHECK(former.latest() == no_timestamp);
  CHECK(former.raise({0, 2}, 20));
  CHECK(former.raise({4, 7}, 50));
  CHECK(former.raise({4, 4}, 30));
  CHECK(former.of(hash_in(2)) == 20);
  CHECK(former.of(hash_in(3)) == no_timestamp);
  CHECK(former.of(hash_in(4)) == 50);
  CHECK(former.of(hash_in(1)) == no_timestamp);
  CHECK(former.of(hash_in(6)) == no_timestamp);
  CHECK(former.latest() == 50);
  CHECK(former.above(20) == all{{4, 50}, {5, 50}});
  CHECK(former.above(no_timestamp) == all{{2, 20}, {4, 50}, {5, 50}});
  former.catch_up(49);
  CHECK(former.of(hash_in(5)) == 50);
  former.catch_up(50);
  CHECK(former.of(hash_in(5)) == no_timestamp);
  CHECK(former.latest() == no_timestamp);
  CHECK(former.above(no_timestamp).empty());
}

}  // namespace former_watermarks_test
