#include "millrace/stream/input_gate.hpp"

#include <doctest/doctest.h>

#include "support/stream_world.hpp"

namespace input_gate_test {

using namespace millrace;
using namespace millrace::test;

namespace {

element data(std::int64_t value, std::uint64_t charge = 10) {
  return record_batch{batch_of<std::int64_t>({value}), charge};
}

std::int64_t value_of(const input_gate::arrival& a) {
  return rows_of<std::int64_t>(*std::get<record_batch>(a.what).rows)[0];
}

}  // namespace

TEST_CASE("an empty gate has nothing to hand out") {
  input_gate gate({0, 0});
  CHECK(gate.is_empty());
  CHECK_FALSE(gate.next());
  CHECK(gate.channel_count() == 2);
  CHECK(gate.input_count() == 1);
}

TEST_CASE("channels with a long queue do not starve the others") {
  input_gate gate({0, 0, 0});
  for (int i = 0; i < 4; ++i) REQUIRE(gate.push(0, data(i)));
  REQUIRE(gate.push(2, data(20)));
  REQUIRE(gate.push(1, data(10)));
  REQUIRE(gate.push(2, data(21)));
  std::vector<std::uint32_t> turns;
  std::vector<std::int64_t> values;
  while (auto next = gate.next()) {
    turns.push_back(next->channel);
    values.push_back(value_of(*next));
  }
  CHECK(turns == std::vector<std::uint32_t>{0, 2, 1, 0, 2, 0, 0});
  CHECK(values == std::vector<std::int64_t>{0, 20, 10, 1, 21, 2, 3});
  CHECK(gate.is_empty());
}

TEST_CASE("the gate knows the charges of what waits in it") {
  input_gate gate({0});
  REQUIRE(gate.push(0, data(1, 100)));
  REQUIRE(gate.push(0, data(2, 50)));
  REQUIRE(gate.push(0, end_of_input{}));
  CHECK(gate.queued_bytes() == 150);
  gate.next();
  CHECK(gate.queued_bytes() == 50);
  gate.next();
  gate.next();
  CHECK(gate.queued_bytes() == 0);
}

TEST_CASE("an input ends when the last of its channels was seen to end") {
  input_gate gate({0, 0, 1});
  CHECK(gate.input_of(2) == 1);
  CHECK(gate.input_count() == 2);
  REQUIRE(gate.push(0, data(1)));
  REQUIRE(gate.push(0, end_of_input{}));
  REQUIRE(gate.push(1, end_of_input{}));
  CHECK_FALSE(gate.has_ended(0));
  gate.next();  // channel 0's data
  gate.next();  // channel 1's end
  CHECK_FALSE(gate.has_ended(0));
  gate.next();  // channel 0's end
  CHECK(gate.has_ended(0));
  CHECK_FALSE(gate.has_ended(1));
  CHECK_FALSE(gate.have_all_ended());
  REQUIRE(gate.push(2, end_of_input{}));
  gate.next();
  CHECK(gate.have_all_ended());
}

TEST_CASE("the gate refuses what a correct sender cannot send") {
  input_gate gate({0, 0});
  auto unknown = gate.push(2, data(1));
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == errc::protocol);
  CHECK(unknown.error().message.find("channel 2 of a task with 2") != std::string::npos);
  CHECK_FALSE(gate.push(0xFFFFFFFF, end_of_input{}));

  auto hollow = gate.push(1, record_batch{nullptr, 5});
  REQUIRE_FALSE(hollow);
  CHECK(hollow.error().code == errc::protocol);

  REQUIRE(gate.push(0, end_of_input{}));
  auto late = gate.push(0, data(1));
  REQUIRE_FALSE(late);
  CHECK(late.error().message.find("after the end of its input") != std::string::npos);
  CHECK_FALSE(gate.push(0, end_of_input{}));
  CHECK(gate.next()->channel == 0);
  CHECK_FALSE(gate.next());
}

