#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/core/assert.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/key_group.hpp"
#include "millrace/state/frozen_entries.hpp"
#include "millrace/state/key_index.hpp"
#include "millrace/state/same_key.hpp"

namespace millrace {

/// A value per key, in one small table per key group, so that a group's entries can be enumerated
/// and moved as a whole. Owned by one operator of one task.
///
/// Each group's table is an open-addressing index of 8-byte slots (32 bits of the key's hash, 32
/// bits for where the entry is) over a dense array of entries in the order of their insertion
/// (a removal moves the last one). A
/// lookup is one probe into the index and one into the entries; both can be prefetched for a whole
/// block of rows, which hides the cache misses of tables that outgrow the caches. Growth rehashes
/// the index alone, from its own bits: keys are hashed once, by the caller.
///
/// The first few slots of a probe are compared together, without a jump for each: where a key lies
/// is random, and a mispredicted jump costs more than all of them.
template <class Key, class Value>
class keyed_table {
 public:
  struct entry {
    Key key;
    Value value;
  };

  /// The groups `groups` of `max_parallelism`.
  keyed_table(key_group_range groups, std::uint32_t max_parallelism)
      : first_group_(groups.first),
        accessible_from_(groups.first),
        max_parallelism_(max_parallelism),
        groups_(groups.size()) {}

  /// The value of a key, and whether it was made just now, from `make()`. `hash` is its key_hash.
  /// The reference is valid until the next insertion or removal. `key` is a `Key` or what
  /// `same_key` compares with one, and is copied only if it is new.
  template <class View, class Make>
  std::pair<Value&, bool> find_or_make(std::uint64_t hash, const View& key, Make&& make) {
    group& g = group_of(hash);
    if (entry* near = find_near(g, hash, key)) [[likely]]
      return {preserved(g, *near).value, false};
    const std::size_t at = slot_of(g, hash, key);
    if (const auto number = g.index[at].entry_number; number != 0)
      return {preserved(g, g.entries[number - 1]).value, false};
    return {insert(g, static_cast<std::uint32_t>(hash), at, key, std::forward<Make>(make)), true};
  }

  /// To read; null if there is no such key.
  template <class View>
  entry* find_entry(std::uint64_t hash, const View& key) {
    return find_in(group_of(hash), hash, key);
  }
  template <class View>
  Value* find(std::uint64_t hash, const View& key) {
    entry* found = find_entry(hash, key);
    return found == nullptr ? nullptr : &found->value;
  }
  /// To change it.
  template <class View>
  Value* find_for_update(std::uint64_t hash, const View& key) {
    group& g = group_of(hash);
    entry* found = find_in(g, hash, key);
    return found == nullptr ? nullptr : &preserved(g, *found).value;
  }

  /// Removes a key, if it is there. The group's last entry takes the place of the removed one;
  /// `hash_of` gives the hash of a kept key, and `on_moved(entry&)` is told of the entry that
  /// moved. Invalidates references into the group.
  template <class View, class HashOf, class OnMoved>
  bool erase(std::uint64_t hash, const View& key, HashOf&& hash_of, OnMoved&& on_moved) {
    group& g = group_of(hash);
    const std::size_t at = slot_of(g, hash, key);
    const std::uint32_t number = g.index[at].entry_number;
    if (number == 0) return false;
    const auto last = static_cast<std::uint32_t>(g.entries.size());
    preserved(g, g.entries[number - 1]);
    preserved(g, g.entries.back());
    if (number != last) {
      entry& moved = g.entries.back();
      g.index.renumber(static_cast<std::uint32_t>(hash_of(moved.key)), last, number);
      g.entries[number - 1] = std::move(moved);
    }
    g.entries.pop_back();
    --size_;
    // A group that has lost most of its entries gives memory back.
    if (g.index.remove(at, g.entries.size())) shrink(g.entries);
    if (number != last) on_moved(g.entries[number - 1]);
    return true;
  }
  template <class View, class HashOf>
  bool erase(std::uint64_t hash, const View& key, HashOf&& hash_of) {
    return erase(hash, key, hash_of, [](entry&) {});
  }

