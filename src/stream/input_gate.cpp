#include "millrace/stream/input_gate.hpp"

#include <algorithm>
#include <string>

#include "millrace/core/mutant.hpp"

namespace millrace {

input_gate::input_gate(std::vector<std::uint32_t> input_of_channel)
    : channels_(input_of_channel.size()),
      open_channels_(static_cast<std::uint32_t>(input_of_channel.size())) {
  for (std::size_t c = 0; c < channels_.size(); ++c) {
    const auto input = input_of_channel[c];
    channels_[c].input = input;
    if (input >= open_channels_of_.size()) open_channels_of_.resize(input + 1);
    ++open_channels_of_[input];
  }
}

status input_gate::push(std::uint32_t channel, element e) {
  if (channel >= channels_.size())
    return fail(errc::protocol, "an element arrived for channel " + std::to_string(channel) +
                                    " of a task with " + std::to_string(channels_.size()));
  auto& c = channels_[channel];
  if (c.end_received)
    return fail(errc::protocol, "an element arrived on channel " + std::to_string(channel) +
                                    " after the end of its input");
  if (const auto* data = std::get_if<record_batch>(&e)) {
    if (!data->rows)
      return fail(errc::protocol,
                  "a batch without rows arrived on channel " + std::to_string(channel));
    queued_bytes_ += data->charge;
  } else if (std::holds_alternative<end_of_input>(e)) {
    c.end_received = true;
  }
  ++c.received;
  if (c.waiting.empty()) ready_.push_back(channel);
  c.waiting.push_back(std::move(e));
  return {};
}

std::optional<input_gate::arrival> input_gate::next() {
  if (ready_.empty()) return std::nullopt;
  const auto channel = ready_.front();
  ready_.pop_front();
  auto& c = channels_[channel];
  arrival taken{channel, std::move(c.waiting.front())};
  c.waiting.pop_front();
  if (!c.waiting.empty()) ready_.push_back(channel);
  if (const auto* data = std::get_if<record_batch>(&taken.what)) {
    queued_bytes_ -= data->charge;
  } else if (std::holds_alternative<end_of_input>(taken.what)) {
    --open_channels_of_[c.input];
    --open_channels_;
    if (MILLRACE_MUTANT(one_end_ends_all)) open_channels_ = open_channels_of_[c.input] = 0;
  }
  return taken;
}

}  // namespace millrace