TEST_CASE("a gate without channels has ended from the start") {
  input_gate gate({});
  CHECK(gate.have_all_ended());
  CHECK_FALSE(gate.push(0, data(1)));
}

TEST_CASE("a blocked channel waits until all are unblocked, in its order") {
  input_gate gate({0, 0});
  REQUIRE(gate.push(0, data(1)));
  REQUIRE(gate.push(0, data(2)));
  CHECK(value_of(*gate.next()) == 1);
  gate.block(0);
  gate.block(0);
  REQUIRE(gate.push(0, data(3)));
  REQUIRE(gate.push(1, data(10)));
  CHECK(value_of(*gate.next()) == 10);
  CHECK_FALSE(gate.next());
  CHECK(gate.queued_bytes() == 20);
  gate.unblock_all();
  CHECK(value_of(*gate.next()) == 2);
  CHECK(value_of(*gate.next()) == 3);
  // A channel that was empty when it was blocked.
  gate.block(1);
  REQUIRE(gate.push(1, data(11)));
  CHECK_FALSE(gate.next());
  gate.unblock_all();
  CHECK(value_of(*gate.next()) == 11);
}

TEST_CASE("after the end of its data a channel has barriers only") {
  input_gate gate({0, 0});
  REQUIRE(gate.push(0, data(1)));
  REQUIRE(gate.push(0, end_of_data{}));
  REQUIRE(gate.push(0, barrier{{1}}));
  CHECK_FALSE(gate.push(0, data(2)));
  CHECK_FALSE(gate.push(0, watermark{3}));
  CHECK_FALSE(gate.push(0, end_of_data{}));
  REQUIRE(gate.push(1, end_of_input{}));
  CHECK_FALSE(gate.next()->ends_data);  // data of 0
  CHECK(gate.next()->ends_data);        // the end of 1, which is both
  CHECK(gate.next()->ends_data);
  CHECK(gate.have_all_ended());
  CHECK_FALSE(gate.have_all_closed());
  CHECK(std::holds_alternative<barrier>(gate.next()->what));
  REQUIRE(gate.push(0, end_of_input{}));
  CHECK_FALSE(gate.push(0, barrier{{2}}));
  CHECK_FALSE(gate.next()->ends_data);
  CHECK(gate.have_all_closed());
}

TEST_CASE("a gate tells what waits ahead of a barrier") {
  input_gate gate({0, 0});
  REQUIRE(gate.push(0, data(1)));
  REQUIRE(gate.push(0, watermark{1}));
  REQUIRE(gate.push(0, data(2)));
  in_flight_batches found;
  CHECK_FALSE(gate.collect_ahead_of({1}, 0, found));
  CHECK(found.size() == 2);
  REQUIRE(gate.push(0, barrier{{1}}));
  REQUIRE(gate.push(0, data(3)));
  found.clear();
  CHECK(gate.collect_ahead_of({1}, 0, found));
  CHECK(found.size() == 2);
  CHECK_FALSE(gate.collect_ahead_of({1}, 1, found));
  REQUIRE(gate.push(1, data(4)));
  REQUIRE(gate.push(1, end_of_input{}));
  found.clear();
  CHECK(gate.collect_ahead_of({1}, 1, found));
  REQUIRE(found.size() == 1);
  CHECK(found[0].channel == 1);
}

TEST_CASE("batches from a checkpoint come before new ones and are charged nothing") {
  input_gate gate({0});
  REQUIRE(gate.replay(0, batch_of<std::int64_t>({1})));
  REQUIRE(gate.replay(0, batch_of<std::int64_t>({2})));
  CHECK_FALSE(gate.replay(1, batch_of<std::int64_t>({3})));
  REQUIRE(gate.push(0, data(4, 100)));
  CHECK(gate.queued_bytes() == 100);
  CHECK(gate.elements_received(0) == 1);
  for (const std::int64_t expected : {1, 2, 4}) CHECK(value_of(*gate.next()) == expected);
}

}  // namespace input_gate_test
