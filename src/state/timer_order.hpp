#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "millrace/state/indexed_heap.hpp"

namespace millrace {

/// The order of the timers of a timer_queue, which keeps whose they are: a priority queue per key
/// group, and a queue over the groups. Timers are known by their group and by their entry in it,
/// numbered from 0 without gaps.
///
/// Timers of equal timestamp come in the order of their key groups, within a group in the order of
/// registration.
class timer_order {
 public:
  /// A timer by its place.
  struct place {
    std::uint32_t group = 0;  ///< From the first of the subtask's groups.
    std::uint32_t entry = 0;  ///< In the group.
  };

  explicit timer_order(std::uint32_t groups) : queues_(groups), place_of_queue_(groups, nowhere) {}

  /// A timer whose entry is behind all others of its group.
  void push(std::uint32_t group, std::int64_t timestamp);
  /// Removes a timer; the group's last entry takes its place.
  void remove(place which);

  bool empty() const noexcept { return order_.empty(); }
  /// Of the earliest timer; the greatest number if there is none.
  std::int64_t next_timestamp() const noexcept {
    return empty() ? std::numeric_limits<std::int64_t>::max()
                   : queues_[order_.top()].heap.top().timestamp;
  }
  /// The earliest timer. Not if there is none.
  place first() const noexcept { return {order_.top(), queues_[order_.top()].heap.top().entry}; }
  /// Of timers with equal timestamp in one group, the first registered has the smallest.
  std::uint64_t sequence_of(place which) const noexcept {
    const queue& q = queues_[which.group];
    return q.heap[q.positions[which.entry]].sequence;
  }
  /// The entries of a group in the order of their timers.
  std::vector<std::uint32_t> entries_in_order(std::uint32_t group) const;

 private:
  static constexpr std::uint32_t nowhere = 0xFFFFFFFFu;

  struct node {
    std::int64_t timestamp = 0;
    std::uint64_t sequence = 0;
    std::uint32_t entry = 0;
  };
  struct queue {
    indexed_heap<node> heap;
    std::vector<std::uint32_t> positions;  // in the heap, by entry
  };

  static bool is_earlier(const node& a, const node& b) noexcept;
  /// Puts a group's queue where its earliest timer belongs.
  void rank(std::uint32_t group);

  std::vector<queue> queues_;                  // by key group, from the first
  indexed_heap<std::uint32_t> order_;          // the queues that are not empty
  std::vector<std::uint32_t> place_of_queue_;  // in order_
  std::uint64_t next_sequence_ = 0;
};

}  // namespace millrace
