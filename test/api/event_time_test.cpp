#include <doctest/doctest.h>

#include <algorithm>
#include <memory>

#include "millrace/core/options.hpp"
#include "millrace/millrace.hpp"
#include "support/captured_job.hpp"
#include "support/local_runner.hpp"
#include "support/time_probe.hpp"

namespace event_time_test {

using namespace millrace;
using namespace std::chrono_literals;
using test::local_runner;
using test::pipeline_settings;
using test::probed;
using test::time_log;

namespace {

struct event {
  std::int64_t at = 0;
  std::int64_t id = 0;
  bool operator==(const event&) const = default;
};

using strategy = watermark_strategy<event>;

constexpr std::uint64_t seeds = 8;

stream_environment make_env(std::uint64_t seed) {
  pipeline_settings settings;
  settings.seed = seed;
  return stream_environment({}, std::make_shared<local_runner>(settings));
}

/// Up to 7 ms out of order.
event out_of_order(std::uint64_t index) {
  const auto i = static_cast<std::int64_t>(index);
  return {1000 + i / 8 * 8 + i * 5 % 8, i};
}

}  // namespace

TEST_CASE("no record is late that is within the bound, whichever way it goes") {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    auto env = make_env(seed);
    env.set_parallelism(1 + seed % 4);
    const auto log = std::make_shared<time_log>();
    const auto events =
        env.from_generator(out_of_order, {.count = 2000, .per_second = 500})
            .assign_timestamps_and_watermarks(
                strategy::for_bounded_out_of_orderness(7ms).with_timestamp_assigner(&event::at));
    const auto spread = seed % 2 == 0 ? events.rebalance() : events.shuffle();
    const auto got = probed(spread.map([](const event& e) { return e; })
                                .key_by([](const event& e) { return e.id % 17; })
                                .max(&event::id),
                            log)
                         .execute_and_collect();
    CHECK(got.size() == 2000);
    CHECK(log->late == 0);
    CHECK(log->untimed == 0);
    CHECK(log->watermarks > 10);
    CHECK(log->ends == 1 + seed % 4);
  }
}

TEST_CASE("records that are later than the bound are noticed as late") {
  auto env = make_env(1);
  const auto log = std::make_shared<time_log>();
  const auto late_ones = [](std::uint64_t i) {
    const auto id = static_cast<std::int64_t>(i);
    return event{id % 100 == 99 ? 0 : 1000 + id, id};
  };
  const auto events =
      env.from_generator(late_ones, {.count = 2000, .per_second = 500})
          .assign_timestamps_and_watermarks(
              strategy::for_bounded_out_of_orderness(1ms).with_timestamp_assigner(&event::at));
  probed(events.rebalance(), log).discard();
  env.execute();
  CHECK(log->late >= 19);
  CHECK(log->late <= 20);
}

TEST_CASE("an idle stream does not hold back the others of a union") {
  for (const bool is_idle : {false, true}) {
    auto env = make_env(3);
    const auto log = std::make_shared<time_log>();
    auto how = strategy::for_monotonous_timestamps().with_timestamp_assigner(&event::at);
    if (is_idle) how = how.with_idleness(500ms);
    const auto ascending = [](std::uint64_t i) {
      return event{static_cast<std::int64_t>(i), static_cast<std::int64_t>(i)};
    };
    const auto steady = env.from_generator(ascending, {.count = 400, .per_second = 100})
                            .assign_timestamps_and_watermarks(how);
    // One record each 20 s: the second comes long after the other stream has ended.
    const auto silent = env.from_generator(ascending, {.count = 2, .per_second = 0.05})
                            .assign_timestamps_and_watermarks(how);
    probed(steady.union_with(silent).rebalance(), log).discard();
    env.execute();
    CHECK((log->greatest_while_running > 100) == is_idle);
    CHECK(log->ends == 1);
  }
}

TEST_CASE("streams of an alignment group stay close to the slowest") {
  const auto greatest_lead = [](bool aligned) {
    auto env = make_env(5);
    auto how = strategy::for_monotonous_timestamps().with_timestamp_assigner(&event::at);
    if (aligned) how = how.with_watermark_alignment("both", 100ms, 200ms);
    struct positions {
      std::int64_t fast = 0, slow = 0, lead = 0;
    };
    const auto where = std::make_shared<positions>();
    const auto ascending = [](std::uint64_t i) {
      return event{static_cast<std::int64_t>(i), static_cast<std::int64_t>(i)};
    };
    env.from_generator(ascending, {.count = 10000, .per_second = 2000})
        .assign_timestamps_and_watermarks(how)
        .add_sink([where](const event& e) {
          where->fast = e.at;
          // The slow one's end lets the fast one go.
          if (where->slow < 999) where->lead = std::max(where->lead, e.at - where->slow);
        });
    env.from_generator(ascending, {.count = 1000, .per_second = 100})
        .assign_timestamps_and_watermarks(how)
        .add_sink([where](const event& e) { where->slow = e.at; });
    env.execute();
    CHECK(where->fast == 9999);
    CHECK(where->slow == 999);
    return where->lead;
  };
  CHECK(greatest_lead(false) > 9000);
  // The drift, what comes until the next watermark, and the second that a generator makes up for
  // after a pause.
  CHECK(greatest_lead(true) < 100 + 3 * 400 + 2000);
}

