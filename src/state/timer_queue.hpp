#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include "millrace/core/key_group.hpp"
#include "millrace/state/indexed_heap.hpp"
#include "millrace/state/keyed_table.hpp"
#include "millrace/state/state_namespace.hpp"

namespace millrace {

/// A timer that was registered.
template <class Key, class N>
struct timer {
  std::int64_t timestamp = 0;  ///< Milliseconds since the epoch.
  Key key{};
  N ns{};
};

/// Timers in the order of their timestamps, one for each key, namespace and timestamp. A priority
/// queue per key group, each with a set of what is in it, and a queue over the groups (Flink's
/// KeyGroupPartitionedPriorityQueue of HeapPriorityQueueSets). All operations take logarithmic
/// time.
///
/// Timers of equal timestamp come out in the order of their key groups, within a group in the order
/// of registration; a restored group keeps that order.
template <class Key, class N>
class timer_queue {
 public:
  timer_queue(key_group_range groups, std::uint32_t max_parallelism)
      : max_parallelism_(max_parallelism),
        timers_(groups, max_parallelism),
        queues_(groups.size()),
        place_of_queue_(groups.size(), nowhere) {}

  /// False if it is there already.
  bool add(std::uint64_t hash_of_key, const Key& key, const N& ns, std::int64_t timestamp) {
    const identity_view who(key, ns, timestamp);
    const auto hash = hash_of_timer(hash_of_key, ns, timestamp);
    if (!timers_.find_or_make(hash, who, [] { return std::uint32_t{0}; }).second) return false;
    const auto q = queue_of(hash_of_key);
    auto& entries = timers_.entries_of(q);
    queues_[q].push({timestamp, next_sequence_++, static_cast<std::uint32_t>(entries.size() - 1)},
                    is_earlier, places_in(q));
    rank(q);
    return true;
  }

  /// False if it is not there.
  bool remove(std::uint64_t hash_of_key, const Key& key, const N& ns, std::int64_t timestamp) {
    const auto hash = hash_of_timer(hash_of_key, ns, timestamp);
    const auto* found = timers_.find(hash, identity_view(key, ns, timestamp));
    if (found == nullptr) return false;
    remove_at(queue_of(hash_of_key), *found);
    return true;
  }

  bool empty() const noexcept { return order_.empty(); }
  std::size_t size() const noexcept { return timers_.size(); }
  /// Of the earliest timer; the greatest number if there is none.
  std::int64_t next_timestamp() const noexcept {
    return empty() ? std::numeric_limits<std::int64_t>::max()
                   : queues_[order_.top()].top().timestamp;
  }
  /// Takes the earliest timer out. Not if it is empty.
  timer<Key, N> pop() {
    const std::uint32_t q = order_.top();
    const node first = queues_[q].top();
    auto& [key, ns, timestamp] = timers_.entries_of(q)[first.entry].key;
    timer<Key, N> taken{timestamp, key, ns};
    remove_at(q, 0);
    return taken;
  }

  /// `visit(const Key&, const N&, timestamp)` for the timers of a group, in their order.
  template <class Visit>
  void for_each_in_group(std::uint32_t group, Visit&& visit) {
    const std::uint32_t q = group - timers_.first_group();
    std::vector<node> nodes;
    nodes.reserve(queues_[q].size());
    for (std::size_t i = 0; i < queues_[q].size(); ++i) nodes.push_back(queues_[q][i]);
    std::sort(nodes.begin(), nodes.end(), is_earlier);
    for (const auto& n : nodes) {
      const auto& [key, ns, timestamp] = timers_.entries_of(q)[n.entry].key;
      visit(key, ns, timestamp);
    }
  }

 private:
  using identity = std::tuple<Key, N, std::int64_t>;
  using identity_view = std::tuple<const Key&, const N&, const std::int64_t&>;
  static constexpr std::uint32_t nowhere = 0xFFFFFFFFu;

  struct node {
    std::int64_t timestamp = 0;
    std::uint64_t sequence = 0;
    std::uint32_t entry =
        0;  ///< Number in the group's entries, each of which has its position here.
  };

  static bool is_earlier(const node& a, const node& b) noexcept {
    return std::tie(a.timestamp, a.sequence) < std::tie(b.timestamp, b.sequence);
  }
  static std::uint64_t hash_of_timer(std::uint64_t hash_of_key, const N& ns,
                                     std::int64_t timestamp) {
    return scoped_hash(scoped_hash(hash_of_key, ns), timestamp);
  }
  std::uint32_t queue_of(std::uint64_t hash_of_key) const noexcept {
    return key_group_of(hash_of_key, max_parallelism_) - timers_.first_group();
  }

  auto places_in(std::uint32_t q) {
    return [&entries = timers_.entries_of(q)](const node& n, std::size_t position) {
      entries[n.entry].value = static_cast<std::uint32_t>(position);
    };
  }

  void remove_at(std::uint32_t q, std::size_t position) {
    auto& entries = timers_.entries_of(q);
    const std::uint32_t entry = queues_[q][position].entry;
    queues_[q].erase(position, is_earlier, places_in(q));
    const auto hash_of_identity = [](const identity& who) {
      return hash_of_timer(key_hash(std::get<0>(who)), std::get<1>(who), std::get<2>(who));
    };
    timers_.erase(hash_of_identity(entries[entry].key), entries[entry].key, hash_of_identity,
                  [&](const auto& moved) { queues_[q][moved.value].entry = entry; });
    rank(q);
  }

  /// Puts a group's queue where its earliest timer belongs.
  void rank(std::uint32_t q) {
    const auto is_before = [this](std::uint32_t a, std::uint32_t b) {
      const auto first_of_a = queues_[a].top().timestamp;
      const auto first_of_b = queues_[b].top().timestamp;
      return first_of_a != first_of_b ? first_of_a < first_of_b : a < b;
    };
    const auto placed = [this](std::uint32_t queue, std::size_t position) {
      place_of_queue_[queue] = static_cast<std::uint32_t>(position);
    };
    const std::uint32_t place = place_of_queue_[q];
    if (queues_[q].empty()) {
      if (place == nowhere) return;
      order_.erase(place, is_before, placed);
      place_of_queue_[q] = nowhere;
    } else if (place == nowhere) {
      order_.push(q, is_before, placed);
    } else {
      order_.update(place, is_before, placed);
    }
  }

  std::uint32_t max_parallelism_;
  keyed_table<identity, std::uint32_t> timers_;  // to the position in the group's queue
  std::vector<indexed_heap<node>> queues_;       // by key group, from the first
  indexed_heap<std::uint32_t> order_;            // the queues that are not empty
  std::vector<std::uint32_t> place_of_queue_;    // in order_
  std::uint64_t next_sequence_ = 0;
};

}  // namespace millrace
