#include "millrace/stream/watermark_merge.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "millrace/stream/input_watermarks.hpp"

namespace watermark_merge_test {

using namespace millrace;

namespace {

using maybe_status = std::optional<stream_status>;
using maybe_time = std::optional<timestamp_ms>;

constexpr auto active = stream_status::active;
constexpr auto idle = stream_status::idle;

void check(const watermark_change& change, maybe_time at, maybe_status now = {}) {
  CHECK(change.watermark == at);
  CHECK(change.status == now);
}

}  // namespace

TEST_CASE("one channel's watermarks come out as they come in") {
  watermark_merge merge(1);
  check(merge.on_watermark(0, 5), 5);
  check(merge.on_watermark(0, 5), {});
  check(merge.on_watermark(0, 4), {});
  check(merge.on_watermark(0, 6), 6);
  CHECK(merge.watermark() == 6);
}

TEST_CASE("the outcome is the minimum, once every channel has a watermark") {
  watermark_merge merge(3);
  CHECK(merge.holding_back() == 0u);
  check(merge.on_watermark(0, 10), {});
  check(merge.on_watermark(1, 20), {});
  CHECK(merge.holding_back() == 2u);
  check(merge.on_watermark(2, 5), 5);
  CHECK(merge.holding_back() == 2u);
  check(merge.on_watermark(2, 30), 10);
  CHECK(merge.holding_back() == 0u);
  check(merge.on_watermark(1, 25), {});
}

TEST_CASE("an idle channel is not waited for") {
  watermark_merge merge(2);
  check(merge.on_watermark(0, 10), {});
  check(merge.on_status(1, idle), 10);
  CHECK(merge.holding_back() == 0u);
  check(merge.on_watermark(0, 12), 12);
  check(merge.on_watermark(1, 99), {});  // said while idle: not believed
}

TEST_CASE("a channel that becomes active is waited for when it has caught up") {
  watermark_merge merge(2);
  merge.on_watermark(1, 3);
  merge.on_status(1, idle);
  check(merge.on_watermark(0, 10), 10);
  check(merge.on_status(1, active), {});
  check(merge.on_watermark(0, 12), 12);  // the other one is still behind
  check(merge.on_watermark(1, 11), {});
  check(merge.on_watermark(0, 14), 14);
  check(merge.on_watermark(1, 14), {});
  check(merge.on_watermark(0, 20), {});  // from now on
  CHECK(merge.holding_back() == 1u);
  check(merge.on_watermark(1, 18), 18);
}

TEST_CASE("when every channel is idle so is the outcome, at the greatest watermark") {
  watermark_merge merge(3);
  merge.on_watermark(0, 10);
  merge.on_watermark(1, 20);
  merge.on_watermark(2, 5);
  check(merge.on_status(1, idle), {});
  check(merge.on_status(2, idle), 10);
  check(merge.on_status(0, idle), 20, idle);
  CHECK(merge.is_idle());
  CHECK_FALSE(merge.holding_back());
  check(merge.on_status(2, active), {}, active);
  check(merge.on_watermark(2, 19), {});
  check(merge.on_watermark(2, 21), 21);
}

TEST_CASE("a channel that has ended holds nobody back") {
  watermark_merge merge(2);
  merge.on_watermark(1, 7);
  check(merge.on_end(0), 7);
  check(merge.on_watermark(1, 9), 9);
  check(merge.on_watermark(0, 100), {});
  check(merge.on_end(1), max_watermark);
  check(merge.on_end(1), {});
}

TEST_CASE("the maximum watermark counts as the end") {
  watermark_merge merge(2);
  check(merge.on_watermark(0, max_watermark), {});
  check(merge.on_watermark(1, 3), 3);
  check(merge.on_watermark(1, max_watermark), max_watermark);
  CHECK(merge.watermark() == max_watermark);
}

TEST_CASE("what an idle channel sends later is not late because the others have ended") {
  watermark_merge merge(2);
  merge.on_watermark(0, 10);
  merge.on_watermark(1, 5);
  merge.on_status(1, idle);
  check(merge.on_end(0), {}, idle);
  CHECK(merge.watermark() == 10);
  check(merge.on_status(1, active), {}, active);
  check(merge.on_watermark(1, 15), 15);
  check(merge.on_end(1), max_watermark);
}

TEST_CASE("an idle channel that ends makes the outcome active for the end of time") {
  watermark_merge merge(1);
  check(merge.on_status(0, idle), {}, idle);
  check(merge.on_end(0), max_watermark, active);
}

TEST_CASE(
    "whatever happens, watermarks never go back and never pass a channel that is waited for") {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    std::mt19937 random(seed);
    const std::size_t channels = 1 + random() % 5;
    watermark_merge merge(channels);
    struct model {
      timestamp_ms at = no_timestamp;
      bool is_active = true, has_ended = false, is_aligned = true;
    };
    std::vector<model> all(channels);
    timestamp_ms last = no_timestamp;
    for (int event = 0; event < 200; ++event) {
      const std::size_t c = random() % channels;
      auto& m = all[c];
      watermark_change change;
      const auto what = random() % 100;
      if (what < 80) {
        const timestamp_ms at = static_cast<timestamp_ms>(random() % 20) + event / 4;
        if (m.is_active && !m.has_ended) m.at = std::max(m.at, at);
        if (m.is_active && m.at >= last) m.is_aligned = true;
        change = merge.on_watermark(c, at);
      } else if (what < 98) {
        const bool becomes_active = random() % 2 == 0;
        if (becomes_active != m.is_active) m.is_aligned = becomes_active && m.at >= last;
        m.is_active = becomes_active;
        change = merge.on_status(c, becomes_active ? active : idle);
      } else {
        m.has_ended = true;
        change = merge.on_end(c);
      }
      timestamp_ms expected = max_watermark, greatest = no_timestamp;
      bool any_active = false, any_open = false;
      for (const auto& other : all) {
        if (other.has_ended) continue;
        any_open = true;
        greatest = std::max(greatest, other.at);
        if (!other.is_active) continue;
        any_active = true;
        if (other.is_aligned) expected = std::min(expected, other.at);
      }
      if (any_open && !any_active) expected = greatest;
      if (any_active && expected == max_watermark) expected = last;  // nobody has caught up
      expected = std::max(expected, last);
      CHECK(merge.watermark() == expected);
      CHECK(change.watermark == (expected > last ? maybe_time(expected) : maybe_time()));
      CHECK(merge.is_idle() == (any_open && !any_active));
      last = expected;
    }
  }
}

