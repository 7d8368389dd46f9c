// Async I/O end to end, and the functions of docs/async-io.md, which must compile and do what is
// said about them.

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>

#include "millrace/millrace.hpp"
#include "support/local_runner.hpp"
#include "support/time_probe.hpp"

namespace async_map_test {

using namespace millrace;
using namespace std::chrono_literals;
using test::local_runner;
using test::pipeline_settings;

namespace {

using number = std::int64_t;

constexpr std::uint64_t seeds = 30;

stream_environment make_env(std::uint64_t seed) {
  pipeline_settings settings;
  settings.seed = seed;
  return stream_environment({}, std::make_shared<local_runner>(settings));
}

auto timed(stream_environment& env, number count) {
  return env.from_sequence(1, count).assign_timestamps_and_watermarks(
      watermark_strategy<number>::for_monotonous_timestamps().with_timestamp_assigner(
          [](const number& n) { return n; }));
}

std::vector<number> sorted(std::vector<number> values) {
  std::sort(values.begin(), values.end());
  return values;
}

/// Stands for a client library that answers by callback, in an order of its own and now and then
/// with an error.
struct callback_client {
  io_executor* io = nullptr;

  void open(operator_context& context) { io = &context.io(); }
  void operator()(const number& n, result_future<number> future) {
    io->submit(
        [n, future] {
          if (n % 7 == 0)
            future.complete_all({});
          else
            future.complete(n * 2);
        },
        [] {});
  }
};

struct page {
  std::string url;
};
struct reply {
  std::string body;
  int status = 200;
};
/// Answers, or does not, whenever it likes.
struct http_client {
  std::shared_ptr<std::vector<std::function<void(reply)>>> unanswered =
      std::make_shared<std::vector<std::function<void(reply)>>>();

  void get(const std::string& url, std::function<void(reply)> then) const {
    if (url == "silent")
      unanswered->push_back(std::move(then));
    else
      then({"<" + url + ">"});
  }
};

}  // namespace

TEST_CASE("ordered async results agree with a map, in order, through back pressure") {
  std::vector<number> expected(200);
  std::iota(expected.begin(), expected.end(), 2);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    auto env = make_env(seed);
    if (seed % 2 == 0) env.disable_operator_chaining();
    const auto results = timed(env, 200).async_map_ordered(
        [](const number& n) { return n + 1; }, {.timeout = 1min,
                                                .capacity = std::uint32_t(seed % 9 + 1),
                                                .threads = std::uint32_t(seed % 5 + 1)});
    const auto log = std::make_shared<test::time_log>();
    CHECK(test::probed(results, log).execute_and_collect() == expected);
    CHECK(log->late == 0);
    CHECK(log->untimed == 0);
    CHECK(log->ends == 1);
  }
}

TEST_CASE("unordered async results are complete and never late, in parallel") {
  std::vector<number> expected;
  for (number n = 1; n <= 300; ++n)
    if (n % 7 != 0) expected.push_back(n * 2);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    auto env = make_env(seed);
    env.set_parallelism(1 + seed % 4);
    if (seed % 3 == 0) env.disable_operator_chaining();
    const auto log = std::make_shared<test::time_log>();
    const auto results = timed(env, 300).rebalance().async_map_unordered(
        callback_client{}, {.capacity = std::uint32_t(seed % 20 + 1)});
    CHECK(sorted(test::probed(results, log).execute_and_collect()) == expected);
    CHECK(log->late == 0);
    CHECK(log->untimed == 0);
  }
}

TEST_CASE("two async operators of one chain hold everything back until both are through") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    auto env = make_env(seed);
    env.set_parallelism(1 + seed % 2);
    const auto twice = [](const number& n, async_context& context) -> async_task<number> {
      auto doubled = context.blocking([n] { return n * 2; });
      const auto half = co_await doubled;
      auto doubled_again = context.blocking([half] { return half * 2; });
      co_return co_await doubled_again;
    };
    auto results = timed(env, 100)
                       .async_map_unordered(twice, {.capacity = 5})
                       .async_map_ordered(twice, {.capacity = 3})
                       .execute_and_collect();
    std::vector<number> expected;
    for (number n = 1; n <= 100; ++n) expected.push_back(n * 16);
    CHECK(sorted(std::move(results)) == expected);
  }
}

