#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "millrace/stream/watermark_merge.hpp"

namespace millrace {

/// How far event time is on one logical input of a task, and which channel is behind.
struct input_progress {
  timestamp_ms watermark = no_timestamp;
  bool is_idle = false;
  std::optional<std::uint32_t> held_back_by;  ///< Input channel of the task.
};

/// Event time of a task: the channels of each logical input merged, and then the inputs (Flink's
/// StatusWatermarkValve and CombinedWatermarkStatus). Owned by the task.
class input_watermarks {
 public:
  /// `input_of_channel[c]` is the head operator's logical input that channel `c` feeds.
  explicit input_watermarks(const std::vector<std::uint32_t>& input_of_channel);

  /// What an element of a channel changes for the head operator.
  watermark_change on_watermark(std::uint32_t channel, timestamp_ms at);
  watermark_change on_status(std::uint32_t channel, stream_status now);
  watermark_change on_end(std::uint32_t channel);

  std::size_t input_count() const noexcept { return inputs_.size(); }
  input_progress progress(std::size_t input) const;
  /// What the head operator was told last.
  timestamp_ms watermark() const noexcept { return all_.watermark(); }

 private:
  struct place {
    std::uint32_t input = 0;
    std::uint32_t index = 0;  // among the channels of the input
  };

  watermark_change pass_on(std::uint32_t input, const watermark_change& change);

  std::vector<place> places_;                            // by channel
  std::vector<std::vector<std::uint32_t>> channels_of_;  // by input
  std::vector<watermark_merge> inputs_;
  watermark_merge all_;
};

}  // namespace millrace
