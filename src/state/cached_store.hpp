#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "millrace/state/keyed_table.hpp"
#include "millrace/state/missing_rows.hpp"
#include "millrace/state/object_cache.hpp"
#include "millrace/state/row_writer.hpp"
#include "millrace/state/snapshot_section.hpp"

namespace millrace {

/// One state in a byte_table, behind a write-back cache of live objects: reads come from the cache
/// if they can, changes are made in the cache and written when their line is evicted or the store
/// is flushed. Has the same members as `hashmap_store`.
///
/// Lines are evicted by a clock hand (second chance; Corbató 1968), a share of the cache at a time,
/// so that what is dirty is written in large batches. A key without a value has a line too, which
/// remembers that.
///
/// References are valid until the store is used again or memory is released.
template <class Key, class N, class V>
class cached_store {
 public:
  static constexpr bool keeps_in_place = false;

  explicit cached_store(const store_place<Key, cached_table>& where)
      : context_(where.context),
        below_(where.below),
        lines_(where.groups, where.below.max_parallelism) {}

  void set_namespace(const N& ns) { ns_ = ns; }
  void set_has_key(bool has_key) noexcept { lines_.set_accessible(has_key); }
  const N& current_namespace() const noexcept { return ns_; }

  V* find() {
    line& found = load();
    return found.is_present ? &found.value : nullptr;
  }
  V* find_for_update() {
    line& found = load();
    if (!found.is_present) return nullptr;
    change(found);
    return &found.value;
  }
  template <class Make>
  std::pair<V&, bool> find_or_make(Make&& make) {
    line& found = load();
    const bool is_new = !found.is_present;
    if (is_new) {
      found.value = std::forward<Make>(make)();
      found.is_present = true;
    }
    change(found);
    return {found.value, is_new};
  }
  void put(V value) { put_at(hash(), view(), std::move(value)); }
  void erase() {
    line& found = line_without_reading(hash(), view());
    found.value = V{};
    found.is_present = false;
    found.is_dirty = found.may_be_stored;
    measure(found);
  }

  /// Lets `is_over(V&)` look at the next `count` cached values in turn, and removes those it says.
  template <class IsOver>
  void sweep(std::size_t count, IsOver&& is_over) {
    for (; count > 0 && lines_.size() > 0; --count) {
      auto& entries = lines_.entries_of(sweep_group_);
      if (sweep_entry_ >= entries.size()) {
        sweep_entry_ = 0;
        sweep_group_ = sweep_group_ + 1 < lines_.group_count() ? sweep_group_ + 1 : 0;
        continue;
      }
      line& l = entries[sweep_entry_++].value;
      if (!l.is_present || !is_over(l.value)) continue;
      l.value = V{};
      l.is_present = false;
      l.is_dirty = l.may_be_stored;
      measure(l);
    }
  }

  /// Reads what is not in the cache at once.
  void prefetch(std::span<const Key> keys, std::span<const std::uint64_t> hashes) {
    if constexpr (std::same_as<N, void_namespace>) {
      for (const auto hash_of_one : hashes) lines_.prefetch_index(hash_of_one);
      missing_.clear();
      for (std::size_t i = 0; i < keys.size(); ++i) {
        auto* found = lines_.find_entry(hashes[i], scoped_key_view<Key, N>(keys[i], ns_));
        if (found != nullptr) {
          found->value.is_used = true;
          continue;
        }
        encode_row_key(missing_.key(), group_of(hashes[i]), keys[i], ns_);
        missing_.end_key(i);
      }
      if (missing_.is_empty()) return;
      make_room();
      missing_.read(below_.table, [&](std::size_t i, const byte_view* value) {
        insert_read(keys, hashes, i, value);
      });
    }
  }

