#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace millrace {

/// The sender's half of a channel's flow control. The receiver grants a capacity in bytes when it
/// opens the channel; a batch is charged before it is sent and its charge comes back when the
/// receiver has processed it. Mailboxes and sockets buffer without bound, so this is what bounds
/// memory: never more than `capacity` bytes are under way.
///
/// Each batch is charged its bytes and a fixed cost besides, for the objects and the message around
/// them: many batches of a few rows must not pass for nothing.
///
/// A batch larger than the whole window is charged the whole window and so travels alone.
/// Invariant: 0 <= available <= capacity.
class credit_window {
 public:
  static constexpr std::uint64_t batch_overhead_bytes = 256;

  /// Opens or widens the window. Until then nothing can be sent.
  void grant(std::uint64_t bytes) noexcept {
    bytes = std::min(bytes, std::numeric_limits<std::uint64_t>::max() - capacity_);
    capacity_ += bytes;
    available_ += bytes;
  }

  std::uint64_t charge_for(std::uint64_t bytes) const noexcept {
    const auto bytes_max = capacity_ - std::min(batch_overhead_bytes, capacity_);
    return std::min(bytes, bytes_max) + (capacity_ - bytes_max);
  }

  /// Takes the charge of a batch of `bytes` bytes; 0 if it must wait.
  std::uint64_t try_charge(std::uint64_t bytes) noexcept {
    const auto charge = charge_for(bytes);
    if (charge == 0 || charge > available_) return 0;
    available_ -= charge;
    return charge;
  }

  /// The receiver is done with `charge` bytes. False if it returns more than it was sent, which
  /// only a broken peer does.
  [[nodiscard]] bool give_back(std::uint64_t charge) noexcept {
    if (charge > capacity_ - available_) return false;
    available_ += charge;
    return true;
  }

  std::uint64_t available() const noexcept { return available_; }
  std::uint64_t capacity() const noexcept { return capacity_; }
  std::uint64_t in_flight() const noexcept { return capacity_ - available_; }
  bool is_open() const noexcept { return capacity_ != 0; }

 private:
  std::uint64_t capacity_ = 0;
  std::uint64_t available_ = 0;
};

}  // namespace millrace
