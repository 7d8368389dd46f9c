#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "millrace/state/hashmap_map_store.hpp"
#include "millrace/state/keyed_table.hpp"
#include "millrace/state/object_cache.hpp"
#include "millrace/state/row_writer.hpp"

namespace millrace {

/// A map state in a byte_table, a row per entry, behind a write-back cache. What is cached and
/// evicted is a part of the map of a key and namespace: the entries that were asked for. Has the
/// same members as `hashmap_map_store`; see `cached_store` for the rest.
template <class Key, class N, class MapKey, class V>
class cached_map_store {
  using visit_function = std::function<void(const Key&, const N&, const MapKey&, const V&)>;

 public:
  explicit cached_map_store(const store_place<Key, cached_table>& where)
      : context_(where.context),
        below_(where.below),
        maps_(where.groups, where.below.max_parallelism) {}

  void set_namespace(const N& ns) { ns_ = ns; }
  void set_has_key(bool has_key) noexcept { maps_.set_accessible(has_key); }

  V* find(const MapKey& map_key) {
    line& found = load(map_key);
    return found.is_present ? &found.value : nullptr;
  }
  V* find_for_update(const MapKey& map_key) {
    line& found = load(map_key);
    if (!found.is_present) return nullptr;
    change(found);
    return &found.value;
  }
  template <class Make>
  std::pair<V&, bool> find_or_make(const MapKey& map_key, Make&& make) {
    line& found = load(map_key);
    const bool is_new = !found.is_present;
    if (is_new) {
      found.value = std::forward<Make>(make)();
      found.is_present = true;
    }
    change(found);
    return {found.value, is_new};
  }
  void put(const MapKey& map_key, V value) { put_into(current(), map_key, std::move(value)); }
  void erase(const MapKey& map_key) {
    cached_map& map = current();
    const auto [at, is_new] = map.lines.try_emplace(map_key);
    if (is_new) at->second.may_be_stored = !map.is_complete;
    remove(at->second);
    measure(map_key, at->second);
  }

  void clear() {
    cached_map& map = current();
    row_writer out(below_.table);
    encode_current();
    if (map.is_complete) {
      const std::size_t prefix = row_key_.size();
      for (const auto& [map_key, l] : map.lines) {
        if (!l.may_be_stored) continue;
        encode_map_key(prefix, map_key);
        out.erase(row_key_.bytes());
      }
    } else {
      const auto rows = below_.table.scan(row_key_.bytes());
      for (; rows->is_valid(); rows->next()) out.erase(rows->key());
    }
    out.write();
    forget_lines(map);
    map.is_complete = true;
  }

  /// `visit(const MapKey&, V&)` for each entry; returns false to stop. Values are to be read only.
  template <class Visit>
  void for_each(Visit&& visit) {
    cached_map& map = current();
    for (auto& [map_key, l] : map.lines)
      if (l.is_present && !visit(map_key, l.value)) return;
    if (map.is_complete) return;
    // The rows of entries that are not cached; a small map is cached whole by this.
    encode_current();
    const std::size_t prefix = row_key_.size();
    const auto rows = below_.table.scan(row_key_.bytes());
    bool is_all_cached = true;
    for (; rows->is_valid(); rows->next()) {
      MapKey map_key{};
      decode_row(rows->key().subspan(prefix), map_key);
      if (map.lines.contains(map_key)) continue;
      line read;
      decode_row(rows->value(), read.value);
      read.is_present = true;
      const bool goes_on = visit(map_key, read.value);
      if (map.lines.size() < cached_whole_max)
        measure(map_key, map.lines.emplace(map_key, std::move(read)).first->second);
      else
        is_all_cached = false;
      if (!goes_on) return;
    }
    map.is_complete = is_all_cached;
  }

  /// Lets `is_over(V&)` look at what is cached of the next `count` maps in turn, and removes the
  /// entries it says.
  template <class IsOver>
  void sweep(std::size_t count, IsOver&& is_over) {
    for (; count > 0 && maps_.size() > 0; --count) {
      auto& entries = maps_.entries_of(sweep_group_);
      if (sweep_entry_ >= entries.size()) {
        sweep_entry_ = 0;
        sweep_group_ = sweep_group_ + 1 < maps_.group_count() ? sweep_group_ + 1 : 0;
        continue;
      }
      for (auto& [map_key, l] : entries[sweep_entry_++].value.lines) {
        if (!l.is_present || !is_over(l.value)) continue;
        remove(l);
        measure(map_key, l);
      }
    }
  }

