// What may be said of a join beside its keys and its window or interval.

#include <doctest/doctest.h>

#include <algorithm>

#include "api/paced_readings.hpp"

namespace join_verbs_test {

using namespace millrace;
using namespace std::chrono_literals;
using test::kept;
using test::one_task_at_a_time;
using test::paced;
using test::reading;

namespace {

struct pair {
  std::int64_t left = -1;
  std::int64_t right = -1;
  timestamp_ms left_at = no_timestamp;
  timestamp_ms right_at = no_timestamp;

  auto operator<=>(const pair&) const = default;
};
using pairs = std::vector<pair>;

/// Readings of two streams, of which each comes when those before it have been dealt with.
struct two_streams {
  data_stream<reading> left;
  data_stream<reading> right;
};

two_streams split(stream_environment& env, std::vector<reading> rows) {
  const auto all = paced(env, std::move(rows));
  const auto is_of = [&](std::int64_t stream) {
    return all.filter([stream](const reading& r) { return r.stream == stream; });
  };
  return {is_of(0), is_of(1)};
}

constexpr std::int64_t left = 0, right = 1;

const output_tag<reading> late_left("late left");
const output_tag<reading> late_right("late right");

/// Two readings that are late, one of each stream, among others that are not.
std::vector<reading> with_late_ones() {
  return {{"a", 1, 10, 0, left},   {"a", 10, 12, 0, right}, {"a", 20, 22, 0, right},
          {"a", 2, 20, 30, left},  {"a", 3, 5, 0, left},    {"a", 30, 8, 0, right},
          {"a", 40, 31, 0, right}, {"a", 4, 33, 0, left},   {"b", 5, 40, 0, left}};
}

auto near_each_other(const two_streams& both) {
  return both.left.key_by(&reading::sensor)
      .interval_join(both.right.key_by(&reading::sensor))
      .between(-5ms, 5ms)
      .side_output_left_late_data(late_left)
      .side_output_right_late_data(late_right);
}

/// A function of an outer join that is an object.
struct pair_maker {
  void process_element(const reading* l, const reading* r, interval_join_context& now,
                       collector<pair>& out) {
    out.emplace(l == nullptr ? -1 : l->value, r == nullptr ? -1 : r->value, now.left_timestamp(),
                now.right_timestamp());
  }
};

const auto make_pair = [](const reading& l, const reading& r) { return pair{l.value, r.value}; };

using either = either_row<reading, reading>;
const output_tag<either> late("late");

/// Windows of 10 ms in which both streams meet.
auto meeting(const two_streams& both) {
  return both.left.join(both.right)
      .where(&reading::sensor)
      .equal_to(&reading::sensor)
      .window(tumbling_event_time_windows::of(10ms));
}

}  // namespace

TEST_CASE("late rows of either side of an interval join can be read from side outputs") {
  auto env = one_task_at_a_time();
  const output_tag<std::int64_t> right_first("right first");
  const auto joined =
      near_each_other(split(env, with_late_ones()))
          .process([right_first](const reading& l, const reading& r, interval_join_context& now,
                                 collector<pair>& out) {
            out.emplace(l.value, r.value, now.left_timestamp(), now.right_timestamp());
            if (now.right_timestamp() < now.left_timestamp())
              now.output(right_first, now.timestamp());
          });
  const auto found = kept(joined);
  const auto left_rows = kept(joined.side_output(late_left));
  const auto right_rows = kept(joined.side_output(late_right));
  const auto times = kept(joined.side_output(right_first));
  const auto totals = env.execute().accumulators;
  CHECK(*found == pairs{{1, 10, 10, 12}, {2, 20, 20, 22}, {4, 40, 33, 31}});
  CHECK(*left_rows == std::vector<reading>{{"a", 3, 5, 0, left}});
  CHECK(*right_rows == std::vector<reading>{{"a", 30, 8, 0, right}});
  CHECK(*times == std::vector<std::int64_t>{33});
  CHECK(!totals.contains("late records dropped"));
}

TEST_CASE("late rows of an outer interval join come to side outputs only") {
  auto env = one_task_at_a_time();
  const auto joined =
      near_each_other(split(env, with_late_ones())).full_outer().process(pair_maker());
  const auto found = kept(joined);
  const auto left_rows = kept(joined.side_output(late_left));
  const auto right_rows = kept(joined.side_output(late_right));
  env.execute();
  CHECK(*found ==
        pairs{{1, 10, 10, 12}, {2, 20, 20, 22}, {4, 40, 33, 31}, {5, -1, 40, no_timestamp}});
  CHECK(left_rows->size() == 1);
  CHECK(right_rows->size() == 1);
}

TEST_CASE("a join in windows takes a trigger and an evictor for the rows of both") {
  auto env = one_task_at_a_time();
  const auto joined = meeting(split(env, {{"a", 1, 1, 0, left},
                                          {"a", 10, 2, 0, right},
                                          {"a", 2, 3, 0, left},
                                          {"a", 20, 4, 0, right},
                                          {"a", 3, 5, 0, left},
                                          {"a", 30, 6, 0, right}}))
                          .trigger(count_trigger::of(3))
                          .evictor(count_evictor::of(2))
                          .apply(make_pair);
  CHECK(joined.execute_and_collect() == pairs{{2, 10}, {3, 30}});
}

TEST_CASE("a join in windows joins late rows again, and gives away those that are too late") {
  auto env = one_task_at_a_time();
  const auto joined = meeting(split(env, {{"a", 1, 1, 0, left},
                                          {"a", 10, 2, 15, right},
                                          {"a", 2, 3, 0, left},
                                          {"b", 50, 31, 30, right},
                                          {"a", 3, 4, 0, left},
                                          {"a", 40, 5, 0, right}}))
                          .allowed_lateness(10ms)
                          .side_output_late_data(late)
                          .apply(make_pair);
  const auto found = kept(joined);
  const auto too_late = kept(joined.side_output(late));
  env.execute();
  CHECK(*found == pairs{{1, 10}, {1, 10}, {2, 10}});
  REQUIRE(too_late->size() == 2);
  CHECK(std::get<0>(too_late->at(0)).value == 3);
  CHECK(std::get<1>(too_late->at(1)).value == 40);
}

TEST_CASE("a co-group takes trigger, evictor, lateness and a side output together") {
  auto env = one_task_at_a_time();
  const auto both = split(env, {{"a", 1, 1, 0, left},
                                {"a", 10, 2, 0, right},
                                {"b", 50, 16, 15, right},
                                {"a", 2, 3, 0, left},
                                {"a", 20, 4, 0, right},
                                {"b", 60, 31, 30, right},
                                {"a", 3, 4, 0, left}});
  const auto groups =
      both.left.co_group(both.right)
          .where(&reading::sensor)
          .equal_to(&reading::sensor)
          .window(tumbling_event_time_windows::of(10ms))
          .trigger(count_trigger::of(2))
          .evictor(count_evictor::of(1, evict::after))
          .allowed_lateness(10ms)
          .side_output_late_data(late)
          .apply([](const std::vector<reading>& l, const std::vector<reading>& r,
                    collector<pair>& out) {
            out.emplace(static_cast<std::int64_t>(l.size()), static_cast<std::int64_t>(r.size()));
          });
  const auto found = kept(groups);
  const auto too_late = kept(groups.side_output(late));
  env.execute();
  CHECK(*found == pairs{{1, 1}, {1, 2}});
  REQUIRE(too_late->size() == 1);
  CHECK(std::get<0>(too_late->at(0)).value == 3);
}

}  // namespace join_verbs_test
