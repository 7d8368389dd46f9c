#include "millrace/core/key_group.hpp"

#include <doctest/doctest.h>

#include "millrace/core/hash.hpp"

namespace key_group_test {

using namespace millrace;

TEST_CASE("groups scale the high bits of a hash") {
  CHECK(key_group_of(0, 128) == 0);
  CHECK(key_group_of(~0ull, 128) == 127);
  CHECK(key_group_of(0x8000000000000000ull, 128) == 64);
  CHECK(key_group_of(0x00000000ffffffffull, 128) == 0);
  CHECK(key_group_of(~0ull, 1) == 0);
}

TEST_CASE("the default maximum is Flink's") {
  CHECK(default_max_parallelism(1) == 128);
  CHECK(default_max_parallelism(85) == 128);
  CHECK(default_max_parallelism(86) == 256);
  CHECK(default_max_parallelism(128) == 256);
  CHECK(default_max_parallelism(1000) == 2048);
  CHECK(default_max_parallelism(32768) == 32768);
}

TEST_CASE("ranges are Flink's") {
  CHECK(key_group_range_of(0, 128, 3) == key_group_range{0, 42});
  CHECK(key_group_range_of(1, 128, 3) == key_group_range{43, 85});
  CHECK(key_group_range_of(2, 128, 3) == key_group_range{86, 127});
  CHECK(key_group_range_of(0, 128, 1) == key_group_range{0, 127});
}

TEST_CASE("ranges partition the groups and agree with the subtask of each group") {
  for (const std::uint32_t max : {1u, 2u, 7u, 128u, 1000u, 32768u}) {
    for (const std::uint32_t parallelism : {1u, 2u, 3u, 5u, 7u, 64u, 100u, 127u, 128u, 32768u}) {
      if (parallelism > max) continue;
      std::uint32_t next = 0;
      bool agree = true;
      for (std::uint32_t subtask = 0; subtask < parallelism; ++subtask) {
        const auto range = key_group_range_of(subtask, max, parallelism);
        agree = agree && range.first == next && range.last >= range.first;
        next = range.last + 1;
        for (std::uint32_t group = range.first; group <= range.last; ++group)
          agree = agree && range.contains(group) &&
                  subtask_of_key_group(group, max, parallelism) == subtask;
      }
      CHECK(agree);
      CHECK(next == max);
    }
  }
}

}  // namespace key_group_test
