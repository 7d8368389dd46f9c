#include "millrace/operators/broadcast_process.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "support/operator_harness.hpp"
#include "support/state_backends.hpp"

namespace broadcast_process_test {

using namespace millrace;
using test::operator_harness;

namespace {

using count = std::pair<std::string, std::int64_t>;

const map_state_descriptor<std::string, std::int64_t> limits("limits");
const value_state_descriptor<std::int64_t> total("total");
const map_state_descriptor<std::int64_t, std::int64_t> seen("seen");

/// Adds up per key, and tells the sum when it is above the limit that was broadcast. A new limit is
/// held against all sums there are.
struct above_limit : keyed_broadcast_process_function<std::string, count, count, count> {
  value_state<std::int64_t> sum;
  map_state<std::int64_t, std::int64_t> amounts;

  void open(keyed_runtime_context<std::string>& context) override {
    sum = context.get_state(total);
    amounts = context.get_map_state(seen);
  }
  void process_element(const count& row, keyed_broadcast_read_only_context<std::string>& now,
                       collector<count>& out) override {
    CHECK(now.current_key() == row.first);
    sum.get_or_default() += row.second;
    ++amounts.get_or_default(row.second);
    const auto* limit = now.get_broadcast_state(limits).get("all");
    if (limit != nullptr && sum.value() > *limit) out.emit({row.first, sum.value()});
    if (row.second == 0) now.timer_service().register_event_time_timer(now.timestamp() + 10);
  }
  void process_broadcast_element(const count& row, keyed_broadcast_context<std::string>& now,
                                 collector<count>& out) override {
    if (row.first == "no key") sum.clear();
    const auto state = now.get_broadcast_state(limits);
    if (row.second < 0)
      CHECK(state.remove(row.first));
    else
      state.put(row.first, row.second);
    now.apply_to_keyed_state(total,
                             [&](const std::string& key, const value_state<std::int64_t>& of_key) {
                               CHECK(of_key.value() == sum.value());
                               if (of_key.value() > row.second) out.emit({key, of_key.value()});
                               if (row.second == 0) of_key.clear();
                             });
  }
  void on_timer(timestamp_ms at, broadcast_timer_context<std::string>& now,
                collector<count>& out) override {
    CHECK(now.time_domain() == time_domain::event_time);
    out.emit({now.current_key(),
              at + static_cast<std::int64_t>(now.get_broadcast_state(limits).entries().size())});
  }
};

template <class T>
void feed(stream_operator& op, std::size_t input, std::vector<T> rows,
          rows_access access = rows_access::exclusive) {
  typed_batch_ptr<T> in(new typed_batch<T>);
  in->rows.assign(rows.begin(), rows.end());
  in->timestamps.assign(rows.size(), 5);
  op.process(input, *in, access);
}

broadcast_descriptors only_limits() {
  broadcast_descriptors states;
  states.add(limits);
  return states;
}

using harness = operator_harness<count, count>;

operator_factory_ptr above_limits() {
  return make_keyed_broadcast_process<count, count, count>(&count::first, only_limits(),
                                                           above_limit{});
}

std::vector<count> sorted(std::vector<count> rows) {
  std::sort(rows.begin(), rows.end());
  return rows;
}

}  // namespace

TEST_CASE("records of a keyed stream are held against what was broadcast") {
  for (const auto& [name, backend] : test::all_state_backends()) {
    CAPTURE(name);
    harness op(above_limits(), {}, backend);
    op.open();
    feed<count>(op.op(), 0, {{"a", 3}, {"b", 10}}, rows_access::shared);
    CHECK(op.take().empty());
    feed<count>(op.op(), 1, {{"all", 5}}, rows_access::shared);
    CHECK(op.timestamps() == timestamp_column{5});
    CHECK(op.take() == std::vector<count>{{"b", 10}});
    feed<count>(op.op(), 0, {{"a", 3}, {"b", 1}, {"c", 1}});
    CHECK(op.take() == std::vector<count>{{"a", 6}, {"b", 11}});
    feed<count>(op.op(), 1, {{"all", 0}});
    CHECK(sorted(op.take()) == std::vector<count>{{"a", 6}, {"b", 11}, {"c", 1}});
    feed<count>(op.op(), 1, {{"all", -1}});
    CHECK(op.take().empty());  // the sums were cleared
  }
}

TEST_CASE("keyed state can't be used for a record of the broadcast stream") {
  for (const auto& [name, backend] : test::all_state_backends()) {
    for (const bool has_payments : {false, true}) {
      CAPTURE(name);
      CAPTURE(has_payments);
      harness op(above_limits(), {}, backend);
      op.open();
      if (has_payments) feed<count>(op.op(), 0, {{"a", 3}});
      feed<count>(op.op(), 1, {{"all", 1000}});
      CHECK_THROWS_WITH_AS(feed<count>(op.op(), 1, {{"no key", 1}}),
                           "keyed state is used where no key is the current one, as for a record "
                           "of a broadcast stream: use apply_to_keyed_state for that of all keys",
                           failure);
    }
  }
}

TEST_CASE("timers see broadcast state") {
  harness op(above_limits());
  op.open();
  feed<count>(op.op(), 0, {{"a", 0}});
  feed<count>(op.op(), 1, {{"one", 100}, {"two", 200}});
  op.advance_to(15);
  CHECK(op.take() == std::vector<count>{{"a", 17}});
  CHECK(op.watermarks() == std::vector<timestamp_ms>{15});
}

TEST_CASE("keyed state is applied to once per key, whatever the key has") {
  for (const auto& [name, backend] : test::all_state_backends()) {
    CAPTURE(name);
    test::virtual_clock clock;
    keyed_state_slot slot({.operator_name = "op",
                           .operator_uid = "op",
                           .groups = {0, 127},
                           .max_parallelism = 128,
                           .time = &clock},
                          backend);
    auto& state = slot.get<std::string>();
    const auto amounts = state.get_map_state(seen);
    for (int key = 0; key < 500; ++key) {
      state.set_current_key(std::to_string(key));
      for (int each = 0; each < 1 + key % 3; ++each) amounts.put(each, key);
    }
    std::vector<std::string> keys;
    state.for_each_key("seen", [&](const std::string& key) {
      keys.push_back(key);
      CHECK(*amounts.get(0) == std::stoll(key));
      amounts.clear();
    });
    std::sort(keys.begin(), keys.end());
    CHECK(keys.size() == 500);
    CHECK(std::adjacent_find(keys.begin(), keys.end()) == keys.end());
    state.for_each_key("seen", [&](const std::string&) { FAIL("nothing is left"); });
    state.for_each_key("unknown", [&](const std::string&) { FAIL("there is no such state"); });
  }
}

TEST_CASE("broadcast state is what the descriptors of broadcast() say") {
  broadcast_descriptors states;
  states.add(limits);
  CHECK_THROWS_WITH_AS(states.add(limits),
                       "broadcast state 'limits' is named twice; each needs a name of its own",
                       failure);
  CHECK_THROWS_WITH_AS(states.add(map_state_descriptor<int, int>("_limits")),
                       doctest::Contains("names that begin with '_' are those of the operators'"),
                       failure);

  runtime_context::identity who;
  who.operator_name = "rules";
  harness op(above_limits(), who);
  op.open();
  broadcast_states opened(states);
  opened.open(op);
  opened.get(limits).put("x", 1);
  CHECK(*read_only_broadcast_state(opened.get(limits)).get("x") == 1);
  CHECK_THROWS_WITH_AS(opened.get(map_state_descriptor<std::string, std::int64_t>("other")),
                       "operator 'rules' has no broadcast state 'other': use a descriptor that the "
                       "stream's broadcast(…) was given",
                       failure);
  CHECK_THROWS_WITH_AS(opened.get(map_state_descriptor<std::string, double>("limits")),
                       "operator 'rules' has no broadcast state 'limits' of that type: use a "
                       "descriptor that the stream's broadcast(…) was given",
                       failure);
}

}  // namespace broadcast_process_test