TEST_CASE("streams that are aligned away from a source are refused, and what to do is said") {
  const auto job = std::make_shared<test::captured_job>();
  stream_environment env({}, job);
  env.set_parallelism(2);
  const auto aligned = strategy::for_monotonous_timestamps()
                           .with_timestamp_assigner(&event::at)
                           .with_watermark_alignment("both", 100ms, 200ms);
  auto source = env.from_generator(out_of_order, {.count = 10});
  data_stream<event> stream = source;
  SUBCASE("behind an exchange") {
    stream = source.rebalance();
  }
  SUBCASE("behind a union") {
    stream = source.union_with(env.from_generator(out_of_order, {.count = 10}));
  }
  SUBCASE("behind a source of another parallelism") {
    source.set_parallelism(1);
  }
  SUBCASE("behind an operator that is not chained with its source") {
    env.disable_operator_chaining();
    stream = source.map([](const event& e) { return e; });
  }
  stream.assign_timestamps_and_watermarks(aligned).name("times").discard();
  CHECK_THROWS_WITH_AS(
      env.execute(),
      "operator 'times' is in watermark alignment group 'both', but not in one task with a source: "
      "the records that it holds back would hold up checkpoints; give from_source() the strategy, "
      "or assign it right behind each source: before any union or exchange, with the source's "
      "parallelism, and chained with all that lies between",
      failure);
  CHECK(job->graph.vertices.empty());
}

TEST_CASE("an aligned stream is in one task with its source, whatever is said of chaining") {
  const auto job = std::make_shared<test::captured_job>();
  stream_environment env({}, job);
  env.set_parallelism(2);
  env.disable_operator_chaining();
  const auto aligned = strategy::for_monotonous_timestamps()
                           .with_timestamp_assigner(&event::at)
                           .with_watermark_alignment("both", 100ms, 200ms);
  const auto timed = [&](const char* name) {
    return env.from_generator(out_of_order, {.count = 10})
        .name(name)
        .assign_timestamps_and_watermarks(aligned)
        .name("times")
        .disable_chaining();
  };
  timed("a").union_with(timed("b")).discard();
  env.execute();
  std::vector<std::string> names;
  for (const auto& vertex : job->graph.vertices) names.push_back(vertex.name);
  CHECK(names ==
        std::vector<std::string>{"Source: a -> times", "Source: b -> times", "Sink: discard"});
}

TEST_CASE("generators of the user's make watermarks behind records and by the clock") {
  struct every_tenth {
    timestamp_ms greatest = 0;
    int records = 0;
    void on_event(const event&, timestamp_ms timestamp, watermark_output& out) {
      greatest = std::max(greatest, timestamp);
      if (++records % 10 == 0) out.emit_watermark(greatest - 8);
    }
    void on_periodic_emit(watermark_output&) {}
  };
  struct by_the_clock {
    timestamp_ms greatest = 0;
    void on_event(const event&, timestamp_ms timestamp, watermark_output&) {
      greatest = std::max(greatest, timestamp);
    }
    void on_periodic_emit(watermark_output& out) { out.emit_watermark(greatest - 8); }
  };
  const auto watermarks_of = [](const auto& generator, std::uint64_t seed) {
    auto env = make_env(seed);
    env.set_parallelism(static_cast<std::uint32_t>(1 + seed % 3));
    const auto log = std::make_shared<time_log>();
    const auto events =
        env.from_generator(out_of_order, {.count = 1000, .per_second = 500})
            .assign_timestamps_and_watermarks(
                strategy::for_generator(generator).with_timestamp_assigner(&event::at));
    CHECK(probed(events.rebalance(), log).execute_and_collect().size() == 1000);
    CHECK(log->late == 0);
    CHECK(log->untimed == 0);
    return log->watermarks / (1 + seed % 3);
  };
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    CHECK(watermarks_of(every_tenth{}, seed) > 15);
    CHECK(watermarks_of(by_the_clock{}, seed) > 5);
  }
}

TEST_CASE("event time goes on by the clock for a stream with ingestion time") {
  auto env = make_env(4);
  env.set_parallelism(2);
  const auto log = std::make_shared<time_log>();
  const auto how = strategy::for_ingestion_time();
  // One record each 20 s beside many: nobody waits for it.
  const auto steady = env.from_generator(out_of_order, {.count = 400, .per_second = 100})
                          .assign_timestamps_and_watermarks(how);
  const auto silent = env.from_generator(out_of_order, {.count = 2, .per_second = 0.05})
                          .assign_timestamps_and_watermarks(how);
  CHECK(probed(steady.union_with(silent).rebalance(), log).execute_and_collect().size() == 402);
  CHECK(log->late == 0);
  CHECK(log->untimed == 0);
  CHECK(log->watermarks > 2 * 20);
}

TEST_CASE("the auto-watermark interval is the job's") {
  auto env = make_env(1);
  env.set("pipeline.auto-watermark-interval", "0");
  CHECK_THROWS_AS(env.set("pipeline.auto-watermark-interval", "often"), failure);
  CHECK(env.config().get(options::auto_watermark_interval) == 0ms);
}

}  // namespace event_time_test
