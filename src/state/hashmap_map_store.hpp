#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "millrace/state/hashmap_store.hpp"

namespace millrace {

/// Hashing and equality of map keys in state: as those of stream keys.
struct map_key_hash {
  using is_avalanching = void;
  template <class K>
  std::uint64_t operator()(const K& key) const {
    return key_hash(key);
  }
};
struct map_key_equal {
  template <class K>
  bool operator()(const K& a, const K& b) const {
    return same_key(a, b);
  }
};

/// Where the hashmap backend keeps a map state: a live hash map per key and namespace, none for a
/// map without entries. Has the same members as `cached_map_store`.
template <class Key, class N, class MapKey, class V>
class hashmap_map_store {
 public:
  explicit hashmap_map_store(const store_place<Key, std::uint32_t>& where) : maps_(where) {}

  void set_namespace(const N& ns) { maps_.set_namespace(ns); }
  void set_has_key(bool has_key) noexcept { maps_.set_has_key(has_key); }

  V* find(const MapKey& map_key) { return find_in(maps_.find(), map_key); }
  V* find_for_update(const MapKey& map_key) { return find_in(maps_.find_for_update(), map_key); }
  template <class Make>
  std::pair<V&, bool> find_or_make(const MapKey& map_key, Make&& make) {
    map& entries = maps_.find_or_make([] { return map(); }).first;
    const auto found = entries.find(map_key);
    if (found != entries.end()) return {found->second, false};
    return {entries.emplace(map_key, std::forward<Make>(make)()).first->second, true};
  }
  void put(const MapKey& map_key, V value) {
    maps_.find_or_make([] { return map(); }).first.insert_or_assign(map_key, std::move(value));
  }
  void erase(const MapKey& map_key) {
    map* entries = maps_.find_for_update();
    if (entries == nullptr) return;
    entries->erase(map_key);
    if (entries->empty()) maps_.erase();
  }
  void clear() { maps_.erase(); }

  /// `visit(const MapKey&, V&)` for each entry; returns false to stop. Values are to be read only.
  template <class Visit>
  void for_each(Visit&& visit) {
    if (map* entries = maps_.find(); entries != nullptr)
      for (auto& [map_key, value] : *entries)
        if (!visit(map_key, value)) return;
  }

  /// Lets `is_over(V&)` look at the maps of the next `count` keys in turn, and removes the entries
  /// it says.
  template <class IsOver>
  void sweep(std::size_t count, IsOver&& is_over) {
    maps_.sweep(count, [&](map& entries) {
      boost::unordered::erase_if(entries, [&](auto& entry) { return is_over(entry.second); });
      return entries.empty();
    });
  }

  void prefetch(std::span<const Key> keys, std::span<const std::uint64_t> hashes) const noexcept {
    maps_.prefetch(keys, hashes);
  }

  /// `visit(const Key&, const N&, const MapKey&, const V&)`
  template <class Visit>
  void for_each_in_group(std::uint32_t group, Visit&& visit) {
    maps_.for_each_in_group(group, [&](const Key& key, const N& ns, const map& entries) {
      for (const auto& [map_key, value] : entries) visit(key, ns, map_key, value);
    });
  }

  /// As in `hashmap_store`; a map is saved whole, once one of its entries is about to change.
  template <class Visit>
  void freeze(snapshot_section& to, Visit visit) {
    maps_.freeze(
        to, [visit = std::move(visit)](const Key& key, const N& ns, const map& entries) mutable {
          for (const auto& [map_key, value] : entries) visit(key, ns, map_key, value);
        });
  }
  bool write_frozen(std::uint32_t group, snapshot_budget& budget) {
    return maps_.write_frozen(group, budget);
  }
  void thaw() noexcept { maps_.thaw(); }

  /// Of how many keys the entries are is not known.
  void reserve(std::uint32_t, std::size_t) noexcept {}
  void restore(const Key& key, const N& ns, const MapKey& map_key, V value) {
    maps_.at(key, ns).insert_or_assign(map_key, std::move(value));
  }
  void flush() {}
  static constexpr std::size_t cached_bytes() noexcept { return 0; }
  void release_memory(std::size_t) noexcept {}

 private:
  using map = boost::unordered_flat_map<MapKey, V, map_key_hash, map_key_equal>;

  static V* find_in(map* entries, const MapKey& map_key) {
    if (entries == nullptr) return nullptr;
    const auto found = entries->find(map_key);
    return found == entries->end() ? nullptr : &found->second;
  }

  hashmap_store<Key, N, map> maps_;
};

}  // namespace millrace
