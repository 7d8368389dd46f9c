#include "millrace/graph/partitioning.hpp"

#include <doctest/doctest.h>

#include "millrace/graph/runtime_mode.hpp"

namespace partitioning_test {

using namespace millrace::graph;

TEST_CASE("partitioning names read back as what they name") {
  for (int i = 0; i < 8; ++i) {
    auto p = static_cast<partitioning>(i);
    CHECK(parse_partitioning(to_string(p)) == p);
  }
  CHECK_FALSE(parse_partitioning("Hash"));
  CHECK_FALSE(parse_partitioning(""));
  CHECK(to_string(static_cast<partitioning>(200)) == "unknown");
}

TEST_CASE("runtime modes read back as what they name") {
  CHECK(parse_runtime_mode(to_string(runtime_mode::batch)) == runtime_mode::batch);
  CHECK(parse_runtime_mode(to_string(runtime_mode::streaming)) == runtime_mode::streaming);
  CHECK_FALSE(parse_runtime_mode("automatic"));
}

}  // namespace partitioning_test