  /// Room for more keys of group `first_group() + offset`. With some to spare, as what comes next
  /// would otherwise have all of them moved.
  void reserve(std::uint32_t offset, std::size_t keys) {
    group& g = groups_[offset];
    const auto all = g.entries.size() + keys;
    g.entries.reserve(all + all / spare_part);
    g.index.reserve(all);
  }

  // -- snapshots ---------------------------------------------------------------------------------

  /// From now on until thaw(), `saver` saves each of the entries that there are now, once, at the
  /// latest before it changes, those that are small with some of their neighbours. Takes a step per
  /// key group.
  void freeze(entry_saver& saver) {
    MILLRACE_ASSERT(frozen_ == nullptr, "a table is in one snapshot at a time");
    std::vector<std::size_t> counts;
    for (const group& g : groups_) counts.push_back(g.entries.size());
    frozen_ = std::make_unique<frozen_entries>(counts, frozen_block_bits(), saver);
  }
  /// Has entries of a group saved that are not yet; false if the budget was spent first.
  bool write_frozen(std::uint32_t offset, snapshot_budget& budget) {
    return frozen_->write(offset, budget);
  }
  void thaw() noexcept { frozen_.reset(); }
  /// Before an entry is changed that was found by other means than to change it.
  void preserve(std::uint32_t offset, std::size_t position) {
    if (frozen_ != nullptr) [[unlikely]]
      frozen_->preserve(offset, position);
  }

  /// Whether lookups miss the caches often enough for prefetching to pay.
  bool is_large() const noexcept {
    return size_ * (sizeof(entry) + 2 * sizeof(slot)) > cached_bytes;
  }

  /// First pass over a block of rows.
  void prefetch_index(std::uint64_t hash) const noexcept {
    __builtin_prefetch(group_of(hash).index.near(static_cast<std::uint32_t>(hash)));
  }

  /// Second pass, when the slots are there.
  void prefetch_entry(std::uint64_t hash) const noexcept {
    const group& g = group_of(hash);
    const auto tag = static_cast<std::uint32_t>(hash);
    std::size_t at = g.index.home(tag);
    for (slot s; (s = g.index[at]).entry_number != 0; at = g.index.next(at)) {
      if (s.tag != tag) continue;
      const auto* found = reinterpret_cast<const std::byte*>(&g.entries[s.entry_number - 1]);
      __builtin_prefetch(found);
      if constexpr (sizeof(entry) > line_bytes) __builtin_prefetch(found + sizeof(entry) - 1);
      return;
    }
  }

  /// Whether keys are found: if not, looking one up throws `failure(invalid_argument)`. Costs
  /// nothing, as a lookup has to see to its key's group anyway.
  void set_accessible(bool accessible) noexcept {
    accessible_from_ = accessible ? first_group_ : inaccessible;
  }

  /// Number of keys.
  std::size_t size() const noexcept { return size_; }
  std::uint32_t first_group() const noexcept { return first_group_; }
  std::uint32_t group_count() const noexcept { return static_cast<std::uint32_t>(groups_.size()); }
  /// The entries of key group `first_group() + offset`. Keys must not be changed, and values only
  /// after `preserve`.
  std::vector<entry>& entries_of(std::uint32_t offset) noexcept { return groups_[offset].entries; }

 private:
  /// About half of a core's level 2 cache.
  static constexpr std::size_t cached_bytes = 256 * 1024;
  /// Of a cache.
  static constexpr std::size_t line_bytes = 64;
  static constexpr std::size_t spare_part = 8;
  /// Entries that a snapshot saves together: of about this size, and alone if they own memory, as
  /// nobody knows how much.
  static constexpr std::size_t saved_bytes = 1024;
  static constexpr unsigned frozen_block_bits() {
    if constexpr (!std::is_trivially_destructible_v<entry> || sizeof(entry) > saved_bytes)
      return 0;
    else
      return static_cast<unsigned>(std::bit_width(saved_bytes / sizeof(entry)) - 1);
  }
  /// With this as the first group every group is beyond the last one.
  static constexpr std::uint32_t inaccessible = std::uint32_t{1} << 31;

