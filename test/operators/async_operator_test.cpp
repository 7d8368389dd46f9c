#include "millrace/operators/async_operator.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>

#include "support/local_pipeline.hpp"
#include "support/operator_harness.hpp"
#include "support/stream_jobs.hpp"

namespace async_operator_test {

using namespace millrace;
using namespace std::chrono_literals;
using test::operator_harness;

namespace {

using number = std::int64_t;
using numbers = std::vector<number>;
using harness = operator_harness<number, number>;

/// Keeps what it is asked; the test answers.
struct asked_callback {
  std::shared_ptr<std::map<number, result_future<number>>> waiting =
      std::make_shared<std::map<number, result_future<number>>>();
  std::shared_ptr<int> calls = std::make_shared<int>(0);

  void operator()(const number& n, result_future<number> future) {
    ++*calls;
    waiting->insert_or_assign(n, std::move(future));
  }

  void answer(harness& op, number n) const {
    waiting->at(n).complete(n * 10);
    waiting->erase(n);
    settle(op);
  }
  static void settle(harness& op) {
    op.manual().run_all();
    op.pass_time(0ms);
  }
};

template <class Fn>
harness make(Fn fn, async_order order, const async_options& options = {}) {
  return harness(make_async<number, number>(std::move(fn), order, options));
}

}  // namespace

TEST_CASE("ordered results keep the order and the timestamps of the records") {
  asked_callback ask;
  auto op = make(ask, async_order::ordered);
  op.open();
  op.process_timed({1, 2, 3}, {100, 200, 300});
  ask.answer(op, 3);
  ask.answer(op, 2);
  CHECK(op.take().empty());
  ask.answer(op, 1);
  CHECK(op.timestamps() == timestamp_column{100, 200, 300});
  CHECK(op.take() == numbers{10, 20, 30});
}

TEST_CASE("unordered results come as they are there, and watermarks stay behind their records") {
  asked_callback ask;
  auto op = make(ask, async_order::unordered);
  op.open();
  op.process({1, 2});
  op.advance_to(500);
  op.op().on_status(stream_status::idle);
  op.process({3});
  ask.answer(op, 3);
  ask.answer(op, 2);
  CHECK(op.take() == numbers{20});
  CHECK(op.watermarks().empty());
  ask.answer(op, 1);
  CHECK(op.take() == numbers{10, 30});
  CHECK(op.watermarks() == std::vector<timestamp_ms>{500});
  CHECK(op.statuses() == std::vector{stream_status::idle});
}

TEST_CASE("a full operator is busy, and asks for no more than its capacity at a time") {
  asked_callback ask;
  auto op = make(ask, async_order::unordered, {.capacity = 2});
  op.open();
  op.process({1});
  CHECK_FALSE(op.op().is_busy());
  op.process({2, 3, 4});
  CHECK(op.op().is_busy());
  CHECK(*ask.calls == 2);
  ask.answer(op, 2);
  CHECK(*ask.calls == 3);
  CHECK(op.op().is_busy());
  ask.answer(op, 1);
  ask.answer(op, 3);
  CHECK_FALSE(op.op().is_busy());
  op.op().end_input(0);
  CHECK(op.op().is_busy());  // until the last result is out
  ask.answer(op, 4);
  CHECK_FALSE(op.op().is_busy());
  CHECK(op.take() == numbers{20, 10, 30, 40});
}

TEST_CASE("results are given by any number of records, and only the first time") {
  const auto several = [](const number& n, result_future<number> future) {
    future.complete_all(numbers(static_cast<std::size_t>(n), n));
    future.complete(99);
    future.fail(std::string("too late"));
  };
  auto op = make(several, async_order::ordered);
  op.open();
  op.process({0, 1, 2});
  asked_callback::settle(op);
  CHECK(op.take() == numbers{1, 2, 2});
}

TEST_CASE("blocking functions run by the I/O executor, so many at a time") {
  auto op = make([](const number& n) { return n + 1; }, async_order::ordered, {.threads = 2});
  op.open();
  op.process({1, 2, 3});
  CHECK(op.manual().size() == 2);
  op.manual().run(1);
  CHECK(op.manual().size() == 2);
  asked_callback::settle(op);
  CHECK(op.take() == numbers{2, 3, 4});
}

TEST_CASE("a failed request fails the operator, and says why") {
  const auto expect = [](auto fn, const char* message) {
    auto op = make(fn, async_order::unordered);
    op.open();
    op.process({1});
    op.manual().run_all();
    CHECK_THROWS_WITH_AS(op.pass_time(0ms), message, failure);
  };
  expect([](const number&) -> number { throw std::runtime_error("no route"); },
         "the request for a record failed: no route");
  expect([](const number&, const result_future<number>& f) { f.fail(std::string("status 500")); },
         "the request for a record failed: status 500");
  expect([](const number&, const result_future<number>&) {},
         "the request for a record failed: the function let go of its promise without giving a "
         "result");
  expect(
      [](const number&, async_context& context) -> async_task<number> {
        auto broken = context.blocking([]() -> number { throw failure(errc::io, "disk on fire"); });
        co_return co_await broken;
      },
      "the request for a record failed: disk on fire");
}

TEST_CASE("a request whose time is up fails the operator, or is answered by the handler") {
  SUBCASE("without a handler") {
    asked_callback ask;
    auto op = make(ask, async_order::ordered, {.timeout = 100ms});
    op.open();
    op.process({1});
    op.pass_time(99ms);
    CHECK_THROWS_WITH_AS(op.pass_time(1ms),
                         "there was no result for a record within 100 ms: allow more time, ask for "
                         "less at a time (capacity), or say what to do with such records "
                         "(with_timeout_handler)",
                         failure);
  }
  SUBCASE("with one") {
    asked_callback ask;
    auto op = make(with_timeout_handler(ask, [](const number& n) { return -n; }),
                   async_order::ordered, {.timeout = 100ms});
    op.open();
    op.process({1, 2});
    ask.answer(op, 2);
    op.pass_time(100ms);
    CHECK(op.take() == numbers{-1, 20});
    op.process({3});
    ask.answer(op, 1);  // nobody waits for it
    CHECK(op.take().empty());
    ask.answer(op, 3);
    CHECK(op.take() == numbers{30});
  }
}

TEST_CASE("requests are tried again after errors and after results that won't do") {
  asked_callback ask;
  const auto retry = async_retry::exponential_backoff(3, 10ms, 25ms)
                         .if_error([](const error& e) { return e.message != "never"; })
                         .if_result<number>([](const number& n) { return n == 0; });
  auto op = make(ask, async_order::ordered, {.timeout = 1s, .retry = retry});
  op.open();
  op.process({1});
  const auto fail = [&](const std::string& why) {
    ask.waiting->at(1).fail(why);
    ask.waiting->clear();
    asked_callback::settle(op);
  };
  fail("busy");
  op.pass_time(9ms);
  CHECK(*ask.calls == 1);
  op.pass_time(1ms);
  CHECK(*ask.calls == 2);
  ask.waiting->at(1).complete(0);
  ask.waiting->clear();
  asked_callback::settle(op);
  op.pass_time(20ms);
  CHECK(*ask.calls == 3);
  SUBCASE("until one does") {
    fail("busy");
    op.pass_time(25ms);
    CHECK(*ask.calls == 4);
    ask.answer(op, 1);
    CHECK(op.take() == numbers{10});
  }
  SUBCASE("but not for ever") {
    fail("busy");
    op.pass_time(25ms);
    CHECK_THROWS_WITH_AS(fail("busy"), "the request for a record failed in 4 attempts: busy",
                         failure);
  }
  SUBCASE("and not for every error") {
    CHECK_THROWS_WITH_AS(fail("never"), "the request for a record failed in 3 attempts: never",
                         failure);
  }
}

TEST_CASE("a coroutine waits several times, in its task") {
  const auto twice = [](const number& n, async_context& context) -> async_task<number> {
    auto more = context.blocking([n] { return n + 1; });
    auto other = context.blocking([n] { return n * 1000; });
    const number next = co_await more;
    auto hundreds = context.promised<number>(
        [next](const async_promise<number>& p) { p.complete(next * 100); });
    const auto sum = co_await other + co_await hundreds;
    if (sum != 2300) co_return sum;
    auto three = context.blocking([] { return number(3); });
    co_return co_await three;
  };
  auto op = make(twice, async_order::ordered);
  op.open();
  op.process({1, 2, 3});
  asked_callback::settle(op);
  CHECK(op.take() == numbers{1200, 3, 3400});
}

TEST_CASE("coroutines and calls go with the operator, wherever they wait") {
  const auto alive = std::make_shared<int>();
  const auto wait = [alive](const number& n, async_context& context) -> async_task<number> {
    const auto mine = alive;
    auto call = context.blocking([mine] {});
    co_await call;
    co_return n;
  };
  {
    auto op = make(wait, async_order::ordered, {.threads = 1});
    op.open();
    op.process({1, 2, 3});
    op.manual().run();
    op.close();
    op.manual().run_all_without_completion();
  }
  CHECK(alive.use_count() == 2);  // ours and the function's
}

TEST_CASE("a function is closed when its last request has left, and not before") {
  struct closed_callback : asked_callback {
    std::shared_ptr<int> closed = std::make_shared<int>(0);
    void close() {
      ++*closed;
      throw std::runtime_error("the connection was lost");
    }
  };
  closed_callback ask;
  operator_harness<number, number> op(
      make_async<number, number>(ask, async_order::ordered, async_options{}));
  op.open();
  op.process({1, 2});
  // As in a chain, which asks for the end at once.
  op.advance_to(max_watermark);
  op.op().end_input(0);
  CHECK_FALSE(op.op().finish());
  CHECK(op.op().is_busy());
  ask.answer(op, 1);
  CHECK_FALSE(op.op().finish());
  CHECK(*ask.closed == 0);
  ask.answer(op, 2);
  CHECK_FALSE(op.op().is_busy());
  CHECK_THROWS_WITH_AS(op.op().finish(), "the connection was lost", std::runtime_error);
  CHECK(*ask.closed == 1);
  CHECK(op.take() == numbers{10, 20});
}

TEST_CASE("what is under way is asked for again after a restore") {
  asked_callback ask;
  std::vector<pending_request<number>> saved;
  {
    auto op = make(ask, async_order::ordered, {.capacity = 2});
    op.open();
    op.process_timed({1, 2, 3}, {100, 200, 300});
    ask.answer(op, 2);
    saved = dynamic_cast<async_operator<number, number, asked_callback>&>(op.op()).pending();
  }
  CHECK(decode_bytes<std::vector<pending_request<number>>>(encode_to_bytes(saved)).has_value());
  auto op = make(ask, async_order::ordered);
  op.open();
  dynamic_cast<async_operator<number, number, asked_callback>&>(op.op()).resubmit(saved);
  op.process({4});
  for (number n : {4, 3, 2, 1}) ask.answer(op, n);
  CHECK(op.take() == numbers{10, 20, 30, 40});
}

TEST_CASE("a full operator holds up no barrier, and its snapshot has all that has not left") {
  for (const auto order : {async_order::ordered, async_order::unordered}) {
    asked_callback ask;
    std::vector<saved_operator_state> saved;
    {
      auto op = make(ask, order, {.capacity = 2});
      op.open();
      op.process_timed({1, 2, 3}, {100, 200, 300});
      // Answered, but not emitted: the task has not gone on since.
      ask.waiting->at(2).complete(20);
      op.manual().run_all();
      CHECK(op.op().is_busy());
      CHECK(op.op().lets_barriers_pass());
      saved = op.checkpoint({1});
      CHECK(op.op().is_busy());
      CHECK(op.take().empty());
      op.op().end_input(0);
      CHECK_FALSE(op.op().lets_barriers_pass());  // the end waits for all of them
    }
    asked_callback again;
    auto op = make(again, order, {.capacity = 2});
    op.restore(saved);
    op.open();
    op.pass_time(0ms);
    CHECK(op.op().is_busy());
    CHECK(*again.calls == 2);
    for (number n : {1, 2, 3}) again.answer(op, n);
    CHECK(op.timestamps() == timestamp_column{100, 200, 300});
    CHECK(op.take() == numbers{10, 20, 30});
    CHECK(*again.calls == 3);
  }
}

TEST_CASE("requests that nobody answers hold up no checkpoint, and are asked again after it") {
  constexpr number end = 200;
  constexpr std::uint32_t capacity = 3;
  // In one task with the source, which is told of the checkpoint; and behind an exchange, where
  // barriers have to overtake the records that a full operator does not take.
  for (const auto alignment : {barrier_alignment::exactly_once, barrier_alignment::unaligned}) {
    for (const auto order : {async_order::ordered, async_order::unordered}) {
      bool is_answering = false;
      number next = 0;  // of the source, which goes on where it was
      numbers came;
      std::vector<result_future<number>> unanswered;
      const auto ask = [&](const number& n, const result_future<number>& answer) {
        if (is_answering)
          answer.complete(n);
        else
          unanswered.push_back(answer);
      };
      test::job_maker make;
      test::script emit, note;
      emit.on_poll = [&](collector<number>& out) {
        for (int i = 0; i < 5 && next < end; ++i) out.emit(next++);
        return next < end ? poll_status::more : poll_status::finished;
      };
      note.map = [&](number n) {
        came.push_back(n);
        return n;
      };
      const auto source = make.source("source", emit);
      const auto asking = make.op("ask");
      make.connect(source, asking,
                   alignment == barrier_alignment::unaligned ? graph::partitioning::rebalance
                                                             : graph::partitioning::forward);
      make.connect(asking, make.sink("sink", note));
      make.program->operators[asking] =
          make_async<number, number>(ask, order, {.capacity = capacity});
      test::memory_files files;
      test::pipeline_settings settings;
      settings.tasks.is_checkpointed = true;
      settings.checkpoints_permille = 1000;  // or nothing would happen any more
      settings.alignment = alignment;
      settings.channel_bytes = 256;
      test::local_pipeline stuck(make.build(), make.program, files, settings);
      CHECK_FALSE(stuck.run_some(3000));
      CHECK(unanswered.size() == capacity);
      CHECK(next < end);
      CHECK(came.empty());
      REQUIRE(stuck.checkpoints_completed() > 10);

      const auto from = stuck.last_checkpoint();
      is_answering = true;
      settings.checkpoints_permille = 20;
      test::local_pipeline again(make.build(), make.program, files, settings, &from);
      again.run();
      if (order == async_order::unordered) std::sort(came.begin(), came.end());
      numbers expected;
      for (number n = 0; n < end; ++n) expected.push_back(n);
      CHECK(came == expected);
    }
  }
}

TEST_CASE("options that make no sense are refused") {
  CHECK(check_async_options({}).has_value());
  CHECK_FALSE(check_async_options({.capacity = 0}).has_value());
  CHECK_FALSE(check_async_options({.threads = 0}).has_value());
  CHECK_FALSE(check_async_options({.timeout = -1ms}).has_value());
  CHECK_FALSE(check_async_options({.retry = async_retry::fixed_delay(1, -1ms)}).has_value());
  CHECK_FALSE(
      check_async_options({.retry = async_retry::exponential_backoff(1, 1ms, 2ms, 0)}).has_value());
  CHECK(async_retry::exponential_backoff(9, 1ms, 1h).delay_after(4000) == 1h);
}

}  // namespace async_operator_test
