#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "millrace/core/assert.hpp"
#include "millrace/core/key_group.hpp"
#include "millrace/operators/same_key.hpp"

namespace millrace {

/// A value per key, in one small table per key group, so that a group's entries can be enumerated
/// and moved as a whole. Owned by one operator of one task.
///
/// Each group's table is an open-addressing index of 8-byte slots (32 bits of the key's hash, 32
/// bits for where the entry is) over a dense array of entries in the order of their insertion. A
/// lookup is one probe into the index and one into the entries; both can be prefetched for a whole
/// block of rows, which hides the cache misses of tables that outgrow the caches. Growth rehashes
/// the index alone, from its own bits: keys are hashed once, by the caller.
template <class Key, class Value>
class keyed_table {
 public:
  struct entry {
    Key key;
    Value value;
  };

  /// The groups `groups` of `max_parallelism`.
  keyed_table(key_group_range groups, std::uint32_t max_parallelism)
      : first_group_(groups.first), max_parallelism_(max_parallelism), groups_(groups.size()) {}

  /// The value of a key, and whether it was made just now, from `make()`. `hash` is its key_hash.
  /// The reference is valid until the next insertion. `key` is a `Key` or what `same_key` compares
  /// with one, and is copied only if it is new.
  template <class View, class Make>
  std::pair<Value&, bool> find_or_make(std::uint64_t hash, const View& key, Make&& make) {
    group& g = group_of(hash);
    const auto tag = static_cast<std::uint32_t>(hash);
    std::size_t at = tag & g.mask;
    for (slot s; (s = g.index[at]).entry_number != 0; at = (at + 1) & g.mask) {
      if (s.tag != tag) continue;
      entry& found = g.entries[s.entry_number - 1];
      if (same_key(found.key, key)) return {found.value, false};
    }
    return {insert(g, tag, at, key, std::forward<Make>(make)), true};
  }

  /// Null if there is no such key.
  Value* find(std::uint64_t hash, const Key& key) noexcept {
    group& g = group_of(hash);
    const auto tag = static_cast<std::uint32_t>(hash);
    std::size_t at = tag & g.mask;
    for (slot s; (s = g.index[at]).entry_number != 0; at = (at + 1) & g.mask) {
      if (s.tag == tag && same_key(g.entries[s.entry_number - 1].key, key))
        return &g.entries[s.entry_number - 1].value;
    }
    return nullptr;
  }

  /// Whether lookups miss the caches often enough for prefetching to pay.
  bool is_large() const noexcept {
    return size_ * (sizeof(entry) + 2 * sizeof(slot)) > cached_bytes;
  }

  /// First pass over a block of rows.
  void prefetch_index(std::uint64_t hash) const noexcept {
    const group& g = group_of(hash);
    __builtin_prefetch(&g.index[static_cast<std::uint32_t>(hash) & g.mask]);
  }

  /// Second pass, when the slots are there.
  void prefetch_entry(std::uint64_t hash) const noexcept {
    const group& g = group_of(hash);
    const auto tag = static_cast<std::uint32_t>(hash);
    std::size_t at = tag & g.mask;
    for (slot s; (s = g.index[at]).entry_number != 0; at = (at + 1) & g.mask) {
      if (s.tag == tag) return __builtin_prefetch(&g.entries[s.entry_number - 1]);
    }
  }

  /// Number of keys.
  std::size_t size() const noexcept { return size_; }
  std::uint32_t first_group() const noexcept { return first_group_; }
  std::uint32_t group_count() const noexcept { return static_cast<std::uint32_t>(groups_.size()); }
  /// The entries of key group `first_group() + offset`, in the order of their insertion. Keys must
  /// not be changed.
  std::vector<entry>& entries_of(std::uint32_t offset) noexcept { return groups_[offset].entries; }

 private:
  /// About half of a core's level 2 cache.
  static constexpr std::size_t cached_bytes = 512 * 1024;
  static constexpr std::size_t slots_min = 16;

  struct slot {
    std::uint32_t tag = 0;           ///< The low bits of the hash; the high ones chose the group.
    std::uint32_t entry_number = 0;  ///< From 1; 0 means empty.
  };

  struct group {
    /// One empty slot until the first key comes, so that lookups need not ask.
    std::unique_ptr<slot[]> index = std::make_unique<slot[]>(1);
    std::size_t mask = 0;
    std::vector<entry> entries;
  };

  group& group_of(std::uint64_t hash) noexcept {
    return const_cast<group&>(std::as_const(*this).group_of(hash));
  }
  const group& group_of(std::uint64_t hash) const noexcept {
    const auto offset = key_group_of(hash, max_parallelism_) - first_group_;
    MILLRACE_ASSERT(offset < groups_.size(), "a record of another subtask's key group");
    return groups_[offset];
  }

  template <class View, class Make>
  Value& insert(group& g, std::uint32_t tag, std::size_t at, const View& key, Make&& make) {
    // At most 7/10 full; a power of two in size, so about half full on average.
    if ((g.entries.size() + 1) * 10 > (g.mask + 1) * 7) {
      grow(g);
      for (at = tag & g.mask; g.index[at].entry_number != 0;) at = (at + 1) & g.mask;
    }
    MILLRACE_ASSERT(g.entries.size() < 0xFFFFFFFFu, "a key group of more than 2^32 keys");
    Value& made = g.entries.emplace_back(entry{Key(key), std::forward<Make>(make)()}).value;
    g.index[at] = {tag, static_cast<std::uint32_t>(g.entries.size())};
    ++size_;
    return made;
  }

  static void grow(group& g) {
    const std::size_t slots = g.mask == 0 ? slots_min : 2 * (g.mask + 1);
    auto index = std::make_unique<slot[]>(slots);
    for (std::size_t i = 0; i <= g.mask; ++i) {
      if (g.index[i].entry_number == 0) continue;
      std::size_t at = g.index[i].tag & (slots - 1);
      while (index[at].entry_number != 0) at = (at + 1) & (slots - 1);
      index[at] = g.index[i];
    }
    g.index = std::move(index);
    g.mask = slots - 1;
  }

  std::uint32_t first_group_;
  std::uint32_t max_parallelism_;
  std::size_t size_ = 0;
  std::vector<group> groups_;
};

}  // namespace millrace
