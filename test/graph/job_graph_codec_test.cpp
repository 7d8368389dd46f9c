#include <doctest/doctest.h>

#include <span>

#include "millrace/core/codec.hpp"
#include "millrace/graph/execution.hpp"
#include "millrace/graph/job_graph.hpp"
#include "millrace/graph/job_graph_check.hpp"
#include "millrace/graph/slot_table.hpp"
#include "support/graphs.hpp"

namespace job_graph_codec_test {

using namespace millrace;
using namespace millrace::graph;
using namespace millrace::test;

TEST_CASE("random job graphs survive a round trip through bytes") {
  for (std::uint32_t seed = 0; seed < 100; ++seed) {
    CAPTURE(seed);
    auto job = job_of(random_graph(seed));
    job.configuration = {{"key", "value"}};
    job.arguments = {"--input", std::string("\0\xff", 2)};
    REQUIRE(decode_bytes<job_graph>(encode_to_bytes(job)) == job);
  }
}

TEST_CASE("a job graph cut short is refused") {
  auto bytes = encode_to_bytes(job_of(word_count()));
  for (std::size_t size = 0; size < bytes.size(); ++size)
    REQUIRE_FALSE(decode_bytes<job_graph>(std::span(bytes).first(size)));
}

TEST_CASE("a damaged job graph is refused or checked, and never crashes") {
  auto good = encode_to_bytes(job_of(word_count()));
  for (std::size_t i = 0; i < good.size(); ++i)
    for (auto flip : {0x01, 0x80, 0xff}) {
      auto bytes = good;
      bytes[i] ^= static_cast<std::byte>(flip);
      if (auto job = decode_bytes<job_graph>(bytes)) static_cast<void>(check_job_graph(*job));
    }
}

TEST_CASE("metrics, slots and assignments survive a round trip through bytes") {
  task_metrics metrics;
  metrics.records_in = 7;
  metrics.source_bytes_total = ~0ull;
  CHECK(decode_bytes<task_metrics>(encode_to_bytes(metrics)) == metrics);
  slot_assignment slot{{1, 2}, {3, 4}, "host:1"};
  CHECK(decode_bytes<slot_assignment>(encode_to_bytes(slot)) == slot);
  slot_info info{3, slot_state::active, {1, 2}, {3, 4}};
  CHECK(decode_bytes<slot_info>(encode_to_bytes(info)) == info);
}

}  // namespace job_graph_codec_test