  /// `visit(const Key&, const N&, const V&)`, in the order of the rows' bytes.
  template <class Visit>
  void for_each_in_group(std::uint32_t group, Visit&& visit) {
    flush();
    row_key_.clear();
    encode_group(row_key_, group);
    const auto rows = below_.table.scan(row_key_.bytes());
    for (; rows->is_valid(); rows->next()) visit_row(*rows, visit);
  }

  /// A snapshot begins: `visit` is called for each value of now, in the order of the rows' bytes,
  /// as the table below keeps them for it.
  void freeze(snapshot_section&, std::function<void(const Key&, const N&, const V&)> visit) {
    flush();
    visit_ = std::move(visit);
    frozen_rows_ = below_.table.scan({});
  }
  /// Visits on in a group; false if the budget was spent before its end.
  bool write_frozen(std::uint32_t group, snapshot_budget& budget) {
    return write_rows(*frozen_rows_, group, budget,
                      [this](byte_cursor& row) { visit_row(row, visit_); });
  }
  void thaw() noexcept { frozen_rows_.reset(); }

  void reserve(std::uint32_t, std::size_t) noexcept {}
  void restore(const Key& key, const N& ns, V value) {
    put_at(scoped_hash(key_hash(key), ns), {key, ns}, std::move(value));
  }

  /// Writes all changes.
  void flush() {
    row_writer out(below_.table);
    for (std::uint32_t g = 0; g < lines_.group_count(); ++g)
      for (auto& entry : lines_.entries_of(g)) write_back(out, g, entry);
    out.write();
  }

  std::size_t cached_bytes() const noexcept { return bytes_; }

  /// Evicts lines until the cache takes no more than `keep_bytes`.
  void release_memory(std::size_t keep_bytes) {
    if (bytes_ <= keep_bytes) return;
    row_writer out(below_.table);
    // Twice around clears every mark, a third time finds whatever was marked meanwhile.
    for (std::uint32_t rounds = 0; bytes_ > keep_bytes && rounds <= 3 * lines_.group_count();) {
      auto& entries = lines_.entries_of(hand_group_);
      if (hand_entry_ >= entries.size()) {
        hand_entry_ = 0;
        hand_group_ = hand_group_ + 1 < lines_.group_count() ? hand_group_ + 1 : 0;
        ++rounds;
        continue;
      }
      auto& entry = entries[hand_entry_];
      measure(entry.value);
      if (std::exchange(entry.value.is_used, false)) {
        ++hand_entry_;
        continue;
      }
      write_back(out, hand_group_, entry);
      account(entry.value, 0);
      lines_.erase(hash_of<Key, N>(entry.key), entry.key, hash_of<Key, N>);
    }
    out.write();
  }

 private:
  struct line {
    V value{};
    std::uint32_t bytes = 0;    ///< As accounted.
    std::uint32_t touches = 0;  ///< Uses for change.
    bool is_present = false;
    bool is_dirty = false;
    bool is_used = false;       ///< Since the hand came by.
    bool may_be_stored = true;  ///< The table below may have a row.
  };
  using table = keyed_table<scoped_key<Key, N>, line>;

  /// Growing vectors are a third empty on average, and the index takes two slots an entry.
  static constexpr std::size_t line_overhead =
      sizeof(typename table::entry) + sizeof(typename table::entry) / 2 + 16;

  std::uint64_t hash() const { return scoped_hash(context_.hash, ns_); }
  scoped_key_view<Key, N> view() const noexcept { return {context_.key, ns_}; }
  std::uint32_t group_of(std::uint64_t hash_of_one) const noexcept {
    return key_group_of(hash_of_one, below_.max_parallelism);
  }

  void account(line& l, std::size_t bytes) noexcept {
    bytes = std::min<std::size_t>(bytes, 0xFFFFFFFFu);
    bytes_ += bytes - l.bytes;
    below_.budget.remove(l.bytes);
    below_.budget.add(bytes);
    l.bytes = static_cast<std::uint32_t>(bytes);
  }
  void measure(line& l) noexcept {
    if constexpr (has_heap_v<V>)
      account(l, line_overhead + heap_bytes(l.value));
    else if (l.bytes == 0)
      account(l, line_overhead);
  }
  void change(line& l) {
    l.is_dirty = true;
    if constexpr (has_heap_v<V>)
      if (is_measured<V>(++l.touches)) measure(l);
  }

