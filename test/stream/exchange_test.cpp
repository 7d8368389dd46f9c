#include "millrace/stream/exchange.hpp"

#include <doctest/doctest.h>

#include <random>

#include "support/stream_world.hpp"

namespace exchange_test {

using namespace millrace;
using namespace millrace::test;

namespace {

constexpr std::uint64_t record_max = 1000;
constexpr batch_limits limits{.rows = 100, .bytes = 800};

struct one_exchange {
  fake_services port;
  exchange x;

  explicit one_exchange(std::uint32_t channels = 2, std::uint32_t first = 0)
      : x(port, first, channels, limits, record_max) {}

  void send(std::uint32_t channel, std::int64_t count, std::int64_t first = 0) {
    x.send(channel, batch_of(numbers(count, first)));
  }
};

constexpr std::uint64_t charge_of(std::uint64_t rows) {
  return rows * 8 + credit_window::batch_overhead_bytes;
}

}  // namespace

TEST_CASE("an exchange sends nothing before its receiver opens the channel") {
  one_exchange e;
  e.send(0, 10);
  e.x.broadcast(end_of_input{});
  CHECK(e.port.sent.empty());
  CHECK(e.x.is_blocked());
  CHECK(e.x.waiting_bytes() == 80);

  e.x.open(1, 10'000);
  REQUIRE(e.port.sent.size() == 1);
  CHECK(e.port.sent[0].channel == 1);
  CHECK(e.port.sent[0].is_end());
  CHECK(e.x.is_blocked());

  e.x.open(0, 10'000);
  REQUIRE(e.port.sent.size() == 3);
  CHECK_FALSE(e.port.sent[1].is_end());
  CHECK(e.port.sent[2].is_end());
  CHECK_FALSE(e.x.is_blocked());
  CHECK(e.x.waiting_bytes() == 0);
  CHECK(e.x.bytes_sent() == 80);
}

TEST_CASE("an exchange numbers its channels from where the task says") {
  one_exchange e(2, 5);
  e.x.open(0, 10'000);
  e.x.open(1, 10'000);
  e.send(1, 1);
  e.send(0, 1);
  REQUIRE(e.port.sent.size() == 2);
  CHECK(e.port.sent[0].channel == 6);
  CHECK(e.port.sent[1].channel == 5);
}

TEST_CASE("what has no credit waits in order and blocks only its own channel") {
  one_exchange e;
  e.x.open(0, charge_of(10));
  e.x.open(1, charge_of(10));
  e.send(0, 10, 0);
  e.send(0, 10, 10);
  e.send(0, 1, 20);  // would fit, but must not overtake
  CHECK(e.port.sent.size() == 1);
  CHECK(e.x.is_blocked());
  e.send(1, 10, 100);
  CHECK(e.port.sent.size() == 2);
  CHECK(e.x.in_flight_bytes() == 2 * charge_of(10));
  CHECK(e.x.waiting_bytes() == 88);

  REQUIRE(e.x.give_back(0, e.port.sent[0].charge()));
  CHECK(e.port.sent.size() == 3);
  CHECK(e.x.is_blocked());
  REQUIRE(e.x.give_back(0, e.port.sent[2].charge()));
  CHECK_FALSE(e.x.is_blocked());
  CHECK(e.port.rows<std::int64_t>()[0] == numbers(21));
}

TEST_CASE("the end of input waits behind data and costs nothing") {
  one_exchange e(1);
  e.x.open(0, charge_of(10));
  e.send(0, 10);
  e.send(0, 10, 10);
  e.x.broadcast(end_of_input{});
  CHECK(e.port.ends() == 0);
  REQUIRE(e.x.give_back(0, e.port.sent[0].charge()));
  REQUIRE(e.port.sent.size() == 3);
  CHECK(e.port.sent[2].is_end());
  CHECK_FALSE(e.x.is_blocked());
  CHECK(e.x.in_flight_bytes() == charge_of(10));
}

TEST_CASE("a batch larger than the whole window travels alone") {
  one_exchange e(1);
  e.x.open(0, 500);
  e.send(0, 1);
  e.send(0, 100);
  CHECK(e.port.sent.size() == 1);
  REQUIRE(e.x.give_back(0, e.port.sent[0].charge()));
  REQUIRE(e.port.sent.size() == 2);
  CHECK(e.port.sent[1].charge() == 500);
  e.send(0, 1);
  CHECK(e.port.sent.size() == 2);
  REQUIRE(e.x.give_back(0, 500));
  CHECK(e.port.sent.size() == 3);
}

TEST_CASE("a record over the limit is an error that says both sizes") {
  one_exchange e(1);
  CHECK_NOTHROW(e.x.send(0, batch_of<std::string>({std::string(900, 'x')})));
  try {
    e.x.send(0, batch_of<std::string>({std::string(5000, 'x')}));
    FAIL("no error");
  } catch (const failure& f) {
    CHECK(f.code() == errc::invalid_data);
    const std::string message = f.what();
    CHECK(message.find("50") != std::string::npos);
    CHECK(message.find("limit of 1000 bytes") != std::string::npos);
  }
}

TEST_CASE("a receiver that returns more than it was sent is told apart") {
  one_exchange e;
  CHECK_FALSE(e.x.give_back(0, 1));
  e.x.open(0, 1000);
  e.send(0, 1);
  CHECK_FALSE(e.x.give_back(0, 1000));
  CHECK_FALSE(e.x.give_back(1, e.port.sent[0].charge()));
  CHECK(e.x.give_back(0, e.port.sent[0].charge()));
}

TEST_CASE("a window that is granted twice is wider") {
  one_exchange e(1);
  e.x.open(0, charge_of(10));
  e.send(0, 10);
  e.send(0, 10);
  CHECK(e.x.is_blocked());
  e.x.open(0, charge_of(10));
  CHECK_FALSE(e.x.is_blocked());
}

TEST_CASE("each channel delivers all it was given, in order, within its window") {
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    CAPTURE(seed);
    std::mt19937 rng(seed);
    one_exchange e(3);
    std::uint64_t window[3] = {};
    std::vector<std::int64_t> given[3];
    std::size_t returned = 0;
    auto open_all = [&](std::uint32_t c) {
      if (window[c] == 0) e.x.open(c, window[c] = 300 + rng() % 3000);
    };
    for (int i = 0; i < 1000; ++i) {
      const auto c = static_cast<std::uint32_t>(rng() % 3);
      switch (rng() % 4) {
        case 0:
          open_all(c);
          break;
        case 1: {
          const auto first = static_cast<std::int64_t>(given[c].size());
          const auto count = static_cast<std::int64_t>(1 + rng() % 100);
          for (auto n : numbers(count, first)) given[c].push_back(n);
          e.send(c, count, first);
          break;
        }
        default:
          if (returned == e.port.sent.size()) break;
          const auto& back = e.port.sent[returned++];
          REQUIRE(e.x.give_back(back.channel, back.charge()));
      }
      std::uint64_t under_way = 0;
      for (auto s = returned; s < e.port.sent.size(); ++s) under_way += e.port.sent[s].charge();
      REQUIRE(e.x.in_flight_bytes() == under_way);
      REQUIRE(under_way <= window[0] + window[1] + window[2]);
    }
    for (std::uint32_t c = 0; c < 3; ++c) open_all(c);
    for (; returned < e.port.sent.size(); ++returned)
      REQUIRE(e.x.give_back(e.port.sent[returned].channel, e.port.sent[returned].charge()));
    CHECK_FALSE(e.x.is_blocked());
    auto rows = e.port.rows<std::int64_t>();
    for (std::uint32_t c = 0; c < 3; ++c) CHECK(rows[c] == given[c]);
  }
}

TEST_CASE("control elements wait behind the batches that wait for credit, and cost nothing") {
  fake_services port;
  exchange x(port, 0, 1, {}, 1 << 20);
  x.open(0, 1000);
  x.send(0, batch_of(numbers(90)));
  x.send(0, batch_of(numbers(90)));
  x.broadcast(watermark{5});
  CHECK(port.sent.size() == 1);
  CHECK(x.is_blocked());
  CHECK(x.give_back(0, port.sent[0].charge()));
  REQUIRE(port.sent.size() == 3);
  CHECK(port.sent[1].is_batch());
  CHECK(std::get<watermark>(port.sent[2].what) == watermark{5});
  CHECK(x.in_flight_bytes() == port.sent[1].charge());
}

TEST_CASE("a barrier that overtakes leaves at once, and what it overtook is named and sent later") {
  one_exchange e(2, 5);
  e.x.open(0, charge_of(10));
  e.send(0, 10);
  e.send(0, 10, 10);
  e.x.broadcast(watermark{3});
  e.send(0, 5, 20);
  e.send(1, 1);  // nobody is there
  in_flight_batches overtaken;
  e.x.overtake({{1}}, overtaken);
  REQUIRE(e.port.sent.size() == 2);
  CHECK(std::get<barrier>(e.port.sent[1].what).checkpoint == checkpoint_id{1});
  REQUIRE(overtaken.size() == 3);
  CHECK(overtaken[0].at == channel_end::sender);
  CHECK(overtaken[0].channel == 5);
  CHECK(rows_of<std::int64_t>(*overtaken[0].rows).front() == 10);
  CHECK(rows_of<std::int64_t>(*overtaken[1].rows).front() == 20);
  CHECK(overtaken[2].channel == 6);
  e.x.open(1, 10'000);
  REQUIRE(e.port.sent.size() == 5);
  CHECK(std::holds_alternative<barrier>(e.port.sent[2].what));  // ahead of what had waited
  REQUIRE(e.x.give_back(0, e.port.sent[0].charge()));
  REQUIRE(e.x.give_back(0, charge_of(10)));
  CHECK(e.port.rows<std::int64_t>()[5] == numbers(25));
  CHECK_FALSE(e.x.is_blocked());
}

}  // namespace exchange_test
