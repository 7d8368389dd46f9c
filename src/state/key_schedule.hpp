#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/container/vector.hpp>

#include "millrace/core/codec.hpp"
#include "millrace/core/event_time.hpp"
#include "millrace/state/entry_encoder.hpp"
#include "millrace/state/snapshot_section.hpp"
#include "millrace/state/state_table.hpp"

namespace millrace {

/// Says which keys are due when, for operators that have something to do for many keys at few
/// different times, such as the ends of windows. Where `timer_service` finds each timer again by a
/// hash table and orders it in a heap, this appends a key to the list of its time and hands out
/// whole lists: the price is that nothing is ever looked up or taken back. An operator whose mind
/// may change keeps with the key which time counts, and ignores the others as they come.
///
/// Lives in memory, whatever the backend, and is part of its snapshots. Times come in their order,
/// the keys of one by key group and within a group in the order they were added, which a snapshot
/// keeps. A time of few keys, as there may be one for each millisecond, has one list for all
/// groups. Owned by the backend.
template <class Key>
class key_schedule final : public keyed_state_table_of<Key> {
 public:
  /// Keys that are due at the same time, with their hashes.
  struct block {
    std::span<Key> keys;                    ///< May be moved from.
    std::span<const std::uint64_t> hashes;  ///< Their key_hash, in the same order.
  };
  /// As many as are worth prefetching together.
  static constexpr std::size_t block_keys_max = 64;

  /// For keys of `groups`.
  key_schedule(state_info info, key_group_range groups, std::uint32_t max_parallelism)
      : info_(std::move(info)), groups_(groups), max_parallelism_(max_parallelism) {}

  /// `hash` is the key's key_hash.
  void add(std::uint64_t hash, Key key, timestamp_ms at) {
    auto& due = due_at(at);
    if (section_ != nullptr) [[unlikely]]
      freeze(due);
    if (due.lists.size() != groups_.size()) [[unlikely]] {
      if (due.lists.front().size() < few) return due.lists.front().add(std::move(key), hash);
      give_each_group_a_list(due);
    }
    due.lists[offset_of(hash)].add(std::move(key), hash);
  }

  /// `visit(timestamp_ms, block)` for all that is due until `at`, which is no longer there then.
  /// Keys that are added meanwhile for a time that has come follow in the same call; it must be
  /// later than the one at hand.
  template <class Visit>
  void advance(timestamp_ms at, Visit&& visit) {
    while (!times_.empty() && times_.begin()->first <= at) {
      auto due = times_.extract(times_.begin());
      recent_ = nullptr;
      if (section_ != nullptr) [[unlikely]] {
        // Earlier times were written when they came, so the entries stay in order.
        auto all = snapshot_budget::unlimited();
        write_time(due.key(), due.mapped(), all);
      }
      if (due.mapped().lists.size() != groups_.size()) sort_by_group(due.mapped().lists.front());
      for (auto& list : due.mapped().lists) visit_list(due.key(), list, visit);
      spare(std::move(due.mapped().lists));
    }
  }

  const state_info& info() const noexcept override { return info_; }

  void for_each_in_group(std::uint32_t group, state_entry_visitor& visitor) override {
    entry_encoder<Key, void_namespace> give(visitor);
    const auto offset = group - groups_.first;
    for (const auto& [at, due] : times_) {
      const bool has_own = due.lists.size() == groups_.size();
      const auto& list = due.lists[has_own ? offset : 0];
      for (std::size_t i = 0; i < list.size(); ++i)
        if (has_own || offset_of(list.hashes[i]) == offset) give(list.keys[i], {}, at);
    }
  }

  /// Keys are only ever added behind those of a time, or go with all of it: its part of the
  /// snapshot is the first so many, and how many is noted before it changes.
  void begin_snapshot(snapshot_section& to) override {
    section_ = &to;
    ++snapshot_;
    unwritten_from_ = no_timestamp;
    is_written_ = false;
  }
  /// One pass over the times writes all groups: a pass for each would walk through many times that
  /// have nothing of it.
  bool write_group(std::uint32_t, snapshot_budget& budget) override {
    if (is_written_) return true;
    for (auto time = times_.lower_bound(unwritten_from_); time != times_.end(); ++time) {
      unwritten_from_ = time->first;
      if (!write_time(time->first, time->second, budget)) return false;
    }
    return is_written_ = true;
  }
  void end_snapshot() noexcept override { section_ = nullptr; }

  status restore_entry(std::uint32_t group, const state_info&,
                       const encoded_entry& entry) override {
    Key key{};
    void_namespace ns;
    if (auto good = read_key(entry, group, max_parallelism_, key, ns); !good) return good;
    timestamp_ms at = 0;
    if (auto good = decode_bytes_into(entry.value, at); !good) return good;
    const auto hash = key_hash(key);
    add(hash, std::move(key), at);
    return {};
  }