  /// Of the current key, read if need be.
  line& load() {
    const auto h = hash();
    auto* cached = lines_.find_entry(h, view());
    if (cached != nullptr) {
      cached->value.is_used = true;
      return cached->value;
    }
    make_room();
    row_key_.clear();
    encode_row_key(row_key_, group_of(h), context_.key, ns_);
    line read;
    read.is_present = read.may_be_stored = below_.table.get(row_key_.bytes(), row_value_);
    if (read.is_present) decode_row(row_value_, read.value);
    return insert(h, view(), std::move(read));
  }

  line& line_without_reading(std::uint64_t h, const scoped_key_view<Key, N>& key) {
    auto* cached = lines_.find_entry(h, key);
    if (cached == nullptr) {
      make_room();
      return insert(h, key, line());
    }
    cached->value.is_used = true;
    return cached->value;
  }

  line& insert(std::uint64_t h, const scoped_key_view<Key, N>& key, line&& read) {
    line& kept = lines_.find_or_make(h, key, [&]() -> line { return std::move(read); }).first;
    kept.is_used = true;
    measure(kept);
    return kept;
  }

  void put_at(std::uint64_t h, const scoped_key_view<Key, N>& key, V value) {
    line& l = line_without_reading(h, key);
    l.value = std::move(value);
    l.is_present = true;
    l.is_dirty = true;
    measure(l);
  }

  /// One key may use any number of namespaces, so memory can't wait for the next key.
  void make_room() {
    if (below_.budget.is_far_over()) release_memory(bytes_ - bytes_ / 8);
  }

  void write_back(row_writer& out, std::uint32_t group_offset, typename table::entry& entry) {
    line& l = entry.value;
    if (!std::exchange(l.is_dirty, false)) return;
    row_key_.clear();
    encode_row_key(row_key_, lines_.first_group() + group_offset, std::get<0>(entry.key),
                   std::get<1>(entry.key));
    if (l.is_present)
      out.put(row_key_.bytes(), l.value);
    else
      out.erase(row_key_.bytes());
    l.may_be_stored = l.is_present;
  }

  void insert_read(std::span<const Key> keys, std::span<const std::uint64_t> hashes, std::size_t i,
                   const byte_view* value) {
    const scoped_key_view<Key, N> key(keys[i], ns_);
    // A block may have a key twice.
    if (lines_.find_entry(hashes[i], key) != nullptr) return;
    line read;
    read.is_present = read.may_be_stored = value != nullptr;
    if (value != nullptr) decode_row(*value, read.value);
    insert(hashes[i], key, std::move(read));
  }

  template <class Visit>
  static void visit_row(byte_cursor& row, Visit& visit) {
    Key key{};
    N ns{};
    V value{};
    decode_row(row.key().subspan(row_group_bytes), key, ns);
    decode_row(row.value(), value);
    visit(std::as_const(key), std::as_const(ns), std::as_const(value));
  }

  const key_context<Key>& context_;
  N ns_{};
  cached_table below_;
  table lines_;
  std::size_t bytes_ = 0;
  std::uint32_t hand_group_ = 0;
  std::size_t hand_entry_ = 0;
  std::uint32_t sweep_group_ = 0;
  std::size_t sweep_entry_ = 0;

  // Of the snapshot under way.
  std::unique_ptr<byte_cursor> frozen_rows_;
  std::function<void(const Key&, const N&, const V&)> visit_;

  // Scratch.
  byte_writer row_key_;
  std::vector<std::byte> row_value_;
  missing_rows missing_;
};

}  // namespace millrace
