#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <vector>

#include "millrace/stream/element.hpp"

namespace millrace {

/// Decides when a task takes its snapshot: when the barrier of a checkpoint has come on all its
/// input channels (Flink's SingleCheckpointBarrierHandler and CheckpointBarrierTracker). Until
/// then, with `exactly_once`, the channels whose barrier has come are not read, so what waits in
/// them is bounded by their credit; with `at_least_once` they are, and what is read may count twice
/// after a restart.
///
/// An `unaligned` barrier does not wait for the others, nor to be read: it counts when it arrives.
/// What is on its way then becomes part of the snapshot; `has_come` says on which channels nothing
/// more of that is. But channels that are kept in order are aligned all the same. A checkpoint that
/// is `aligned_at_first` becomes unaligned here when it was not aligned in time, or when it has
/// become so at a task upstream.
///
/// - A barrier of a checkpoint that is over, was given up, or that is older than one under way, is
///   ignored, as is one that comes twice.
/// - A barrier of a newer one ends an older one, whose barriers somebody has left out: at once with
///   `exactly_once`, when the newer one is complete with `at_least_once`.
/// - A trigger ends none: barriers of older ones may still come, from tasks that have ended since.
///   Several that only wait for channels to close are complete together.
/// - A channel that is closed has no more barriers; it counts as if they had come.
/// - A task none of whose channels will bring one is triggered; one that is triggered while some of
///   its channels are still to be closed waits for that, unless it is unaligned.
///
/// Plain; owned by the task.
class barrier_aligner {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  struct aligned_cut {
    barrier cut;                           ///< To be passed on.
    std::chrono::nanoseconds alignment{};  ///< From the first barrier to the last.
    /// By channel, for a snapshot that may be unaligned: its barrier was read, or it is closed.
    std::vector<bool> has_come;
  };

  /// What the task is to do, in this order.
  struct decision {
    bool release = false;                    ///< Read all channels again,
    bool block = false;                      ///< but not this one.
    std::optional<checkpoint_id> cancelled;  ///< Tell those downstream.
    std::vector<aligned_cut> aligned{};      ///< Take these snapshots, ascending.
  };

  /// `alignment_max` is how long a checkpoint may be aligned that is so at first.
  explicit barrier_aligner(std::uint32_t channels, std::chrono::nanoseconds alignment_max = {})
      : alignment_max_(alignment_max),
        is_closed_(channels),
        keeps_order_(channels),
        open_(channels) {}

  /// Nothing overtakes anything on this channel. Before all else.
  void keep_order(std::uint32_t channel);

  /// A barrier has arrived, and waits to be read behind what came before it.
  decision on_arrival(std::uint32_t channel, const barrier& cut, time_point now);
  /// A barrier was read.
  decision on_barrier(std::uint32_t channel, const barrier& cut, time_point now);
  decision on_cancel(std::uint32_t channel, checkpoint_id checkpoint);
  /// Nothing follows on this channel.
  decision on_closed(std::uint32_t channel, time_point now);
  /// The job master says that no barrier will come.
  decision on_trigger(const barrier& cut, time_point now);
  /// The job master has given the checkpoint up.
  decision on_abort(checkpoint_id checkpoint);
  /// What `deadline` said has come.
  decision on_time(time_point now);
  /// When the checkpoint that is being aligned becomes unaligned.
  std::optional<time_point> deadline() const;

  /// Whether barriers of a checkpoint have come, but not all.
  bool is_aligning() const noexcept { return !pending_.empty(); }

 private:
  /// Aborted checkpoints that are remembered; older ones count as over.
  static constexpr std::size_t given_up_max = 64;

  struct alignment {
    barrier cut;
    time_point begun;
    std::vector<bool> has_come;          // by channel
    std::uint32_t awaited = 0;           // open channels whose barrier has not come
    std::uint32_t awaited_in_order = 0;  // those of them that keep their order
    bool blocks_channels = false;
  };

  bool is_over(checkpoint_id checkpoint) const;
  static bool is_complete(const alignment& pending);
  static bool is_aligned_at_first(const alignment& pending);
  std::deque<alignment>::iterator place_of(checkpoint_id checkpoint);
  /// Null if there can be none: it is older than one that blocks channels. Ends older ones.
  alignment* find_or_begin(const barrier& cut, time_point now, decision& result);
  alignment* begin(const barrier& cut, time_point now);
  void note_come(alignment& pending, std::uint32_t channel);
  void complete_what_is_there(time_point now, decision& result);
  void give_up(checkpoint_id checkpoint, decision& result);
  void drop_until(checkpoint_id last, decision& result);

  std::chrono::nanoseconds alignment_max_;
  std::vector<bool> is_closed_;
  std::vector<bool> keeps_order_;
  std::uint32_t open_;
  std::uint32_t open_in_order_ = 0;
  std::deque<alignment> pending_;     // ascending; at most one that blocks channels
  checkpoint_id last_done_;           // it and all before are over
  std::set<checkpoint_id> given_up_;  // later ones that are over, too
};

}  // namespace millrace
