#include "millrace/stream/input_watermarks.hpp"

#include <algorithm>

namespace millrace {

namespace {

std::size_t input_count_of(const std::vector<std::uint32_t>& input_of_channel) {
  return input_of_channel.empty()
             ? 0
             : *std::max_element(input_of_channel.begin(), input_of_channel.end()) + 1;
}

/// The later of two changes of one event, where they speak of the same.
void merge_into(watermark_change& first, const watermark_change& then) {
  if (then.watermark) first.watermark = then.watermark;
  if (then.status) first.status = then.status;
}

}  // namespace

input_watermarks::input_watermarks(const std::vector<std::uint32_t>& input_of_channel)
    : channels_of_(input_count_of(input_of_channel)), all_(channels_of_.size()) {
  for (std::uint32_t c = 0; c < input_of_channel.size(); ++c) {
    auto& channels = channels_of_[input_of_channel[c]];
    places_.push_back({input_of_channel[c], static_cast<std::uint32_t>(channels.size())});
    channels.push_back(c);
  }
  for (const auto& channels : channels_of_) inputs_.emplace_back(channels.size());
}

watermark_change input_watermarks::on_watermark(std::uint32_t channel, timestamp_ms at) {
  const auto [input, index] = places_.at(channel);
  return pass_on(input, inputs_[input].on_watermark(index, at));
}

watermark_change input_watermarks::on_status(std::uint32_t channel, stream_status now) {
  const auto [input, index] = places_.at(channel);
  return pass_on(input, inputs_[input].on_status(index, now));
}

watermark_change input_watermarks::on_end(std::uint32_t channel) {
  const auto [input, index] = places_.at(channel);
  return pass_on(input, inputs_[input].on_end(index));
}

watermark_change input_watermarks::pass_on(std::uint32_t input, const watermark_change& change) {
  watermark_change outcome;
  if (change.status == stream_status::active)
    merge_into(outcome, all_.on_status(input, stream_status::active));
  if (change.watermark) merge_into(outcome, all_.on_watermark(input, *change.watermark));
  if (change.status == stream_status::idle)
    merge_into(outcome, all_.on_status(input, stream_status::idle));
  return outcome;
}

input_progress input_watermarks::progress(std::size_t input) const {
  const auto& merge = inputs_.at(input);
  input_progress progress{merge.watermark(), merge.is_idle(), std::nullopt};
  if (const auto index = merge.holding_back()) progress.held_back_by = channels_of_[input][*index];
  return progress;
}

}  // namespace millrace