 private:
  /// `std::vector<bool>` has no elements that could be pointed to.
  using key_column = std::conditional_t<std::is_same_v<Key, bool>, boost::container::vector<bool>,
                                        std::vector<Key>>;
  struct key_list {
    key_column keys;
    std::vector<std::uint64_t> hashes;
    // Of the snapshot that `due_keys` says: so many of the first keys belong to it, and are in it
    // already.
    std::size_t frozen = 0;
    std::size_t written = 0;

    std::size_t size() const noexcept { return hashes.size(); }
    void add(Key key, std::uint64_t hash) {
      keys.push_back(std::move(key));
      hashes.push_back(hash);
    }
  };
  struct due_keys {
    std::vector<key_list> lists;  // one for each group, or one for all
    std::uint64_t snapshot = 0;   // the last that knows how many keys it has
  };

  /// So many keys of a time share a list: what lists for 128 groups take is then spread over them.
  static constexpr std::size_t few = block_keys_max;
  /// Of as many times the lists are kept when they have become empty.
  static constexpr std::size_t spares_max = 16;

  std::uint32_t offset_of(std::uint64_t hash) const noexcept {
    return key_group_of(hash, max_parallelism_) - groups_.first;
  }

  void freeze(due_keys& due) {
    if (std::exchange(due.snapshot, snapshot_) == snapshot_) return;
    for (auto& list : due.lists) {
      list.frozen = list.size();
      list.written = 0;
    }
  }

  /// Writes on; false if the budget was spent first.
  bool write_time(timestamp_ms at, due_keys& due, snapshot_budget& budget) {
    freeze(due);
    for (auto& list : due.lists)
      if (!write_list(at, list, budget)) return false;
    return true;
  }

  bool write_list(timestamp_ms at, key_list& list, snapshot_budget& budget) {
    entry_encoder<Key, void_namespace> give(*section_);
    for (; list.written < list.frozen; ++list.written) {
      if (budget.is_spent()) return false;
      const auto before = section_->written();
      section_->select(offset_of(list.hashes[list.written]));
      give(list.keys[list.written], {}, at);
      budget.spend(section_->written() - before + snapshot_budget::bytes_per_entry);
    }
    return true;
  }

  template <class Visit>
  void visit_list(timestamp_ms at, key_list& list, Visit& visit) {
    for (std::size_t begin = 0; begin < list.size(); begin += block_keys_max) {
      const auto count = std::min(block_keys_max, list.size() - begin);
      visit(at, block{{list.keys.data() + begin, count}, {list.hashes.data() + begin, count}});
    }
    list.keys.clear();
    list.hashes.clear();
  }

  void sort_by_group(key_list& list) {
    std::array<std::uint8_t, few> order{};
    const auto end = order.begin() + list.size();
    std::iota(order.begin(), end, std::uint8_t{0});
    std::sort(order.begin(), end, [&](std::uint8_t a, std::uint8_t b) {
      return std::pair(offset_of(list.hashes[a]), a) < std::pair(offset_of(list.hashes[b]), b);
    });
    if (std::is_sorted(order.begin(), end)) return;
    key_list sorted;
    std::for_each(order.begin(), end,
                  [&](std::uint8_t i) { sorted.add(std::move(list.keys[i]), list.hashes[i]); });
    list = std::move(sorted);
  }

  void give_each_group_a_list(due_keys& due) {
    auto shared = std::move(due.lists.front());
    if (spares_.empty()) {
      due.lists.clear();
    } else {
      due.lists = std::move(spares_.back());
      spares_.pop_back();
    }
    due.lists.resize(groups_.size());
    for (auto& list : due.lists) list.frozen = list.written = 0;
    for (std::size_t i = 0; i < shared.size(); ++i) {
      auto& list = due.lists[offset_of(shared.hashes[i])];
      list.frozen += i < shared.frozen ? 1 : 0;
      list.written += i < shared.written ? 1 : 0;
      list.add(std::move(shared.keys[i]), shared.hashes[i]);
    }
  }

  /// The lists have the size that the next ones will need.
  void spare(std::vector<key_list>&& lists) {
    if (lists.size() == groups_.size() && spares_.size() < spares_max)
      spares_.push_back(std::move(lists));
  }

  due_keys& due_at(timestamp_ms at) {
    if (recent_ != nullptr && recent_at_ == at) return *recent_;
    const auto [found, is_new] = times_.try_emplace(at);
    if (is_new) found->second.lists.resize(1);
    recent_ = &found->second;
    recent_at_ = at;
    return *recent_;
  }

  state_info info_;
  key_group_range groups_;
  std::uint32_t max_parallelism_;
  std::map<timestamp_ms, due_keys> times_;

  due_keys* recent_ = nullptr;  // of times_, at recent_at_
  timestamp_ms recent_at_ = 0;
  std::vector<std::vector<key_list>> spares_;

  // Of the snapshot under way.
  snapshot_section* section_ = nullptr;
  std::uint64_t snapshot_ = 0;  // its number, from 1
  timestamp_ms unwritten_from_ = no_timestamp;
  bool is_written_ = false;
};

}  // namespace millrace