TEST_CASE("a flaky service is asked until it answers") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    auto env = make_env(seed);
    const auto calls = std::make_shared<int>(0);
    const auto flaky = [calls](const number& n) {
      if (++*calls % 3 != 0) throw std::runtime_error("busy");
      return n;
    };
    // Which calls fail depends on the order of the calls: many retries, so that all are answered.
    const auto results = env.from_sequence(1, 50).async_map_ordered(
        flaky, {.capacity = 4, .retry = async_retry::fixed_delay(1000, 5ms)});
    CHECK(results.execute_and_collect().size() == 50);
    CHECK(*calls >= 150);
  }
}

TEST_CASE("a service that answers with nothing is asked again only if it is to be") {
  for (const bool is_patient : {true, false}) {
    auto env = make_env(1);
    const auto calls = std::make_shared<std::map<number, number>>();
    const auto hesitant = [calls](const number& n, result_future<number> future) {
      if (++(*calls)[n] < n)
        future.complete_all({});
      else
        future.complete(n);
    };
    const auto twice_more = async_retry::fixed_delay(2, 5ms);
    const auto answers = env.from_sequence(1, 4).async_map_ordered(
        hesitant, {.retry = is_patient ? twice_more.if_empty() : twice_more});
    const std::vector<number> wanted =
        is_patient ? std::vector<number>{1, 2, 3} : std::vector<number>{1};
    CHECK(answers.execute_and_collect() == wanted);
    // The fourth would have had an answer at the fourth attempt.
    CHECK((*calls)[4] == (is_patient ? 3 : 1));
  }
}

TEST_CASE("a request that fails, or takes too long, fails the job with the operator's name") {
  auto env = make_env(1);
  const auto ask = env.from_sequence(1, 3);
  SUBCASE("failed") {
    ask.async_map_ordered([](const number&) -> number { throw std::runtime_error("no route"); })
        .name("lookup")
        .discard();
    CHECK_THROWS_WITH_AS(env.execute(),
                         "operator 'lookup': the request for a record failed: no route", failure);
  }
  SUBCASE("too late") {
    auto kept = std::make_shared<std::vector<result_future<number>>>();
    ask.async_map_unordered(
           [kept](const number&, const result_future<number>& f) { kept->push_back(f); },
           {.timeout = 10s})
        .name("lookup")
        .discard();
    CHECK_THROWS_WITH_AS(env.execute(),
                         "operator 'lookup': there was no result for a record within 10000 ms: "
                         "allow more time, ask for less at a time (capacity), or say what to do "
                         "with such records (with_timeout_handler)",
                         failure);
  }
}

TEST_CASE("async options that make no sense are refused where they are given") {
  auto env = make_env(1);
  const auto numbers = env.from_sequence(1, 3);
  const auto same = [](const number& n) { return n; };
  CHECK_THROWS_WITH_AS(numbers.async_map_ordered(same, {.capacity = 0}),
                       "async_map: the capacity must be at least 1 record", failure);
  const auto of_texts = async_retry::fixed_delay(1, 1ms).if_result<std::string>(
      [](const std::string& s) { return s.empty(); });
  CHECK_THROWS_WITH_AS(numbers.async_map_ordered(same, {.retry = of_texts}),
                       "async_map: the predicate of retry.if_result<T> is for another type than "
                       "the function's results",
                       failure);
}

TEST_CASE("the guide's async functions do what it says") {
  auto env = make_env(3);
  const auto pages =
      env.from_elements(std::string("a"), std::string("silent"), std::string("b")).map([](auto& u) {
        return page{u};
      });
  const http_client http;

  const auto fetch = [http](const page& p, result_future<reply> future) {
    http.get(p.url, [future](reply r) { future.complete(std::move(r)); });
  };
  const auto with_default = with_timeout_handler(fetch, [](const page&) { return reply{"", 504}; });
  auto replies = pages.async_map_ordered(
      with_default,
      {.timeout = 2s,
       .capacity = 50,
       .retry = async_retry::exponential_backoff(3, 100ms, 1s).if_result<reply>([](const reply& r) {
         return r.status == 503;
       })});

  const auto scores = replies.async_map_unordered(
      [](const reply& r, async_context& context) -> async_task<async_results<number>> {
        auto measured = context.blocking([body = r.body] { return body.size(); });
        const auto size = co_await measured;
        if (r.status != 200) co_return async_results<number>{};
        co_return async_results<number>{{number(size), r.status}};
      });
  CHECK(sorted(scores.execute_and_collect()) == std::vector<number>{3, 3, 200, 200});
}

}  // namespace async_map_test