  void prefetch(std::span<const Key>, std::span<const std::uint64_t> hashes) const noexcept {
    if constexpr (std::same_as<N, void_namespace>) {
      for (const auto hash : hashes) maps_.prefetch_index(hash);
      for (const auto hash : hashes) maps_.prefetch_entry(hash);
    }
  }

  /// `visit(const Key&, const N&, const MapKey&, const V&)`, in the order of the rows' bytes.
  template <class Visit>
  void for_each_in_group(std::uint32_t group, Visit&& visit) {
    flush();
    row_key_.clear();
    encode_group(row_key_, group);
    const auto rows = below_.table.scan(row_key_.bytes());
    for (; rows->is_valid(); rows->next()) visit_row(*rows, visit);
  }

  /// As in `cached_store`.
  void freeze(snapshot_section&, visit_function visit) {
    flush();
    visit_ = std::move(visit);
    frozen_rows_ = below_.table.scan({});
  }
  bool write_frozen(std::uint32_t group, snapshot_budget& budget) {
    return write_rows(*frozen_rows_, group, budget,
                      [this](byte_cursor& row) { visit_row(row, visit_); });
  }
  void thaw() noexcept { frozen_rows_.reset(); }

  void reserve(std::uint32_t, std::size_t) noexcept {}
  void restore(const Key& key, const N& ns, const MapKey& map_key, V value) {
    put_into(map_of(scoped_hash(key_hash(key), ns), {key, ns}), map_key, std::move(value));
  }

  void flush() {
    row_writer out(below_.table);
    for (std::uint32_t g = 0; g < maps_.group_count(); ++g)
      for (auto& entry : maps_.entries_of(g)) write_back(out, g, entry);
    out.write();
  }

  std::size_t cached_bytes() const noexcept { return bytes_; }

