#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "millrace/stream/element.hpp"

namespace millrace {

/// What an event changes for those downstream, to be told in this order: that time goes on here
/// (`active`), how far it is, that it does not go on for now (`idle`).
struct watermark_change {
  std::optional<timestamp_ms> watermark;
  std::optional<stream_status> status;
};

/// Brings the watermarks of several channels to one: the minimum over those that take part (Flink's
/// StatusWatermarkValve). A plain decision; what comes out never goes back.
///
/// - An idle channel does not take part. When it becomes active again it is waited for only from
///   the moment it has caught up with what came out already.
/// - When every channel is idle, so is the outcome, at the greatest watermark of any of them:
///   nobody is left who would hold it back.
/// - A channel that has ended, or that has sent `max_watermark`, does not take part any more. The
///   outcome is `max_watermark` when all have ended, and idle when those that have not are.
///   (Flink's valve would let the ended ones push it to the maximum, so that whatever an idle
///   channel sends later would be late.)
class watermark_merge {
 public:
  explicit watermark_merge(std::size_t channels);

  watermark_change on_watermark(std::size_t channel, timestamp_ms at);
  watermark_change on_status(std::size_t channel, stream_status now);
  watermark_change on_end(std::size_t channel);

  /// What has come out.
  timestamp_ms watermark() const noexcept { return watermark_; }
  bool is_idle() const noexcept { return is_idle_; }
  /// The channel with the smallest watermark of those that take part, the first of several: what
  /// event time waits for. None if no channel takes part.
  std::optional<std::size_t> holding_back() const noexcept { return holder_; }

 private:
  struct channel_state {
    timestamp_ms watermark = no_timestamp;
    bool is_active = true;
    bool takes_part = true;  ///< Active, not ended, and caught up with the outcome.
    bool has_ended = false;
  };

  watermark_change update();
  void find_holder() noexcept;

  std::vector<channel_state> channels_;
  std::optional<std::size_t> holder_;
  std::size_t active_;  // channels that are active and have not ended
  std::size_t open_;    // channels that have not ended
  timestamp_ms watermark_ = no_timestamp;
  bool is_idle_ = false;
};

}  // namespace millrace
