#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "millrace/stream/element.hpp"
#include "millrace/stream/task_snapshot.hpp"

namespace millrace {

/// Unaligned snapshots of a task whose channels are still being recorded, or whose state is still
/// being written. What comes on a channel
/// between the snapshot and the channel's barrier was emitted before its sender's snapshot and is
/// processed after ours, so it belongs to the state of the channel (Chandy and Lamport 1985;
/// Flink's ChannelStatePersister). When the last barrier has come, and the state is written, the
/// snapshot is whole.
///
/// A channel that ends has no barrier and needs none. A snapshot is given up with its checkpoint,
/// or when a channel has left its barrier out. More than one may be under way, as a channel may
/// bring the barrier of the next checkpoint while another one owes that of the last.
///
/// Plain; owned by the task.
class channel_recorder {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  /// A snapshot without its state, of which `awaited` says, by channel, whether its barrier is
  /// still to come.
  void begin(task_snapshot snapshot, std::vector<bool> awaited, time_point now);
  /// An element has come. Before it is processed, in the order of its channel.
  void on_element(std::uint32_t channel, const element& e);
  /// The state of the snapshot is written. Nothing happens if that was given up.
  void add_state(checkpoint_id checkpoint, std::vector<operator_snapshot> state);
  /// There will be no such checkpoint.
  void give_up(checkpoint_id checkpoint);

  bool is_idle() const noexcept { return recordings_.empty(); }
  /// The snapshots that are whole, oldest first.
  std::vector<task_snapshot> take_whole(time_point now);

 private:
  struct recording {
    task_snapshot snapshot;
    std::vector<bool> awaited;  // by channel
    std::size_t open = 0;       // how many of them are
    bool has_state = false;
    time_point begun;
  };

  std::vector<recording> recordings_;  // ascending
};

}  // namespace millrace
