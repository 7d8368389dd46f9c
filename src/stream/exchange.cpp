#include "millrace/stream/exchange.hpp"

#include "millrace/core/assert.hpp"
#include "millrace/core/mutant.hpp"

namespace millrace {

exchange::exchange(element_port& port, std::uint32_t first_channel, std::uint32_t channels,
                   batch_limits limits, std::uint64_t record_bytes_max)
    : port_(port),
      first_channel_(first_channel),
      channels_(channels),
      limits_(limits),
      record_bytes_max_(record_bytes_max) {}

void exchange::send(std::uint32_t channel, batch_ptr rows) {
  const std::uint64_t bytes = rows->memory_bytes();
  if (bytes > record_bytes_max_ + limits_.bytes)
    throw failure(errc::invalid_data,
                  "a record of about " + std::to_string(bytes) +
                      " bytes is larger than the limit of " + std::to_string(record_bytes_max_) +
                      " bytes for records that leave a task: split it into smaller records");
  enqueue(channel, record_batch{std::move(rows)}, bytes);
}

void exchange::broadcast(const element& control) {
  for (std::uint32_t c = 0; c < channel_count(); ++c) enqueue(c, control, 0);
}

void exchange::overtake(const barrier& cut, in_flight_batches& overtaken) {
  for (std::uint32_t c = 0; c < channel_count(); ++c) {
    auto& waiting = channels_[c].waiting;
    for (const auto& each : waiting)
      if (const auto* data = std::get_if<record_batch>(&each.what);
          data != nullptr && !MILLRACE_MUTANT(overtaken_batch_lost))
        overtaken.push_back({channel_end::sender, first_channel_ + c, data->rows});
    element what = cut;
    if (try_send(c, what, 0)) continue;
    waiting.push_front({std::move(what), 0});
    ++waiting_;
  }
}

void exchange::send_again(std::uint32_t channel, batch_ptr rows) {
  if (MILLRACE_MUTANT(overtaken_batch_not_sent)) return;
  const std::uint64_t bytes = rows->memory_bytes();
  enqueue(channel, record_batch{std::move(rows)}, bytes);
}

void exchange::open(std::uint32_t channel, std::uint64_t bytes) {
  MILLRACE_ASSERT(channel < channels_.size(), "no such channel");
  channels_[channel].window.grant(bytes);
  send_what_is_covered(channel);
}

bool exchange::give_back(std::uint32_t channel, std::uint64_t charge) {
  MILLRACE_ASSERT(channel < channels_.size(), "no such channel");
  if (!channels_[channel].window.give_back(charge)) return false;
  send_what_is_covered(channel);
  return true;
}

std::uint64_t exchange::in_flight_bytes() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& c : channels_) sum += c.window.in_flight();
  return sum;
}

void exchange::enqueue(std::uint32_t channel, element what, std::uint64_t bytes) {
  auto& c = channels_[channel];
  const bool overtakes =
      (MILLRACE_MUTANT(end_overtakes_data) && std::holds_alternative<end_of_input>(what)) ||
      (MILLRACE_MUTANT(watermark_overtakes_data) && std::holds_alternative<watermark>(what)) ||
      (MILLRACE_MUTANT(barrier_overtakes_data) && std::holds_alternative<barrier>(what));
  if ((c.waiting.empty() || overtakes) && try_send(channel, what, bytes)) return;
  if (MILLRACE_MUTANT(blocked_batch_lost) && bytes != 0 && c.waiting.size() > 1) return;
  c.waiting.push_back({std::move(what), bytes});
  ++waiting_;
  waiting_bytes_ += bytes;
}

bool exchange::try_send(std::uint32_t channel, element& what, std::uint64_t bytes) {
  auto& window = channels_[channel].window;
  // Control elements cost nothing, but nobody is there to hear them before the channel is open.
  if (!window.is_open()) return false;
  if (auto* data = std::get_if<record_batch>(&what)) {
    data->charge = window.try_charge(bytes);
    if (data->charge == 0 && MILLRACE_MUTANT(credit_ignored)) data->charge = bytes;
    if (data->charge == 0) return false;
  }
  bytes_sent_ += bytes;
  ++channels_[channel].sent;
  port_.send(first_channel_ + channel, std::move(what));
  return true;
}

void exchange::send_what_is_covered(std::uint32_t channel) {
  auto& waiting = channels_[channel].waiting;
  while (!waiting.empty() && try_send(channel, waiting.front().what, waiting.front().bytes)) {
    --waiting_;
    waiting_bytes_ -= waiting.front().bytes;
    waiting.pop_front();
  }
}

}  // namespace millrace
