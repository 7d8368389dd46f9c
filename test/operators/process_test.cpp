#include "millrace/operators/process.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "millrace/operators/co_process.hpp"
#include "millrace/operators/keyed_functions.hpp"
#include "millrace/operators/keyed_process.hpp"
#include "support/operator_harness.hpp"
#include "support/state_backends.hpp"

namespace process_test {

using namespace millrace;
using test::operator_harness;

namespace {

struct click {
  std::string user;
  std::int64_t amount = 0;
  bool operator==(const click&) const = default;
};

const output_tag<std::string> large("large");

/// Adds up per user; says the sum a second of event time after the first click, and forgets it.
struct sum_for_a_second : keyed_process_function<std::string, click, click> {
  value_state<std::int64_t> sum;

  void open(keyed_runtime_context<std::string>& context) override {
    sum = context.get_state(value_state_descriptor<std::int64_t>("sum"));
  }
  void process_element(const click& row, keyed_process_context<std::string>& now,
                       collector<click>&) override {
    if (!sum.has_value()) now.timer_service().register_event_time_timer(now.timestamp() + 1000);
    sum.get_or_default() += row.amount;
    if (row.amount >= 100) now.output(large, row.user);
  }
  void on_timer(timestamp_ms, on_timer_context<std::string>& now, collector<click>& out) override {
    CHECK(now.time_domain() == time_domain::event_time);
    out.emit({now.current_key(), sum.value()});
    sum.clear();
  }
};

/// Answers each number that is not deleted 10 ms later by the wall clock.
struct later : keyed_process_function<std::int64_t, std::int64_t, std::int64_t> {
  void process_element(const std::int64_t& row, keyed_process_context<std::int64_t>& now,
                       collector<std::int64_t>&) override {
    auto timers = now.timer_service();
    const auto base = timers.current_processing_time();
    timers.register_processing_time_timer(base + 10);
    if (row < 0) timers.delete_processing_time_timer(base + 10);
  }
  void on_timer(timestamp_ms at, on_timer_context<std::int64_t>& now,
                collector<std::int64_t>& out) override {
    CHECK(now.time_domain() == time_domain::processing_time);
    CHECK(now.timestamp() == at);
    CHECK(now.current_processing_time() >= at);
    out.emit(now.current_key());
  }
};

std::int64_t itself(const std::int64_t& n) {
  return n;
}

}  // namespace

TEST_CASE("a keyed process function has state and event-time timers of its own for each key") {
  for (const auto& [name, backend] : test::all_state_backends()) {
    CAPTURE(name);
    operator_harness<click, click> op(
        make_keyed_process<click, click>(&click::user, sum_for_a_second{}), {}, backend);
    const auto& told = op.listen(large);
    op.open();
    op.process_timed({{"a", 1}, {"b", 10}, {"a", 2}, {"c", 100}}, {1000, 1500, 1900, 3000},
                     rows_access::shared);
    CHECK(op.take().empty());
    CHECK(told == std::vector<std::string>{"c"});
    op.advance_to(1999);
    CHECK(op.take().empty());
    op.advance_to(2500);
    CHECK(op.timestamps() == timestamp_column{2000, 2500});
    CHECK(op.take() == std::vector<click>{{"a", 3}, {"b", 10}});
    op.process_timed({{"a", 7}}, {2600});
    op.finish();
    CHECK(op.take() == std::vector<click>{{"a", 7}, {"c", 100}});
    CHECK(op.watermarks() == std::vector<timestamp_ms>{1999, 2500});
  }
}

TEST_CASE("what timers emit precedes the watermark that made them fire") {
  operator_harness<click, click> op(
      make_keyed_process<click, click>(&click::user, sum_for_a_second{}));
  op.open();
  op.process_timed({{"a", 1}}, {0});
  op.advance_to(1000);
  CHECK(op.timestamps() == timestamp_column{1000});
  CHECK(op.watermarks() == std::vector<timestamp_ms>{1000});
}

TEST_CASE("processing-time timers fire by the wall clock unless they were deleted") {
  operator_harness<std::int64_t, std::int64_t> op(
      make_keyed_process<std::int64_t, std::int64_t>(&itself, later{}));
  op.open();
  CHECK(op.woken_at() == std::chrono::steady_clock::time_point::max());
  op.process({1, 2, -3, 1});
  CHECK(op.woken_at() != std::chrono::steady_clock::time_point::max());
  op.pass_time(std::chrono::milliseconds(9));
  CHECK(op.take().empty());
  op.pass_time(std::chrono::milliseconds(1));
  auto got = op.take();
  std::sort(got.begin(), got.end());
  CHECK(got == std::vector<std::int64_t>{1, 2});
  op.process({4});
  op.finish();
  CHECK(op.take().empty());
  CHECK(op.runtime().metric("processing_time_timers_dropped").value() == 1);
}

TEST_CASE("in batch mode the timers that are left fire at the end, but not those they register") {
  /// Answers each time after which there is another one.
  struct again : later {
    void on_timer(timestamp_ms at, on_timer_context<std::int64_t>& now,
                  collector<std::int64_t>& out) override {
      CHECK(now.time_domain() == time_domain::processing_time);
      out.emit(now.current_key());
      now.timer_service().register_processing_time_timer(at + 10);
    }
  };
  runtime_context::identity self;
  self.mode = runtime_mode::batch;
  operator_harness<std::int64_t, std::int64_t> op(
      make_keyed_process<std::int64_t, std::int64_t>(&itself, again{}), self);
  op.open();
  op.process({1, 2, -3});
  op.pass_time(std::chrono::milliseconds(10));
  CHECK(op.take().size() == 2);
  op.finish();
  CHECK(op.take().size() == 2);
  CHECK(op.runtime().metric("processing_time_timers_dropped").value() == 2);
}

TEST_CASE("what timers register at the end of a batch job in event time fires, too") {
  struct in_event_time : later {
    void on_timer(timestamp_ms at, on_timer_context<std::int64_t>& now,
                  collector<std::int64_t>& out) override {
      auto timers = now.timer_service();
      if (now.time_domain() == time_domain::processing_time)
        timers.register_event_time_timer(at + 1'000);
      else
        out.emit(now.current_key());
      timers.register_processing_time_timer(at + 10);
    }
  };
  runtime_context::identity self;
  self.mode = runtime_mode::batch;
  operator_harness<std::int64_t, std::int64_t> op(
      make_keyed_process<std::int64_t, std::int64_t>(&itself, in_event_time{}), self);
  op.open();
  op.process({1, 2});
  op.advance_to(max_watermark);
  CHECK(op.take().empty());
  op.finish();
  CHECK(op.take().size() == 2);
  CHECK(op.runtime().metric("processing_time_timers_dropped").value() == 4);
}

TEST_CASE("processing-time timers go on after a restart, those whose time has passed at once") {
  for (const auto& [name, backend] : test::all_state_backends()) {
    CAPTURE(name);
    using harness = operator_harness<std::int64_t, std::int64_t>;
    const auto factory = make_keyed_process<std::int64_t, std::int64_t>(&itself, later{});
    std::vector<encoded_key_group> saved;
    {
      harness op(factory, {}, backend);
      op.open();
      op.process({1});
      op.pass_time(std::chrono::milliseconds(10));
      CHECK(op.take() == std::vector<std::int64_t>{1});  // and never again
      op.process({2, 3});
      op.pass_time(std::chrono::milliseconds(4));
      op.process({4});
      saved = op.keyed_snapshot();
    }
    const auto sorted_rows = [](harness& op) {
      auto got = op.take();
      std::sort(got.begin(), got.end());
      return got;
    };
    for (const auto down_time : {2, 8, 1'000'000}) {
      CAPTURE(down_time);
      harness op(factory, {}, backend);
      op.pass_time(std::chrono::milliseconds(14 + down_time));
      op.keyed_state().restore(saved);
      op.open();  // no record comes
      CHECK(op.take().empty());
      op.pass_time(std::chrono::milliseconds(0));
      const auto at_once = sorted_rows(op);
      if (down_time < 6)
        CHECK(at_once.empty());
      else if (down_time < 10)
        CHECK(at_once == std::vector<std::int64_t>{2, 3});
      else
        CHECK(at_once == std::vector<std::int64_t>{2, 3, 4});
      op.pass_time(std::chrono::hours(1));
      auto all = at_once;
      for (const auto row : sorted_rows(op)) all.push_back(row);
      CHECK(all == std::vector<std::int64_t>{2, 3, 4});
    }
  }
}

TEST_CASE("no timer fires once the function is closed") {
  operator_harness<std::int64_t, std::int64_t> op(
      make_keyed_process<std::int64_t, std::int64_t>(&itself, later{}));
  op.open();
  op.process({1, 2});
  op.finish();
  op.pass_time(std::chrono::hours(1));  // while others of its chain still work
  CHECK(op.take().empty());
  CHECK(op.runtime().metric("processing_time_timers_dropped").value() == 2);
}

TEST_CASE("a lambda will do where neither state nor timers are needed") {
  const output_tag<std::int64_t> odd("odd");
  operator_harness<std::int64_t, std::int64_t> op(make_process<std::int64_t, std::int64_t>(
      [odd](const std::int64_t& n, process_context& now, collector<std::int64_t>& out) {
        if (n % 2 != 0)
          now.output(odd, n);
        else
          out.emit(now.timestamp() + now.current_watermark());
      }));
  const auto& odds = op.listen(odd);
  op.open();
  op.advance_to(5);
  op.process_timed({1, 2, 3}, {10, 20, 30});
  CHECK(op.take() == std::vector<std::int64_t>{25});
  CHECK(odds == std::vector<std::int64_t>{1, 3});
}

TEST_CASE("what goes to a side output that nobody reads is dropped") {
  const output_tag<std::int64_t> unread("unread");
  operator_harness<std::int64_t, std::int64_t> op(make_process<std::int64_t, std::int64_t>(
      [unread](const std::int64_t& n, process_context& now, collector<std::int64_t>& out) {
        now.output(unread, n);
        out.emit(n);
      }));
  op.open();
  op.process({1, 2});
  CHECK(op.take() == std::vector<std::int64_t>{1, 2});
}

TEST_CASE("a tag's name stands for one type within an operator") {
  operator_harness<std::int64_t, std::int64_t> op(make_process<std::int64_t, std::int64_t>(
      [](const std::int64_t& n, process_context& now, collector<std::int64_t>&) {
        now.output(output_tag<std::int64_t>("side"), n);
        now.output(output_tag<std::string>("side"), "text");
      }));
  op.open();
  CHECK_THROWS_WITH_AS(
      op.process({1}),
      "side output 'side' is used for records of i64 and of str; give each type a tag of its own",
      failure);
}

TEST_CASE("an output tag needs a name") {
  CHECK_THROWS_WITH_AS(output_tag<int>(""),
                       "an output tag needs a name: the side output is found by it", failure);
}

namespace {

/// Lets a key's first record through, and each record that is larger than all before.
struct records_only : rich_function {
  value_state<std::int64_t> most;

  void open(keyed_runtime_context<std::string>& context) {
    most = context.get_state(value_state_descriptor<std::int64_t>("most", -1));
  }
  bool operator()(const click& row) {
    if (row.amount <= most.value()) return false;
    most.update(row.amount);
    return true;
  }
};

/// Joins each click with the name that was last said for its user.
struct with_names : keyed_co_process_function<std::string, click,
                                              std::pair<std::string, std::string>, std::string> {
  using named = std::pair<std::string, std::string>;
  value_state<std::string> name;

  void open(keyed_runtime_context<std::string>& context) override {
    name = context.get_state(value_state_descriptor<std::string>("name", "?"));
  }
  void process_element1(const click& row, keyed_process_context<std::string>&,
                        collector<std::string>& out) override {
    out.emit(name.value() + std::to_string(row.amount));
  }
  void process_element2(const named& row, keyed_process_context<std::string>& now,
                        collector<std::string>&) override {
    name.update(row.second);
    now.timer_service().register_event_time_timer(100);
  }
  void on_timer(timestamp_ms, on_timer_context<std::string>&, collector<std::string>&) override {
    name.clear();
  }
};

template <class T>
void feed(stream_operator& op, std::size_t input, std::vector<T> rows) {
  typed_batch_ptr<T> in(new typed_batch<T>);
  in->rows.assign(rows.begin(), rows.end());
  op.process(input, *in, rows_access::exclusive);
}

}  // namespace

TEST_CASE("a filter on a keyed stream may have state") {
  operator_harness<click, click> op(make_keyed_process<click, click>(
      &click::user, detail::filtering<records_only>{{records_only{}}}));
  op.open();
  op.process({{"a", 5}, {"b", 1}, {"a", 5}, {"a", 6}, {"b", 0}});
  CHECK(op.take() == std::vector<click>{{"a", 5}, {"b", 1}, {"a", 6}});
}

TEST_CASE("two keyed streams share state and timers") {
  const auto name_of = [](const with_names::named& row) { return row.first; };
  operator_harness<click, std::string> op(
      make_keyed_co_process<click, with_names::named, std::string>(&click::user, name_of,
                                                                   with_names{}));
  op.open();
  feed<click>(op.op(), 0, {{"a", 1}});
  feed<with_names::named>(op.op(), 1, {{"a", "Ann"}, {"b", "Bob"}});
  feed<click>(op.op(), 0, {{"a", 2}, {"b", 3}, {"c", 4}});
  CHECK(op.take() == std::vector<std::string>{"?1", "Ann2", "Bob3", "?4"});
  op.advance_to(100);
  feed<click>(op.op(), 0, {{"a", 5}});
  CHECK(op.take() == std::vector<std::string>{"?5"});
}

}  // namespace process_test
