#include "millrace/stream/runtime_context.hpp"

#include <doctest/doctest.h>

#include "millrace/core/error.hpp"

namespace runtime_context_test {

using namespace millrace;

TEST_CASE("a runtime context tells an operator its place") {
  runtime_context context({.job_name = "job",
                           .operator_name = "map",
                           .operator_uid = "u1",
                           .subtask_index = 2,
                           .parallelism = 4,
                           .max_parallelism = 64,
                           .attempt = 1,
                           .mode = runtime_mode::batch});
  CHECK(context.job_name() == "job");
  CHECK(context.operator_name() == "map");
  CHECK(context.operator_uid() == "u1");
  CHECK(context.subtask_index() == 2);
  CHECK(context.parallelism() == 4);
  CHECK(context.max_parallelism() == 64);
  CHECK(context.attempt() == 1);
  CHECK(context.mode() == runtime_mode::batch);
}

TEST_CASE("accumulators and metrics of one name are one") {
  runtime_context context({});
  auto& sum = context.sum_accumulator("rows");
  sum += 2;
  for (int i = 0; i < 100; ++i) context.sum_accumulator("other " + std::to_string(i));
  context.sum_accumulator("rows") += 3;
  CHECK(sum == 5);
  auto& metric = context.metric("late");
  metric.add();
  for (int i = 0; i < 100; ++i) context.metric("other " + std::to_string(i));
  context.metric("late").add(2);
  CHECK(metric.value() == 3);
  CHECK(context.metrics().size() == 101);
  context.double_sum_accumulator("weight") += 0.5;
  CHECK(context.accumulators().at("weight").value == std::variant<std::int64_t, double>(0.5));
}

TEST_CASE("the least and the greatest start beyond every number") {
  runtime_context context({});
  CHECK(context.min_accumulator("least") == std::numeric_limits<std::int64_t>::max());
  CHECK(context.max_accumulator("greatest") == std::numeric_limits<std::int64_t>::min());
}

TEST_CASE("a name that is taken by another kind of accumulator is an error that names both") {
  runtime_context::identity who;
  who.operator_name = "count words";
  runtime_context context(std::move(who));
  context.sum_accumulator("rows");
  CHECK_THROWS_AS(context.max_accumulator("rows"), failure);
  CHECK_THROWS_AS(context.min_accumulator("rows"), failure);
  try {
    context.double_sum_accumulator("rows");
    FAIL("no error");
  } catch (const failure& f) {
    CHECK(f.code() == errc::invalid_argument);
    const std::string message = f.what();
    CHECK(message.find("'rows'") != std::string::npos);
    CHECK(message.find("'count words'") != std::string::npos);
  }
}

}  // namespace runtime_context_test
