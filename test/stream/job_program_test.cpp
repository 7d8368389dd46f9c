#include "millrace/stream/job_program.hpp"

#include <doctest/doctest.h>

#include "support/stream_jobs.hpp"

namespace job_program_test {

using namespace millrace;
using namespace millrace::test;
using graph::partitioning;

namespace {

job_maker three(const std::string& middle = "map", partitioning how = partitioning::rebalance) {
  job_maker make;
  make.parallelism = 2;
  const auto source = make.source("numbers");
  const auto map = make.op(middle);
  const auto sink = make.sink("print");
  make.connect(source, map, how);
  make.connect(map, sink, partitioning::rebalance);
  return make;
}

std::string difference(const job_maker& ours, const job_maker& submitted) {
  const auto same = check_same_program(*ours.program, submitted.build());
  if (same) return {};
  CHECK(same.error().code == errc::invalid_graph);
  return same.error().message;
}

}  // namespace

TEST_CASE("a program that was built the same way is the same") {
  CHECK(difference(three(), three()) == "");
}

TEST_CASE("an operator that is missing or another one is named") {
  auto longer = three();
  longer.connect(1, longer.sink("write"), partitioning::rebalance);
  CHECK(difference(three(), longer).find("'write' is missing") != std::string::npos);
  auto other = three();
  other.program->graph.node(1).uid = "another";
  CHECK(difference(other, three()).find("'map' is another one") != std::string::npos);
}

TEST_CASE("an exchange that differs is told by its operators") {
  CHECK(difference(three("map", partitioning::shuffle), three())
            .find("by shuffle rather than "
                  "rebalance") != std::string::npos);
  auto rewired = three();
  rewired.program->routers.pop_back();
  CHECK(difference(rewired, three()).find("'map' lacks an output") != std::string::npos);
  auto hollow = three();
  hollow.program->routers[0] = nullptr;
  CHECK(difference(hollow, three()).find("'numbers' lacks an output") != std::string::npos);
}

TEST_CASE("an exchange of other records names both types") {
  auto submitted = three().build();
  submitted.edges[1].type = "str";
  submitted.edges[1].fingerprint = 1;
  const auto same = check_same_program(*three().program, submitted);
  REQUIRE_FALSE(same);
  CHECK(same.error().message.find("(i64, not str)") != std::string::npos);
}

}  // namespace job_program_test
