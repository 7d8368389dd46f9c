#pragma once

#include <algorithm>
#include <map>
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
/// Lives by key group in memory, whatever the backend, and is part of its snapshots. Times come in
/// their order, the keys of one by key group and within a group in the order they were added, which
/// a snapshot keeps. Owned by the backend.
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
    auto& list = lists_at(at)[key_group_of(hash, max_parallelism_) - groups_.first];
    list.keys.push_back(std::move(key));
    list.hashes.push_back(hash);
  }

  /// `visit(timestamp_ms, block)` for all that is due until `at`, which is no longer there then.
  /// Keys that are added meanwhile for a time that has come follow in the same call; it must be
  /// later than the one at hand.
  template <class Visit>
  void advance(timestamp_ms at, Visit&& visit) {
    while (!times_.empty() && times_.begin()->first <= at) {
      auto due = times_.extract(times_.begin());
      recent_ = nullptr;
      for (std::uint32_t group = 0; group < groups_.size(); ++group)
        visit_list(due.key(), group, due.mapped()[group], visit);
      spare(std::move(due.mapped()));
    }
  }

  const state_info& info() const noexcept override { return info_; }

  void for_each_in_group(std::uint32_t group, state_entry_visitor& visitor) override {
    entry_encoder<Key, void_namespace> give(visitor);
    for (const auto& [at, lists] : times_)
      for (const Key& key : lists[group - groups_.first].keys) give(key, {}, at);
  }

  /// Takes a step for each list. Keys are only ever added behind those of a list, or go with all of
  /// it: its part of the snapshot is the first so many.
  void begin_snapshot(snapshot_section& to) override {
    section_ = &to;
    for (auto& [at, lists] : times_)
      for (auto& list : lists) list.frozen = list.keys.size();
    unwritten_from_.assign(groups_.size(), no_timestamp);
  }
  bool write_group(std::uint32_t group, snapshot_budget& budget) override {
    const auto offset = group - groups_.first;
    auto& from = unwritten_from_[offset];
    for (auto time = times_.lower_bound(from); time != times_.end(); ++time) {
      from = time->first;
      if (!write_list(time->first, offset, time->second[offset], budget)) return false;
    }
    return true;
  }
  void end_snapshot() noexcept override {
    section_ = nullptr;
    for (auto& [at, lists] : times_)
      for (auto& list : lists) list.frozen = list.written = 0;
  }

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
    // Of the snapshot under way: so many of the first keys belong to it, and are in it already.
    std::size_t frozen = 0;
    std::size_t written = 0;
  };
  using lists_by_group = std::vector<key_list>;

  /// Of as many times the lists are kept when they have become empty.
  static constexpr std::size_t spares_max = 16;

  /// Writes on; false if the budget was spent first.
  bool write_list(timestamp_ms at, std::uint32_t group_offset, key_list& list,
                  snapshot_budget& budget) {
    if (list.written == list.frozen) return true;
    section_->select(group_offset);
    entry_encoder<Key, void_namespace> give(*section_);
    for (; list.written < list.frozen; ++list.written) {
      if (budget.is_spent()) return false;
      const auto before = section_->written();
      give(list.keys[list.written], {}, at);
      budget.spend(section_->written() - before + snapshot_budget::bytes_per_entry);
    }
    return true;
  }

  template <class Visit>
  void visit_list(timestamp_ms at, std::uint32_t group_offset, key_list& list, Visit& visit) {
    if (section_ != nullptr) [[unlikely]] {
      // Earlier times of the group were written when they came, so its entries stay in order.
      auto all = snapshot_budget::unlimited();
      write_list(at, group_offset, list, all);
    }
    list.frozen = list.written = 0;
    for (std::size_t begin = 0; begin < list.keys.size(); begin += block_keys_max) {
      const auto count = std::min(block_keys_max, list.keys.size() - begin);
      visit(at, block{{list.keys.data() + begin, count}, {list.hashes.data() + begin, count}});
    }
    list.keys.clear();
    list.hashes.clear();
  }

  /// The lists have the size that the next ones will need.
  void spare(lists_by_group&& lists) {
    if (spares_.size() < spares_max) spares_.push_back(std::move(lists));
  }

  lists_by_group& lists_at(timestamp_ms at) {
    if (recent_ != nullptr && recent_at_ == at) return *recent_;
    const auto [found, is_new] = times_.try_emplace(at);
    if (is_new && !spares_.empty()) {
      found->second = std::move(spares_.back());
      spares_.pop_back();
    }
    found->second.resize(groups_.size());
    recent_ = &found->second;
    recent_at_ = at;
    return *recent_;
  }

  state_info info_;
  key_group_range groups_;
  std::uint32_t max_parallelism_;
  std::map<timestamp_ms, lists_by_group> times_;

  lists_by_group* recent_ = nullptr;  // of times_, at recent_at_
  timestamp_ms recent_at_ = 0;
  std::vector<lists_by_group> spares_;

  // Of the snapshot under way.
  snapshot_section* section_ = nullptr;
  std::vector<timestamp_ms> unwritten_from_;  // by key group, from the first
};

}  // namespace millrace
