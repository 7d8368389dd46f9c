#include "millrace/stream/channel_recorder.hpp"

#include <doctest/doctest.h>

#include "support/stream_world.hpp"

namespace channel_recorder_test {

using namespace millrace;
using namespace millrace::test;
using namespace std::chrono_literals;

namespace {

struct recorded_channels {
  channel_recorder recorder;
  bool is_written = true;
  channel_recorder::time_point now{};

  void begin(std::uint64_t n, std::vector<bool> awaited) {
    task_snapshot snapshot;
    snapshot.cut = {{n}, checkpoint_kind::checkpoint, barrier_alignment::unaligned};
    snapshot.alignment = 3ms;
    recorder.begin(std::move(snapshot), std::move(awaited), now);
    if (is_written) recorder.add_state({n}, {});
  }
  void data(std::uint32_t channel, std::int64_t value) {
    recorder.on_element(channel, record_batch{batch_of<std::int64_t>({value}), 7});
  }
  void cut(std::uint32_t channel, std::uint64_t n) { recorder.on_element(channel, barrier{{n}}); }
  /// "1: 0/10 1/20" for checkpoint 1 with value 10 of channel 0, …
  std::string whole() {
    std::string text;
    for (const auto& each : recorder.take_whole(now)) {
      text += std::to_string(each.cut.checkpoint.number) + ":";
      for (const auto& [at, channel, rows] : each.in_flight) {
        CHECK(at == channel_end::receiver);
        text += " " + std::to_string(channel) + "/" +
                std::to_string(rows_of<std::int64_t>(*rows).front());
      }
      text += ";";
    }
    return text;
  }
};

}  // namespace

TEST_CASE("a snapshot is not whole before its state is written") {
  recorded_channels r;
  r.is_written = false;
  r.begin(1, {true});
  r.data(0, 10);
  r.cut(0, 1);
  CHECK(r.whole().empty());
  r.recorder.add_state({1}, {});
  CHECK(r.whole() == "1: 0/10;");
  r.begin(2, {false});
  r.recorder.give_up({2});
  r.recorder.add_state({2}, {});
  CHECK(r.whole().empty());
}

TEST_CASE("a snapshot is whole when the last awaited barrier has come") {
  recorded_channels r;
  CHECK(r.recorder.is_idle());
  r.begin(1, {true, false, true});
  r.data(0, 10);
  r.data(1, 20);  // its barrier had come
  r.data(2, 30);
  r.recorder.on_element(2, watermark{5});
  r.cut(0, 1);
  r.data(0, 11);
  CHECK(r.whole().empty());
  r.recorder.on_element(2, end_of_data{});
  r.now += 5ms;
  r.cut(2, 1);
  auto whole = r.recorder.take_whole(r.now);
  REQUIRE(whole.size() == 1);
  CHECK(whole[0].in_flight.size() == 2);
  CHECK(whole[0].alignment == 8ms);
  CHECK(r.recorder.is_idle());
}

TEST_CASE("a snapshot that waits for nothing is whole at once") {
  recorded_channels r;
  r.begin(4, {});
  CHECK(r.whole() == "4:;");
}

TEST_CASE("the end of a channel stands for its barrier") {
  recorded_channels r;
  r.begin(1, {true});
  r.data(0, 1);
  r.recorder.on_element(0, end_of_input{});
  CHECK(r.whole() == "1: 0/1;");
}

TEST_CASE("what is given up is not handed on") {
  recorded_channels r;
  r.begin(1, {true, true});
  r.recorder.give_up({1});
  CHECK(r.recorder.is_idle());
  r.begin(2, {true, true});
  r.recorder.on_element(0, cancel_barrier{{1}});
  CHECK_FALSE(r.recorder.is_idle());
  r.recorder.on_element(0, cancel_barrier{{2}});
  CHECK(r.recorder.is_idle());
  r.begin(3, {true, true});
  r.cut(0, 2);  // long over
  CHECK_FALSE(r.recorder.is_idle());
  r.cut(1, 4);  // the third was left out
  CHECK(r.recorder.is_idle());
}

TEST_CASE("two snapshots are recorded at once, each up to its own barrier") {
  recorded_channels r;
  r.begin(1, {false, true});
  r.data(1, 1);
  r.begin(2, {true, true});
  r.data(0, 2);
  r.data(1, 3);
  r.cut(0, 2);
  r.cut(1, 1);
  CHECK(r.whole() == "1: 1/1 1/3;");
  r.data(1, 4);
  r.cut(1, 2);
  CHECK(r.whole() == "2: 0/2 1/3 1/4;");
}

}  // namespace channel_recorder_test
