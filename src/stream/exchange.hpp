#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "millrace/core/error.hpp"
#include "millrace/stream/credit_window.hpp"
#include "millrace/stream/element.hpp"
#include "millrace/stream/in_flight_batch.hpp"
#include "millrace/stream/output.hpp"

namespace millrace {

/// Carries elements away from a task; implemented by the task's actor.
class element_port {
 public:
  virtual ~element_port() = default;
  /// Sends on the task's output channel `channel` (numbered over all its exchanges). Elements of a
  /// channel arrive in the order of the calls.
  virtual void send(std::uint32_t channel, element e) = 0;
};

/// The sending side of one edge between two vertices: a channel with a credit window for each
/// subtask that consumes from us. Elements that have no credit yet wait here in order; while any
/// wait, the task takes no further input, which is how back pressure moves upstream.
class exchange {
 public:
  exchange(element_port& port, std::uint32_t first_channel, std::uint32_t channels,
           batch_limits limits, std::uint64_t record_bytes_max);

  std::uint32_t channel_count() const noexcept {
    return static_cast<std::uint32_t>(channels_.size());
  }
  const batch_limits& limits() const noexcept { return limits_; }

  /// Queues a batch. Throws `failure` for a batch that is over the frame limit on its own.
  void send(std::uint32_t channel, batch_ptr rows);
  /// Queues a control element, behind the batches, on every channel.
  void broadcast(const element& control);

  /// Sends a barrier on every channel, ahead of all that waits, and appends the batches that it has
  /// overtaken. They still leave when there is credit. What else was overtaken tells of event time,
  /// which no checkpoint holds, or of an end that comes again after a restart.
  void overtake(const barrier& cut, in_flight_batches& overtaken);
  /// Queues a batch that a barrier had overtaken before the restart.
  void send_again(std::uint32_t channel, batch_ptr rows);

  /// The receiver of `channel` is there and grants credit.
  void open(std::uint32_t channel, std::uint64_t bytes);
  /// False if the receiver returned more than it was sent.
  [[nodiscard]] bool give_back(std::uint32_t channel, std::uint64_t charge);

  /// Whether elements wait for credit on any channel.
  bool is_blocked() const noexcept { return waiting_ != 0; }
  /// Bytes that wait for credit, over all channels.
  std::uint64_t waiting_bytes() const noexcept { return waiting_bytes_; }
  std::uint64_t in_flight_bytes() const noexcept;
  std::uint64_t bytes_sent() const noexcept { return bytes_sent_; }
  /// Elements of all kinds that have left on `channel`.
  std::uint64_t elements_sent(std::uint32_t channel) const noexcept {
    return channels_[channel].sent;
  }

 private:
  struct queued {
    element what;
    std::uint64_t bytes = 0;
  };
  struct outlet {
    credit_window window;
    std::deque<queued> waiting;
    std::uint64_t sent = 0;
  };

  void enqueue(std::uint32_t channel, element what, std::uint64_t bytes);
  bool try_send(std::uint32_t channel, element& what, std::uint64_t bytes);
  void send_what_is_covered(std::uint32_t channel);

  element_port& port_;
  std::uint32_t first_channel_;
  std::vector<outlet> channels_;
  batch_limits limits_;
  std::uint64_t record_bytes_max_;
  std::size_t waiting_ = 0;
  std::uint64_t waiting_bytes_ = 0;
  std::uint64_t bytes_sent_ = 0;
};

}  // namespace millrace