  using slot = key_index::slot;

  struct group {
    key_index index;
    std::vector<entry> entries;
  };

  group& group_of(std::uint64_t hash) {
    return const_cast<group&>(std::as_const(*this).group_of(hash));
  }
  const group& group_of(std::uint64_t hash) const {
    const auto offset = key_group_of(hash, max_parallelism_) - accessible_from_;
    if (offset >= groups_.size()) [[unlikely]]
      refuse();
    return groups_[offset];
  }
  [[noreturn, gnu::noinline, gnu::cold]] void refuse() const {
    MILLRACE_ASSERT(accessible_from_ == inaccessible, "a record of another subtask's key group");
    throw failure(errc::invalid_argument,
                  "keyed state is used where no key is the current one, as for a record of a "
                  "broadcast stream: use apply_to_keyed_state for that of all keys");
  }

  /// As shrink_to_fit, which compiles to much more.
  static void shrink(std::vector<entry>& entries) {
    std::vector<entry> fewer;
    fewer.reserve(entries.size());
    for (entry& e : entries) fewer.push_back(std::move(e));
    entries.swap(fewer);
  }

  entry& preserved(const group& g, entry& e) {
    if (frozen_ != nullptr) [[unlikely]]
      frozen_->preserve(static_cast<std::uint32_t>(&g - groups_.data()),
                        static_cast<std::size_t>(&e - g.entries.data()));
    return e;
  }

  template <class View>
  static entry* find_in(group& g, std::uint64_t hash, const View& key) noexcept {
    if (entry* near = find_near(g, hash, key)) [[likely]]
      return near;
    const auto number = g.index[slot_of(g, hash, key)].entry_number;
    return number == 0 ? nullptr : &g.entries[number - 1];
  }

  /// Where a key's slot is, or the empty one where it would be.
  template <class View>
  static std::size_t slot_of(const group& g, std::uint64_t hash, const View& key) noexcept {
    const auto tag = static_cast<std::uint32_t>(hash);
    std::size_t at = g.index.home(tag);
    for (slot s; (s = g.index[at]).entry_number != 0; at = g.index.next(at))
      if (s.tag == tag && same_key(g.entries[s.entry_number - 1].key, key)) break;
    return at;
  }

  /// The key's entry if its slot is one of the first of the probe, as nearly all are. Null says
  /// nothing.
  template <class View>
  static entry* find_near(group& g, std::uint64_t hash, const View& key) noexcept {
    const auto tag = static_cast<std::uint32_t>(hash);
    const slot* first = g.index.near(tag);
    const auto matches = [first, tag](std::size_t i) {
      return static_cast<std::uint32_t>(first[i].tag == tag) << i;
    };
    static_assert(key_index::near_slots == 4);
    const std::uint32_t found = matches(0) | matches(1) | matches(2) | 8u;
    const slot s = first[std::countr_zero(found)];
    if (s.tag != tag || s.entry_number == 0) [[unlikely]]
      return nullptr;
    entry& near = g.entries[s.entry_number - 1];
    return same_key(near.key, key) ? &near : nullptr;
  }

  template <class View, class Make>
  Value& insert(group& g, std::uint32_t tag, std::size_t at, const View& key, Make&& make) {
    if (g.index.grow_for(g.entries.size())) at = g.index.empty_slot(tag);
    MILLRACE_ASSERT(g.entries.size() < 0xFFFFFFFFu, "a key group of more than 2^32 keys");
    Value& made = g.entries.emplace_back(entry{Key(key), std::forward<Make>(make)()}).value;
    g.index.set(at, {tag, static_cast<std::uint32_t>(g.entries.size())});
    ++size_;
    return made;
  }

  std::uint32_t first_group_;
  std::uint32_t accessible_from_;  // first_group_, or `inaccessible`
  std::uint32_t max_parallelism_;
  std::size_t size_ = 0;
  std::vector<group> groups_;
  std::unique_ptr<frozen_entries> frozen_;  // null without a snapshot
};

}  // namespace millrace