TEST_CASE("a task's event time is the minimum over its inputs, each of several channels") {
  input_watermarks inputs({0, 1, 0});
  CHECK(inputs.input_count() == 2);
  check(inputs.on_watermark(0, 10), {});
  check(inputs.on_watermark(2, 12), {});
  CHECK(inputs.progress(0).watermark == 10);
  CHECK(inputs.progress(0).held_back_by == 0u);
  CHECK(inputs.progress(1).watermark == no_timestamp);
  CHECK(inputs.progress(1).held_back_by == 1u);
  check(inputs.on_watermark(1, 7), 7);
  check(inputs.on_watermark(1, 20), 10);
  check(inputs.on_watermark(0, 30), 12);
  CHECK(inputs.progress(0).held_back_by == 2u);
  CHECK(inputs.watermark() == 12);
}

TEST_CASE("an input that is idle as a whole does not hold back the others") {
  input_watermarks inputs({0, 0, 1});
  inputs.on_watermark(2, 50);
  inputs.on_watermark(0, 5);
  inputs.on_watermark(1, 6);
  check(inputs.on_status(0, idle), 6);
  check(inputs.on_status(1, idle), 50);
  CHECK(inputs.progress(0).is_idle);
  check(inputs.on_status(2, idle), {}, idle);
  check(inputs.on_status(1, active), {}, active);
  check(inputs.on_end(0), {});
  check(inputs.on_end(1), {}, idle);  // the other input is idle still
  check(inputs.on_end(2), max_watermark, active);
}

}  // namespace watermark_merge_test
