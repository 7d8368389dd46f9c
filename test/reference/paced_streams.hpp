#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "reference/merged_inputs.hpp"
#include "reference/random_stream.hpp"

namespace millrace::test::reference {

/// The events of a random stream, dealt out to several that take turns: at each tick of a clock one
/// of them has its next event, which may be followed by a watermark of that stream alone, or none
/// has one. A stream is idle from before the second tick on that brings it nothing. So what event
/// time is behind all of them, and which events are late, is a matter of the seed alone.
class paced_streams {
 public:
  paced_streams(random_numbers& random, std::size_t streams) : count_(streams) {
    random_stream events(random, 0);
    std::size_t whose = 0;
    while (events.has_next() && turns_.size() < ticks_max) {
      if (random.one_of(12))
        turns_.resize(turns_.size() + static_cast<std::size_t>(random.upto(1, 3)));
      if (random.one_of(3))
        whose = static_cast<std::size_t>(random.upto(0, static_cast<std::int64_t>(streams) - 1));
      const auto e = events.next();
      turns_.push_back(turn{whose, e, events.next_watermark()});
      turn_of_.push_back(turns_.size() - 1);
    }
    turns_.emplace_back();  // all streams end together, with nothing
  }

  std::size_t ticks() const { return turns_.size(); }
  /// Null if the stream has none then.
  const event* event_of(std::size_t stream, std::size_t tick) const {
    const auto& now = turns_[tick];
    return now && now->stream == stream ? &now->what : nullptr;
  }
  /// Values tell events apart.
  std::size_t stream_of(const event& e) const { return turn_with(e).stream; }
  const std::optional<timestamp_ms>& watermark_behind(const event& e) const {
    return turn_with(e).watermark;
  }

  /// In the order in which it happens: `on_event(stream, event)` for each, and
  /// `on_watermark(timestamp)` where event time moves behind all streams. Returns how often one of
  /// them became idle before its last event.
  template <class OnEvent, class OnWatermark>
  std::int64_t replay(OnEvent&& on_event, OnWatermark&& on_watermark) const {
    merged_inputs inputs(count_);
    std::vector<std::size_t> quiet_ticks(count_, 0);
    std::int64_t came_back = 0;
    const auto move = [&](const std::optional<timestamp_ms>& reached) {
      if (reached) on_watermark(*reached);
    };
    for (const auto& now : turns_) {
      for (std::size_t s = 0; s < count_; ++s)
        if (++quiet_ticks[s] == 2) move(inputs.say(s, stream_status::idle));
      if (!now) continue;
      came_back += inputs.is_active(now->stream) ? 0 : 1;
      quiet_ticks[now->stream] = 0;
      move(inputs.say(now->stream, stream_status::active));
      on_event(now->stream, now->what);
      if (now->watermark) move(inputs.say(now->stream, *now->watermark));
    }
    return came_back;
  }

 private:
  struct turn {
    std::size_t stream = 0;
    event what;
    std::optional<timestamp_ms> watermark;
  };

  /// Simulated seconds cost little, but not nothing.
  static constexpr std::size_t ticks_max = 60;

  const turn& turn_with(const event& e) const {
    return *turns_[turn_of_[static_cast<std::size_t>(e.value)]];
  }

  std::size_t count_;
  std::vector<std::optional<turn>> turns_;
  std::vector<std::size_t> turn_of_;  // by value
};

}  // namespace millrace::test::reference
