#include "millrace/stream/barrier_aligner.hpp"

#include <doctest/doctest.h>

namespace barrier_aligner_test {

using namespace millrace;
using namespace std::chrono_literals;

namespace {

struct aligned_channels {
  barrier_aligner aligner;
  barrier_alignment how = barrier_alignment::exactly_once;
  barrier_aligner::time_point now{};

  explicit aligned_channels(std::uint32_t channels,
                            barrier_alignment alignment = barrier_alignment::exactly_once)
      : aligner(channels), how(alignment) {}

  barrier cut(std::uint64_t n) const { return {{n}, checkpoint_kind::checkpoint, how}; }
  barrier_aligner::decision on(std::uint32_t channel, std::uint64_t n) {
    return aligner.on_barrier(channel, cut(n), now);
  }
};

using numbers = std::vector<std::uint64_t>;

numbers snapshots_in(const barrier_aligner::decision& d) {
  numbers all;
  for (const auto& each : d.aligned) all.push_back(each.cut.checkpoint.number);
  return all;
}
std::uint64_t snapshot_in(const barrier_aligner::decision& d) {
  REQUIRE(d.aligned.size() <= 1);
  return d.aligned.empty() ? 0 : d.aligned[0].cut.checkpoint.number;
}
bool is_nothing(const barrier_aligner::decision& d) {
  return !d.release && !d.block && !d.cancelled && d.aligned.empty();
}

}  // namespace

TEST_CASE("one channel is aligned with its barrier") {
  aligned_channels a(1);
  const auto d = a.on(0, 1);
  CHECK(snapshot_in(d) == 1);
  CHECK_FALSE(d.block);
  CHECK(d.aligned[0].alignment == 0ns);
}

TEST_CASE("channels wait for the last barrier, and then all go on") {
  aligned_channels a(3);
  CHECK(a.on(1, 1).block);
  CHECK(a.aligner.is_aligning());
  CHECK(a.on(0, 1).block);
  CHECK(is_nothing(a.on(1, 1)));  // twice
  a.now += 5ms;
  const auto d = a.on(2, 1);
  CHECK(snapshot_in(d) == 1);
  CHECK(d.release);
  CHECK_FALSE(d.block);
  CHECK(d.aligned[0].alignment == 5ms);
  CHECK_FALSE(a.aligner.is_aligning());
  CHECK(is_nothing(a.on(0, 1)));  // obsolete
  CHECK(a.on(0, 2).block);
}

TEST_CASE("a newer barrier ends an alignment and begins its own") {
  aligned_channels a(2);
  CHECK(a.on(0, 1).block);
  const auto d = a.on(1, 2);
  CHECK(d.release);
  CHECK(d.block);
  CHECK(d.aligned.empty());
  CHECK(is_nothing(a.on(1, 1)));
  CHECK(snapshot_in(a.on(0, 2)) == 2);
}

TEST_CASE("an older barrier than the one under way is ignored") {
  aligned_channels a(2);
  CHECK(a.on(0, 2).block);
  CHECK(is_nothing(a.on(1, 1)));
  CHECK(snapshot_in(a.on(1, 2)) == 2);
}

TEST_CASE("a cancelled alignment is passed on once, and its barriers come for nothing") {
  aligned_channels a(3);
  a.on(0, 1);
  auto d = a.aligner.on_cancel(1, {1});
  CHECK(d.release);
  CHECK(d.cancelled == checkpoint_id{1});
  CHECK(is_nothing(a.aligner.on_cancel(2, {1})));
  CHECK(is_nothing(a.on(1, 1)));
  CHECK(is_nothing(a.on(2, 1)));
  // Also if it comes ahead of all barriers.
  d = a.aligner.on_cancel(0, {2});
  CHECK(d.cancelled == checkpoint_id{2});
  CHECK_FALSE(d.release);
  for (std::uint32_t c = 0; c < 3; ++c) CHECK(is_nothing(a.on(c, 2)));
  a.on(0, 3);
  a.on(1, 3);
  CHECK(snapshot_in(a.on(2, 3)) == 3);
}

TEST_CASE("what the job master gives up ends here, others do not") {
  aligned_channels a(2);
  a.on(0, 2);
  CHECK(is_nothing(a.aligner.on_abort({1})));
  CHECK(is_nothing(a.aligner.on_abort({3})));
  CHECK(a.aligner.is_aligning());
  const auto d = a.aligner.on_abort({2});
  CHECK(d.release);
  CHECK_FALSE(d.cancelled);
  CHECK(is_nothing(a.on(1, 2)));
  CHECK(is_nothing(a.on(1, 3)));
  CHECK(a.on(1, 4).block);
  for (std::uint64_t n = 5; n < 500; ++n) a.aligner.on_abort({n});
  CHECK(is_nothing(a.on(0, 30)));
  CHECK(a.on(0, 500).block);
}

TEST_CASE("a closed channel counts as aligned") {
  aligned_channels a(3);
  a.on(0, 1);
  CHECK(is_nothing(a.aligner.on_closed(1, a.now)));
  auto d = a.aligner.on_closed(2, a.now);
  CHECK(snapshot_in(d) == 1);
  CHECK(d.release);
  CHECK(snapshot_in(a.on(0, 2)) == 2);
  CHECK(is_nothing(a.aligner.on_closed(0, a.now)));
  CHECK(snapshot_in(a.aligner.on_trigger(a.cut(3), a.now)) == 3);
}

TEST_CASE("a channel that closes behind its barrier changes nothing") {
  aligned_channels a(2);
  a.on(0, 1);
  // It can't be read until it is released, but at least once it is.
  CHECK(is_nothing(a.aligner.on_closed(0, a.now)));
  CHECK(snapshot_in(a.on(1, 1)) == 1);
}

TEST_CASE("a task without inputs is aligned when it is triggered") {
  aligned_channels a(0);
  CHECK(snapshot_in(a.aligner.on_trigger(a.cut(1), a.now)) == 1);
  CHECK(is_nothing(a.aligner.on_trigger(a.cut(1), a.now)));
  a.aligner.on_abort({2});
  CHECK(is_nothing(a.aligner.on_trigger(a.cut(2), a.now)));
}

TEST_CASE("a triggered task waits for its channels to close") {
  aligned_channels a(2);
  CHECK(is_nothing(a.aligner.on_trigger(a.cut(1), a.now)));
  CHECK(is_nothing(a.aligner.on_closed(0, a.now)));
  CHECK(snapshot_in(a.aligner.on_closed(1, a.now)) == 1);
}

TEST_CASE("at least once no channel waits, and several checkpoints are under way") {
  aligned_channels a(2, barrier_alignment::at_least_once);
  CHECK(is_nothing(a.on(0, 1)));
  CHECK(is_nothing(a.on(0, 2)));
  CHECK(snapshot_in(a.on(1, 1)) == 1);
  CHECK(a.aligner.is_aligning());
  const auto d = a.on(1, 2);
  CHECK(snapshot_in(d) == 2);
  CHECK_FALSE(d.release);
  // One that is left out by somebody ends with a later one.
  a.on(0, 3);
  a.on(0, 4);
  CHECK(snapshot_in(a.on(1, 4)) == 4);
  CHECK(is_nothing(a.on(1, 3)));
  // A closing channel completes all.
  a.on(0, 5);
  a.on(0, 6);
  CHECK(snapshots_in(a.aligner.on_closed(1, a.now)) == numbers{5, 6});
}

TEST_CASE("a trigger ends no earlier checkpoint, whose barriers are still on their way") {
  aligned_channels a(3);
  SUBCASE("triggered, too") {
    a.aligner.on_trigger(a.cut(1), a.now);
    a.aligner.on_trigger(a.cut(2), a.now);
    a.aligner.on_closed(0, a.now);
    a.aligner.on_closed(1, a.now);
    const auto d = a.aligner.on_closed(2, a.now);
    CHECK(snapshots_in(d) == numbers{1, 2});
    CHECK_FALSE(d.release);
  }
  SUBCASE("of which some have come") {
    CHECK(a.on(0, 1).block);
    CHECK(is_nothing(a.aligner.on_trigger(a.cut(2), a.now)));
    CHECK(a.on(1, 1).block);
    SUBCASE("and which is complete") {
      const auto d = a.on(2, 1);
      CHECK(snapshot_in(d) == 1);
      CHECK(d.release);
    }
    SUBCASE("and which is given up") {
      CHECK(a.aligner.on_abort({1}).release);
    }
    SUBCASE("and which is the one that is kept") {
      CHECK_FALSE(a.aligner.on_abort({2}).release);
      CHECK(snapshot_in(a.on(2, 1)) == 1);
      return;
    }
    a.aligner.on_closed(0, a.now);
    a.aligner.on_closed(1, a.now);
    CHECK(snapshot_in(a.aligner.on_closed(2, a.now)) == 2);
  }
  SUBCASE("of which none has come") {
    a.aligner.on_trigger(a.cut(2), a.now);
    CHECK(a.on(0, 1).block);
    a.aligner.on_closed(1, a.now);
    const auto d = a.aligner.on_closed(2, a.now);
    CHECK(snapshot_in(d) == 1);
    CHECK(d.release);
    CHECK(snapshot_in(a.aligner.on_closed(0, a.now)) == 2);
  }
}

TEST_CASE("one that has begun with an arrival ends an older one when it is read") {
  aligned_channels a(2, barrier_alignment::aligned_at_first);
  a.aligner = barrier_aligner(2, 10ms);
  CHECK(is_nothing(a.aligner.on_arrival(0, a.cut(3), a.now)));
  const barrier savepoint{{2}, checkpoint_kind::savepoint, barrier_alignment::exactly_once};
  CHECK(a.aligner.on_barrier(0, savepoint, a.now).block);
  const auto d = a.on(1, 3);  // whose sender has left out the savepoint
  CHECK(d.release);
  CHECK(d.block);
  // Else what comes behind its barrier would be read when the savepoint is given up.
  CHECK_FALSE(a.aligner.on_abort({2}).release);
  CHECK(snapshot_in(a.on(0, 3)) == 3);
}

TEST_CASE("the time of what is aligned at first is not hidden by a trigger behind it") {
  aligned_channels a(2, barrier_alignment::aligned_at_first);
  a.aligner = barrier_aligner(2, 10ms);
  a.on(0, 1);
  const auto due = a.now + 10ms;
  a.how = barrier_alignment::exactly_once;  // a savepoint
  CHECK(is_nothing(a.aligner.on_trigger(a.cut(2), a.now)));
  CHECK(a.aligner.deadline() == due);
  const auto d = a.aligner.on_time(due);
  REQUIRE(snapshot_in(d) == 1);
  CHECK(d.release);
  CHECK(d.aligned[0].cut.alignment == barrier_alignment::unaligned);
}

TEST_CASE("an unaligned barrier counts when it arrives, once") {
  aligned_channels a(3, barrier_alignment::unaligned);
  const auto d = a.aligner.on_arrival(1, a.cut(1), a.now);
  REQUIRE(snapshot_in(d) == 1);
  CHECK(d.aligned[0].cut.alignment == barrier_alignment::unaligned);
  CHECK(d.aligned[0].has_come == std::vector<bool>{false, false, false});  // it was not read
  CHECK_FALSE(d.block);
  CHECK(is_nothing(a.aligner.on_arrival(0, a.cut(1), a.now)));
  CHECK(is_nothing(a.on(1, 1)));
  CHECK(is_nothing(a.on(2, 1)));
  CHECK(snapshot_in(a.aligner.on_arrival(0, a.cut(2), a.now)) == 2);
}

TEST_CASE("channels that keep their order are aligned before an unaligned snapshot") {
  aligned_channels a(3, barrier_alignment::unaligned);
  a.aligner.keep_order(1);
  CHECK(is_nothing(a.aligner.on_arrival(1, a.cut(1), a.now)));
  CHECK(is_nothing(a.aligner.on_arrival(0, a.cut(1), a.now)));
  CHECK(a.aligner.is_aligning());
  CHECK(a.on(0, 1).block);
  a.now += 5ms;
  const auto d = a.on(1, 1);
  CHECK(snapshot_in(d) == 1);
  CHECK(d.release);
  CHECK(d.aligned[0].alignment == 5ms);
  CHECK(d.aligned[0].has_come == std::vector<bool>{true, true, false});
  // One that is closed keeps nobody waiting.
  CHECK(is_nothing(a.aligner.on_arrival(2, a.cut(2), a.now)));
  CHECK(snapshot_in(a.aligner.on_closed(1, a.now)) == 2);
  CHECK(snapshot_in(a.aligner.on_arrival(2, a.cut(3), a.now)) == 3);
}

TEST_CASE("a triggered task does not wait for its channels to close if it is unaligned") {
  aligned_channels a(2, barrier_alignment::unaligned);
  a.aligner.on_closed(1, a.now);
  const auto d = a.aligner.on_trigger(a.cut(1), a.now);
  CHECK(snapshot_in(d) == 1);
  CHECK(d.aligned[0].has_come == std::vector<bool>{false, true});
}

TEST_CASE("what is not aligned in time becomes unaligned") {
  aligned_channels a(3, barrier_alignment::aligned_at_first);
  a.aligner = barrier_aligner(3, 10ms);
  CHECK_FALSE(a.aligner.deadline());
  CHECK(is_nothing(a.aligner.on_arrival(0, a.cut(1), a.now)));  // its time begins
  const auto due = a.now + 10ms;
  CHECK(a.aligner.deadline() == due);
  a.now += 9ms;
  CHECK(a.on(0, 1).block);
  CHECK(is_nothing(a.aligner.on_time(a.now)));
  a.now = due;
  const auto d = a.aligner.on_time(a.now);
  REQUIRE(snapshot_in(d) == 1);
  CHECK(d.aligned[0].cut.alignment == barrier_alignment::unaligned);
  CHECK(d.aligned[0].has_come == std::vector<bool>{true, false, false});
  CHECK(d.release);
  CHECK_FALSE(a.aligner.deadline());
}

TEST_CASE("what is aligned in time stays so, and time is short where others were late") {
  aligned_channels a(2, barrier_alignment::aligned_at_first);
  a.aligner = barrier_aligner(2, 10ms);
  a.on(0, 1);
  const auto d = a.on(1, 1);
  REQUIRE(snapshot_in(d) == 1);
  CHECK(d.aligned[0].cut.alignment == barrier_alignment::aligned_at_first);
  a.on(0, 2);
  const barrier late{{2}, checkpoint_kind::checkpoint, barrier_alignment::unaligned};
  const auto early = a.aligner.on_arrival(1, late, a.now);
  REQUIRE(snapshot_in(early) == 2);
  CHECK(early.aligned[0].cut.alignment == barrier_alignment::unaligned);
  CHECK(early.aligned[0].has_come == std::vector<bool>{true, false});
}

TEST_CASE("an aligned barrier that arrives does nothing yet") {
  aligned_channels a(2);
  CHECK(is_nothing(a.aligner.on_arrival(0, a.cut(1), a.now)));
  CHECK_FALSE(a.aligner.is_aligning());
}

}  // namespace barrier_aligner_test
