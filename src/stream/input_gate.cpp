#include "millrace/stream/input_gate.hpp"

#include <algorithm>
#include <string>

#include "millrace/core/mutant.hpp"

namespace millrace {

namespace {

/// Whether the first that waits is a batch from a checkpoint; for a mutant.
bool is_replay_ahead(const std::deque<element>& waiting) {
  if (waiting.empty()) return false;
  const auto* first = std::get_if<record_batch>(&waiting.front());
  return first != nullptr && first->charge == 0;
}

}  // namespace

input_gate::input_gate(std::vector<std::uint32_t> input_of_channel)
    : channels_(input_of_channel.size()),
      open_channels_(static_cast<std::uint32_t>(input_of_channel.size())),
      unclosed_channels_(open_channels_) {
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
  const bool is_control = std::holds_alternative<barrier>(e) ||
                          std::holds_alternative<cancel_barrier>(e) ||
                          std::holds_alternative<end_of_input>(e);
  if (c.data_ended && !is_control)
    return fail(errc::protocol, "an element arrived on channel " + std::to_string(channel) +
                                    " after the end of its data");
  if (const auto* data = std::get_if<record_batch>(&e)) {
    if (!data->rows)
      return fail(errc::protocol,
                  "a batch without rows arrived on channel " + std::to_string(channel));
    queued_bytes_ += data->charge;
  } else if (std::holds_alternative<end_of_input>(e)) {
    c.end_received = true;
  } else if (std::holds_alternative<end_of_data>(e)) {
    c.data_ended = true;
  }
  ++c.received;
  if (c.waiting.empty() && !c.is_blocked) ready_.push_back(channel);
  if (MILLRACE_MUTANT(replayed_behind_new_input) && is_replay_ahead(c.waiting))
    c.waiting.push_front(std::move(e));
  else
    c.waiting.push_back(std::move(e));
  return {};
}

status input_gate::replay(std::uint32_t channel, batch_ptr rows) {
  return push(channel, record_batch{std::move(rows), 0}).map([&] {
    --channels_[channel].received;
  });
}

bool input_gate::collect_ahead_of(checkpoint_id checkpoint, std::uint32_t channel,
                                  in_flight_batches& found) const {
  const auto& c = channels_[channel];
  bool is_here = false;
  for (const auto& each : c.waiting) {
    if (const auto* cut = std::get_if<barrier>(&each); cut && cut->checkpoint == checkpoint) {
      is_here = true;
      if (!MILLRACE_MUTANT(recorded_beyond_barrier)) break;
    } else if (const auto* data = std::get_if<record_batch>(&each)) {
      if (!MILLRACE_MUTANT(queued_batch_not_recorded))
        found.push_back({channel_end::receiver, channel, data->rows});
    }
  }
  return is_here || c.end_received;
}

std::optional<input_gate::arrival> input_gate::next() {
  if (ready_.empty()) return std::nullopt;
  const auto channel = ready_.front();
  ready_.pop_front();
  auto& c = channels_[channel];
  arrival taken{channel, std::move(c.waiting.front()), false};
  c.waiting.pop_front();
  if (!c.waiting.empty()) ready_.push_back(channel);
  if (const auto* data = std::get_if<record_batch>(&taken.what)) {
    queued_bytes_ -= data->charge;
    return taken;
  }
  const bool is_end = std::holds_alternative<end_of_input>(taken.what);
  if (is_end) --unclosed_channels_;
  if ((is_end && !c.end_of_data_taken) || std::holds_alternative<end_of_data>(taken.what)) {
    c.end_of_data_taken = taken.ends_data = true;
    --open_channels_of_[c.input];
    --open_channels_;
    if (MILLRACE_MUTANT(one_end_ends_all)) open_channels_ = open_channels_of_[c.input] = 0;
  }
  return taken;
}

void input_gate::block(std::uint32_t channel) {
  auto& c = channels_[channel];
  if (c.is_blocked) return;
  c.is_blocked = true;
  if (!c.waiting.empty()) std::erase(ready_, channel);
}

void input_gate::unblock_all() {
  for (std::uint32_t channel = 0; channel < channels_.size(); ++channel) {
    auto& c = channels_[channel];
    if (!c.is_blocked) continue;
    c.is_blocked = false;
    if (!c.waiting.empty()) ready_.push_back(channel);
  }
}

}  // namespace millrace