  /// Evicts maps until the cache takes no more than `keep_bytes`.
  void release_memory(std::size_t keep_bytes) {
    if (bytes_ <= keep_bytes) return;
    row_writer out(below_.table);
    for (std::uint32_t rounds = 0; bytes_ > keep_bytes && rounds <= 3 * maps_.group_count();) {
      auto& entries = maps_.entries_of(hand_group_);
      if (hand_entry_ >= entries.size()) {
        hand_entry_ = 0;
        hand_group_ = hand_group_ + 1 < maps_.group_count() ? hand_group_ + 1 : 0;
        ++rounds;
        continue;
      }
      auto& entry = entries[hand_entry_];
      if (std::exchange(entry.value.is_used, false)) {
        ++hand_entry_;
        continue;
      }
      write_back(out, hand_group_, entry);
      forget_lines(entry.value);
      account(map_overhead, 0);
      maps_.erase(hash_of<Key, N>(entry.key), entry.key, hash_of<Key, N>);
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
    bool may_be_stored = true;  ///< The table below may have a row.
  };
  struct cached_map {
    boost::unordered_flat_map<MapKey, line, map_key_hash, map_key_equal> lines;
    bool is_complete = false;  ///< The table below has no rows but those of `lines`.
    bool is_used = false;      ///< Since the hand came by.
  };
  using table = keyed_table<scoped_key<Key, N>, cached_map>;

  static constexpr std::size_t map_overhead =
      sizeof(typename table::entry) + sizeof(typename table::entry) / 2 + 16;
  /// Open addressing leaves slots empty.
  static constexpr std::size_t line_overhead =
      sizeof(std::pair<const MapKey, line>) + sizeof(std::pair<const MapKey, line>) / 2 + 2;
  static constexpr std::size_t cached_whole_max = 4096;

  std::uint64_t hash() const { return scoped_hash(context_.hash, ns_); }

  void account(std::size_t before, std::size_t after) noexcept {
    bytes_ += after - before;
    below_.budget.remove(before);
    below_.budget.add(after);
  }
  void measure(const MapKey& map_key, line& l) noexcept {
    const std::size_t bytes = std::min<std::size_t>(
        line_overhead + heap_bytes(map_key) + heap_bytes(l.value), 0xFFFFFFFFu);
    account(l.bytes, bytes);
    l.bytes = static_cast<std::uint32_t>(bytes);
  }
  void change(line& l) noexcept {
    l.is_dirty = true;
    if constexpr (has_heap_v<V>)
      if (is_measured<V>(++l.touches)) {
        const std::size_t grown = heap_bytes(l.value);
        const std::size_t bytes = std::min<std::size_t>(
            std::max<std::size_t>(l.bytes, line_overhead + grown), 0xFFFFFFFFu);
        account(l.bytes, bytes);
        l.bytes = static_cast<std::uint32_t>(bytes);
      }
  }
  void remove(line& l) {
    l.value = V{};
    l.is_present = false;
    l.is_dirty = l.may_be_stored;
  }
  void forget_lines(cached_map& map) {
    for (const auto& [map_key, l] : map.lines) account(l.bytes, 0);
    map.lines = {};
  }

  cached_map& current() { return map_of(hash(), {context_.key, ns_}); }
  cached_map& map_of(std::uint64_t h, const scoped_key_view<Key, N>& key) {
    if (below_.budget.is_far_over()) release_memory(bytes_ - bytes_ / 8);
    auto [map, is_new] = maps_.find_or_make(h, key, [] { return cached_map(); });
    if (is_new) account(0, map_overhead);
    map.is_used = true;
    return map;
  }

  line& load(const MapKey& map_key) {
    cached_map& map = current();
    const auto known = map.lines.find(map_key);
    if (known != map.lines.end()) return known->second;
    line read;
    read.may_be_stored = false;
    if (!map.is_complete) {
      encode_current();
      encode_canonical(row_key_, map_key);
      read.is_present = read.may_be_stored = below_.table.get(row_key_.bytes(), row_value_);
      if (read.is_present) decode_row(row_value_, read.value);
    }
    line& kept = map.lines.emplace(map_key, std::move(read)).first->second;
    measure(map_key, kept);
    return kept;
  }

  void put_into(cached_map& map, const MapKey& map_key, V value) {
    const auto [at, is_new] = map.lines.try_emplace(map_key);
    line& l = at->second;
    if (is_new) l.may_be_stored = !map.is_complete;
    l.value = std::move(value);
    l.is_present = true;
    l.is_dirty = true;
    measure(map_key, l);
  }

  void encode_current() {
    row_key_.clear();
    encode_row_key(row_key_, key_group_of(context_.hash, below_.max_parallelism), context_.key,
                   ns_);
  }
  /// Behind the first `prefix` bytes of the row's key.
  void encode_map_key(std::size_t prefix, const MapKey& map_key) {
    row_key_.truncate(prefix);
    encode_canonical(row_key_, map_key);
  }

  void write_back(row_writer& out, std::uint32_t group_offset, typename table::entry& entry) {
    row_key_.clear();
    encode_row_key(row_key_, maps_.first_group() + group_offset, std::get<0>(entry.key),
                   std::get<1>(entry.key));
    const std::size_t prefix = row_key_.size();
    for (auto& [map_key, l] : entry.value.lines) {
      if (!std::exchange(l.is_dirty, false)) continue;
      encode_map_key(prefix, map_key);
      if (l.is_present)
        out.put(row_key_.bytes(), l.value);
      else
        out.erase(row_key_.bytes());
      l.may_be_stored = l.is_present;
    }
  }

  template <class Visit>
  static void visit_row(byte_cursor& row, Visit& visit) {
    Key key{};
    N ns{};
    MapKey map_key{};
    V value{};
    decode_row(row.key().subspan(row_group_bytes), key, ns, map_key);
    decode_row(row.value(), value);
    visit(std::as_const(key), std::as_const(ns), std::as_const(map_key), std::as_const(value));
  }

  const key_context<Key>& context_;
  N ns_{};
  cached_table below_;
  table maps_;
  std::size_t bytes_ = 0;
  std::uint32_t hand_group_ = 0;
  std::size_t hand_entry_ = 0;
  std::uint32_t sweep_group_ = 0;
  std::size_t sweep_entry_ = 0;

  // Of the snapshot under way.
  std::unique_ptr<byte_cursor> frozen_rows_;
  visit_function visit_;

  // Scratch.
  byte_writer row_key_;
  std::vector<std::byte> row_value_;
};

}  // namespace millrace
