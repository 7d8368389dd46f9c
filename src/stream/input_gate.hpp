#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "millrace/core/error.hpp"
#include "millrace/stream/element.hpp"
#include "millrace/stream/in_flight_batch.hpp"

namespace millrace {

/// The receiving side of all channels of a task: a queue per channel, served fairly, one element
/// each in turn. Queues stay within the credit that was granted, because a batch's charge is
/// returned only after `next` has handed it out and it was processed. A channel that is blocked is
/// not served, so its queue grows to its credit and not beyond.
class input_gate {
 public:
  /// `input_of_channel[c]` is the head operator's logical input that channel `c` feeds.
  explicit input_gate(std::vector<std::uint32_t> input_of_channel);

  std::uint32_t channel_count() const noexcept {
    return static_cast<std::uint32_t>(channels_.size());
  }
  std::uint32_t input_of(std::uint32_t channel) const { return channels_.at(channel).input; }

  /// Refuses elements that a correct sender cannot send: of a channel there is not, after the end
  /// of the channel's input or data, or without a batch.
  status push(std::uint32_t channel, element e);

  /// Queues a batch that was on its way here as of the checkpoint that the task begins with. Before
  /// all else; its sender has charged nothing for it. Refused as by push().
  status replay(std::uint32_t channel, batch_ptr rows);
  /// Appends the batches that wait ahead of the barrier of `checkpoint`: all of them if it is not
  /// here. False if it is still to come, and not the end of the channel's input instead.
  bool collect_ahead_of(checkpoint_id checkpoint, std::uint32_t channel,
                        in_flight_batches& found) const;

  struct arrival {
    std::uint32_t channel = 0;
    element what;
    bool ends_data = false;  ///< No batch, watermark or status of this channel follows.
  };
  /// The next element in turn, if any waits. The ends of data and of input are reported once they
  /// are taken.
  std::optional<arrival> next();

  /// Hands out nothing of this channel until all are unblocked.
  void block(std::uint32_t channel);
  void unblock_all();

  bool is_empty() const noexcept { return ready_.empty(); }
  /// Whether the data of every channel of `input` have ended, as far as taken by `next`.
  bool has_ended(std::uint32_t input) const noexcept { return open_channels_of_[input] == 0; }
  bool have_all_ended() const noexcept { return open_channels_ == 0; }
  /// Whether the end of a channel's input is here, taken or not.
  bool has_end_come(std::uint32_t channel) const noexcept {
    return channels_[channel].end_received;
  }
  /// Elements of all kinds that have come on `channel`.
  std::uint64_t elements_received(std::uint32_t channel) const noexcept {
    return channels_[channel].received;
  }
  /// Whether nothing at all, no barrier either, is to come.
  bool have_all_closed() const noexcept { return unclosed_channels_ == 0; }
  std::uint32_t input_count() const noexcept {
    return static_cast<std::uint32_t>(open_channels_of_.size());
  }
  /// Charges of the batches that wait here.
  std::uint64_t queued_bytes() const noexcept { return queued_bytes_; }

 private:
  struct inlet {
    std::uint32_t input = 0;
    bool data_ended = false;  // as received
    bool end_received = false;
    std::uint64_t received = 0;
    bool end_of_data_taken = false;
    bool is_blocked = false;
    std::deque<element> waiting;
  };

  std::vector<inlet> channels_;
  std::deque<std::uint32_t> ready_;  // channels with waiting elements, each once, in turn
  std::vector<std::uint32_t> open_channels_of_;
  std::uint32_t open_channels_ = 0;      // whose data have not ended, as taken
  std::uint32_t unclosed_channels_ = 0;  // whose end of input was not taken
  std::uint64_t queued_bytes_ = 0;
};

}  // namespace millrace
