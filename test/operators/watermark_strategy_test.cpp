#include "millrace/operators/watermark_strategy.hpp"

#include <doctest/doctest.h>

#include "millrace/operators/event_time_tracker.hpp"
#include "millrace/operators/split_watermarks.hpp"
#include "millrace/operators/timestamps_and_watermarks.hpp"
#include "support/operator_harness.hpp"

namespace watermark_strategy_test {

using namespace millrace;
using namespace std::chrono_literals;
using test::operator_harness;

namespace {

struct click {
  std::int64_t at = 0;
  std::int32_t user = 0;
  bool operator==(const click&) const = default;
};

using strategy = watermark_strategy<click>;
using click_harness = operator_harness<click, click>;

constexpr auto both = {rows_access::shared, rows_access::exclusive};

std::vector<click> at(std::vector<std::int64_t> times) {
  std::vector<click> clicks;
  for (const auto t : times) clicks.push_back({t, 0});
  return clicks;
}

/// A watermark behind each record of user 1.
struct punctuated {
  void on_event(const click& c, timestamp_ms timestamp, watermark_output& out) {
    if (c.user == 1) out.emit_watermark(timestamp);
  }
  void on_periodic_emit(watermark_output&) {}
};

template <class Fn>
timestamp_column assigned(Fn fn, const row_vector<click>& rows, timestamp_column before = {}) {
  strategy::no_watermarks().with_timestamp_assigner(fn).assigner()->assign(rows, before);
  return before;
}

}  // namespace

TEST_CASE("timestamps come from members, functions and time points") {
  const row_vector<click> rows{{1500, 1}, {-1, 2}};
  CHECK(assigned(&click::at, rows) == timestamp_column{1500, -1});
  CHECK(assigned([](const click& c) { return c.at + 1; }, rows) == timestamp_column{1501, 0});
  CHECK(assigned(
            [](const click& c) {
              return std::chrono::system_clock::time_point(std::chrono::microseconds(c.at));
            },
            rows) == timestamp_column{1, -1});
  CHECK(assigned([](const click& c) { return std::chrono::seconds(c.at); }, rows) ==
        timestamp_column{1'500'000, -1000});
  const auto of_old = [](const click& c, timestamp_ms before) {
    return before == no_timestamp ? c.at : before;
  };
  CHECK(assigned(of_old, rows) == timestamp_column{1500, -1});
  CHECK(assigned(of_old, rows, {7, no_timestamp}) == timestamp_column{7, -1});
}

TEST_CASE("event time follows the greatest timestamp at the distance of the strategy") {
  for (const auto access : both) {
    click_harness op(make_timestamps_and_watermarks(
        strategy::for_bounded_out_of_orderness(100ms).with_timestamp_assigner(&click::at)));
    op.open();
    op.process(at({1000, 900, 1200, 1100}), access);
    CHECK(op.timestamps() == timestamp_column{1000, 900, 1200, 1100});
    CHECK(op.take() == at({1000, 900, 1200, 1100}));
    CHECK(op.watermarks().empty());
    op.pass_time(200ms);
    CHECK(op.watermarks() == std::vector<timestamp_ms>{1099});
    op.pass_time(1s);
    CHECK(op.watermarks() == std::vector<timestamp_ms>{1099});
    op.process(at({1000}), access);
    op.process(at({1500}), access);
    op.pass_time(200ms);
    CHECK(op.watermarks() == std::vector<timestamp_ms>{1099, 1399});
  }
}

TEST_CASE("of ascending timestamps the last one may come again") {
  click_harness op(make_timestamps_and_watermarks(
      strategy::for_monotonous_timestamps().with_timestamp_assigner(&click::at)));
  op.open();
  op.process(at({5, 6}));
  op.pass_time(200ms);
  CHECK(op.watermarks() == std::vector<timestamp_ms>{5});
}

TEST_CASE("extreme timestamps do not overflow") {
  bounded_out_of_orderness how(1000);
  watermark_output out;
  how.on_events({no_timestamp, no_timestamp + 5}, 0);
  how.on_periodic_emit(out);
  CHECK(out.watermark() == no_timestamp);
  how.on_events({max_watermark}, 0);
  how.on_periodic_emit(out);
  CHECK(out.watermark() == max_watermark - 1001);
}

TEST_CASE("records keep the timestamps that they have if the strategy assigns none") {
  click_harness op(make_timestamps_and_watermarks(strategy::for_monotonous_timestamps()));
  op.open();
  op.process_timed(at({5, 6}), {50, 60});
  CHECK(op.timestamps() == timestamp_column{50, 60});
  op.pass_time(200ms);
  CHECK(op.watermarks() == std::vector<timestamp_ms>{59});
}

TEST_CASE("watermarks and idleness from upstream are replaced, but not the end of time") {
  click_harness op(make_timestamps_and_watermarks(strategy::for_monotonous_timestamps()));
  op.open();
  op.advance_to(77);
  op.op().on_status(stream_status::idle);
  CHECK(op.watermarks().empty());
  CHECK(op.statuses().empty());
}

TEST_CASE("in batch mode there are timestamps, but no watermark before the end") {
  runtime_context::identity self;
  self.mode = runtime_mode::batch;
  const auto by_time = [](const strategy& how) {
    return how.with_timestamp_assigner(&click::at)
        .with_idleness(1s)
        .with_watermark_alignment("group", 10ms, 100ms);
  };
  for (const auto& how : {by_time(strategy::for_monotonous_timestamps()),
                          by_time(strategy::for_generator(punctuated{}))}) {
    click_harness op(make_timestamps_and_watermarks(how), self);
    op.open();
    op.process({{1000, 1}, {900, 1}});
    CHECK(op.timestamps() == timestamp_column{1000, 900});
    op.op().on_alignment_limit("group", 0);
    CHECK_FALSE(op.op().is_busy());
    op.pass_time(5s);
    CHECK(op.watermarks().empty());
    CHECK(op.statuses().empty());
    CHECK(op.alignment_reports().empty());
  }
  click_harness op(make_timestamps_and_watermarks(strategy::for_ingestion_time()), self);
  op.open();
  op.process(at({1}));
  CHECK(op.timestamps() == timestamp_column{op.time().wall_ms()});
  op.pass_time(5s);
  CHECK(op.watermarks().empty());
}

TEST_CASE("a generator of the user's can emit a watermark behind any record") {
  for (const auto access : both) {
    std::vector<std::string> seen;
    struct order : batch_consumer {
      explicit order(std::vector<std::string>& all) : seen(all) {}
      void consume(batch& rows, rows_access) override {
        for (const auto& c : rows_of<click>(rows)) seen.push_back(std::to_string(c.at));
      }
      void on_watermark(timestamp_ms at) override { seen.push_back("w" + std::to_string(at)); }
      std::vector<std::string>& seen;
    } consumer(seen);
    const auto factory = make_timestamps_and_watermarks(
        strategy::for_generator(punctuated{}).with_timestamp_assigner(&click::at));
    click_harness world(factory);
    const auto op = factory->create();
    output out;
    out.add(consumer);
    op->bind_output(out, {});
    op->open(world);
    typed_batch_ptr<click> rows(new typed_batch<click>);
    rows->rows = {{1, 0}, {2, 1}, {3, 1}, {4, 0}};
    op->process(0, *rows, access);
    CHECK(seen == std::vector<std::string>{"1", "2", "w2", "3", "w3", "4"});
  }
}

TEST_CASE("a generator of the user's is asked each interval, too") {
  struct counting {
    timestamp_ms rows = 0;
    void on_event(const click&, timestamp_ms, watermark_output&) { ++rows; }
    void on_periodic_emit(watermark_output& out) { out.emit_watermark(rows); }
  };
  click_harness op(make_timestamps_and_watermarks(strategy::for_generator(counting{})));
  op.open();
  op.process(at({5, 6, 7}));
  CHECK(op.watermarks().empty());
  op.pass_time(400ms);
  op.process(at({8}));
  op.pass_time(200ms);
  CHECK(op.watermarks() == std::vector<timestamp_ms>{3, 4});
}

TEST_CASE("ingestion time is the clock's, with records and without") {
  click_harness op(make_timestamps_and_watermarks(strategy::for_ingestion_time()));
  op.open();
  const auto start = op.time().wall_ms();
  op.process_timed(at({5, 6}), {1, 2}, rows_access::shared);
  CHECK(op.timestamps() == timestamp_column{start, start});
  op.pass_time(400ms);
  CHECK(op.watermarks() == std::vector<timestamp_ms>{start + 199, start + 399});
  op.take();
  op.process(at({7}));
  CHECK(op.timestamps() == timestamp_column{start + 400});
  CHECK_THROWS_AS(strategy::for_ingestion_time().with_timestamp_assigner(&click::at), failure);
}

TEST_CASE("ingestion time does not go back with the clock") {
  struct settable final : clock {
    std::int64_t wall = 1000;
    std::chrono::steady_clock::time_point now() const noexcept override { return {}; }
    std::int64_t wall_ms() const noexcept override { return wall; }
  } time;
  event_time_tracker<click> tracker(strategy::for_ingestion_time(), 200ms, time);
  tracker.on_interval(time.now());
  CHECK(tracker.out().watermark() == 999);
  time.wall = 400;
  timestamp_column timestamps;
  tracker.begin({{1, 1}}, timestamps);
  CHECK(timestamps == timestamp_column{1000});
}

TEST_CASE("a stream without records for long enough is idle until the next one") {
  click_harness op(make_timestamps_and_watermarks(
      strategy::for_monotonous_timestamps().with_timestamp_assigner(&click::at).with_idleness(1s)));
  op.open();
  op.process(at({10}));
  op.pass_time(1100ms);
  CHECK(op.statuses().empty());
  op.pass_time(300ms);
  CHECK(op.statuses() == std::vector<stream_status>{stream_status::idle});
  op.process(at({20}));
  CHECK(op.statuses() == std::vector<stream_status>{stream_status::idle, stream_status::active});
  op.pass_time(200ms);
  CHECK(op.watermarks() == std::vector<timestamp_ms>{9, 19});
}

TEST_CASE("a stream without watermarks can be idle, so that nobody waits for any") {
  click_harness op(make_timestamps_and_watermarks(strategy::no_watermarks().with_idleness(1s)));
  op.open();
  op.process(at({10}));
  op.pass_time(2s);
  CHECK(op.statuses() == std::vector<stream_status>{stream_status::idle});
  CHECK(op.watermarks().empty());
}

TEST_CASE("time in which a task was held up does not make it idle") {
  using time_point = idleness_timer::time_point;
  idleness_timer timer(1s, 200ms);
  time_point now{};
  CHECK_FALSE(timer.look(now));
  CHECK_FALSE(timer.look(now += 10min));  // counts as two intervals
  CHECK_FALSE(timer.look(now += 500ms));
  CHECK_FALSE(timer.look(now += 200ms, false));  // not allowed to read
  CHECK(timer.look(now += 200ms));
  timer.on_activity();
  CHECK_FALSE(timer.look(now += 200ms));
}

TEST_CASE("a strategy without watermarks never wakes its task") {
  click_harness op(make_timestamps_and_watermarks(
      strategy::no_watermarks().with_timestamp_assigner(&click::at)));
  op.open();
  CHECK_FALSE(op.has_wake_up());
  op.process(at({5}));
  CHECK(op.timestamps() == timestamp_column{5});
}

TEST_CASE("a member of an alignment group waits while it is too far ahead") {
  click_harness op(make_timestamps_and_watermarks(strategy::for_monotonous_timestamps()
                                                      .with_timestamp_assigner(&click::at)
                                                      .with_idleness(1s)
                                                      .with_watermark_alignment("all", 100ms)));
  op.open();
  op.process(at({1001}));
  op.pass_time(1s);
  REQUIRE_FALSE(op.alignment_reports().empty());
  CHECK(op.alignment_reports().back() == alignment_report{"all", 1000, false, 100});
  op.op().on_alignment_limit("others", 5);
  CHECK_FALSE(op.op().is_busy());
  op.op().on_alignment_limit("all", 900);
  CHECK(op.op().is_busy());
  op.pass_time(10s);
  CHECK(op.statuses().empty());  // waiting is not idling
  op.op().on_alignment_limit("all", 1000);
  CHECK_FALSE(op.op().is_busy());
  op.op().on_alignment_limit("all", 900);
  op.finish();
  CHECK_FALSE(op.op().is_busy());
  CHECK(op.alignment_reports().back().is_idle);
}

TEST_CASE("a member of an alignment group waits no more when its source has ended") {
  click_harness op(make_timestamps_and_watermarks(strategy::for_monotonous_timestamps()
                                                      .with_timestamp_assigner(&click::at)
                                                      .with_watermark_alignment("all", 100ms)));
  op.open();
  op.process(at({1001}));
  op.pass_time(1s);
  op.op().on_alignment_limit("all", 900);
  CHECK(op.op().is_busy());
  op.op().on_source_end();
  CHECK_FALSE(op.op().is_busy());
  op.op().on_alignment_limit("all", 950);
  CHECK_FALSE(op.op().is_busy());
  op.pass_time(1s);
  CHECK_FALSE(op.alignment_reports().back().is_idle);  // its last watermark is still to come
}

TEST_CASE("strategies refuse settings that make no sense") {
  CHECK_THROWS_AS(strategy::for_bounded_out_of_orderness(-1ms), failure);
  CHECK_THROWS_AS(strategy::no_watermarks().with_idleness(0ms), failure);
  CHECK_THROWS_AS(strategy::no_watermarks().with_watermark_alignment("", 1s), failure);
  CHECK_THROWS_AS(strategy::no_watermarks().with_watermark_alignment("a", -1s), failure);
}

TEST_CASE("a reader of several splits is as far as the slowest of them") {
  const test::virtual_clock clock;
  split_watermarks<click> splits(strategy::for_monotonous_timestamps().with_idleness(1s), 200ms,
                                 clock);
  splits.add("one");
  splits.add("two");
  watermark_output out;
  event_time_tracker<click>::time_point now{};
  const auto read = [&](const std::string& split, std::int64_t t) {
    row_vector<click> rows{{t, 0}};
    timestamp_column timestamps{t};
    splits.find(split)->begin(rows, timestamps);
    splits.find(split)->observe(rows, timestamps, 0);
  };
  const auto pass = [&](int intervals) {
    for (int i = 0; i < intervals; ++i) splits.on_interval(now += 200ms);
    splits.combine(out);
  };
  read("one", 100);
  pass(1);
  CHECK(out.watermark() == no_timestamp);
  read("two", 50);
  pass(1);
  CHECK(out.watermark() == 49);
  pass(4);
  read("two", 60);  // the other one has fallen silent
  pass(1);
  CHECK(out.watermark() == 59);
  CHECK(out.status() == stream_status::active);
  read("two", 90);
  pass(6);
  CHECK(out.status() == stream_status::idle);
  CHECK(out.watermark() == 99);  // nobody holds back the greatest any more
  read("two", 200);
  pass(1);
  CHECK(out.status() == stream_status::active);
  CHECK(out.watermark() == 199);
  splits.add("new");  // holds the reader back, but does not pull it back
  read("two", 300);
  pass(1);
  CHECK(out.watermark() == 199);
  read("new", 250);
  pass(1);
  CHECK(out.watermark() == 249);
  splits.remove("new");
  pass(1);
  CHECK(out.watermark() == 299);
  CHECK(splits.find("new") == nullptr);
}

}  // namespace watermark_strategy_test
