#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <tuple>
#include <utility>
#include <vector>

#include "millrace/core/key_group.hpp"
#include "millrace/state/keyed_table.hpp"
#include "millrace/state/ordered_entries.hpp"
#include "millrace/state/state_namespace.hpp"
#include "millrace/state/timer_order.hpp"

namespace millrace {

/// A timer that was registered.
template <class Key, class N>
struct timer {
  std::int64_t timestamp = 0;  ///< Milliseconds since the epoch.
  Key key{};                   ///< Whose it is.
  N ns{};                      ///< The namespace it was registered in.
};

/// Timers in the order of their timestamps, one for each key, namespace and timestamp (Flink's
/// KeyGroupPartitionedPriorityQueue of HeapPriorityQueueSets): a set of what is registered, and a
/// timer_order. All operations take logarithmic time.
///
/// Timers of equal timestamp come out in the order of their key groups, within a group in the order
/// of registration; a restored group keeps that order.
template <class Key, class N>
class timer_queue final : private entry_saver {
 public:
  /// For keys of `groups`.
  timer_queue(key_group_range groups, std::uint32_t max_parallelism)
      : max_parallelism_(max_parallelism),
        timers_(groups, max_parallelism),
        order_(groups.size()) {}

  /// False if it is there already.
  bool add(std::uint64_t hash_of_key, const Key& key, const N& ns, std::int64_t timestamp) {
    const identity_view who(key, ns, timestamp);
    const auto hash = hash_of_timer(hash_of_key, ns, timestamp);
    if (!timers_.find_or_make(hash, who, [] { return nothing(); }).second) return false;
    order_.push(group_of(hash_of_key), timestamp);
    return true;
  }

  /// False if it is not there.
  bool remove(std::uint64_t hash_of_key, const Key& key, const N& ns, std::int64_t timestamp) {
    const auto hash = hash_of_timer(hash_of_key, ns, timestamp);
    const auto* found = timers_.find_entry(hash, identity_view(key, ns, timestamp));
    if (found == nullptr) return false;
    const auto group = group_of(hash_of_key);
    remove_at({group, static_cast<std::uint32_t>(found - timers_.entries_of(group).data())});
    return true;
  }

  /// Whether there is no timer.
  bool empty() const noexcept { return order_.empty(); }
  /// Number of timers, over all keys and namespaces.
  std::size_t size() const noexcept { return timers_.size(); }
  /// Of the earliest timer; the greatest number if there is none.
  std::int64_t next_timestamp() const noexcept { return order_.next_timestamp(); }
  /// Takes the earliest timer out. Not if it is empty.
  timer<Key, N> pop() {
    const auto first = order_.first();
    auto& [key, ns, timestamp] = timers_.entries_of(first.group)[first.entry].key;
    timer<Key, N> taken{timestamp, key, ns};
    remove_at(first);
    return taken;
  }

  /// `visit(const Key&, const N&, timestamp)` for the timers of a group, in their order.
  template <class Visit>
  void for_each_in_group(std::uint32_t group, Visit&& visit) {
    const auto offset = group - timers_.first_group();
    for (const auto entry : order_.entries_in_order(offset)) {
      const auto& [key, ns, timestamp] = timers_.entries_of(offset)[entry].key;
      visit(key, ns, timestamp);
    }
  }

  /// A snapshot begins: `encode(const Key&, const N&, timestamp)` is called for each timer of now,
  /// at the latest before it goes, and returns the views of its entry's parts.
  void freeze(std::function<encoded_entry(const Key&, const N&, std::int64_t)> encode) {
    encode_ = std::move(encode);
    saved_.resize(timers_.group_count());
    timers_.freeze(*this);
  }
  /// Gives a group's timers in their order to the section, where the group is selected; false if
  /// the budget was spent first.
  bool write_frozen(std::uint32_t group, snapshot_section& to, snapshot_budget& budget) {
    const auto offset = group - timers_.first_group();
    return timers_.write_frozen(offset, budget) && saved_[offset].move_to(to, budget);
  }
  /// There is no snapshot any more.
  void thaw() noexcept {
    timers_.thaw();
    saved_.clear();
  }

 private:
  using identity = std::tuple<Key, N, std::int64_t>;
  using identity_view = std::tuple<const Key&, const N&, const std::int64_t&>;
  struct nothing {};

  static std::uint64_t hash_of_timer(std::uint64_t hash_of_key, const N& ns,
                                     std::int64_t timestamp) {
    return scoped_hash(scoped_hash(hash_of_key, ns), timestamp);
  }
  std::uint32_t group_of(std::uint64_t hash_of_key) const noexcept {
    return key_group_of(hash_of_key, max_parallelism_) - timers_.first_group();
  }

  void remove_at(timer_order::place where) {
    const auto hash_of_identity = [](const identity& who) {
      return hash_of_timer(key_hash(std::get<0>(who)), std::get<1>(who), std::get<2>(who));
    };
    // A copy: the entry is gone before the table is through with it.
    const identity who = timers_.entries_of(where.group)[where.entry].key;
    timers_.erase(hash_of_identity(who), who, hash_of_identity);
    order_.remove(where);
  }

  std::size_t save(std::uint32_t group_offset, std::size_t first, std::size_t end) override {
    std::size_t written = 0;
    for (auto i = first; i < end; ++i) {
      const auto& [key, ns, timestamp] = timers_.entries_of(group_offset)[i].key;
      const auto entry = encode_(key, ns, timestamp);
      const timer_order::place where{group_offset, static_cast<std::uint32_t>(i)};
      written += saved_[group_offset].add({timestamp, order_.sequence_of(where)}, entry.key,
                                          entry.ns, entry.value);
    }
    return written;
  }

  std::uint32_t max_parallelism_;
  keyed_table<identity, nothing> timers_;
  timer_order order_;

  // Of the snapshot under way.
  std::function<encoded_entry(const Key&, const N&, std::int64_t)> encode_;
  std::vector<ordered_entries> saved_;  // by key group, from the first
};

}  // namespace millrace
