#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <tuple>
#include <utility>

#include "millrace/state/keyed_table.hpp"
#include "millrace/state/snapshot_section.hpp"
#include "millrace/state/state_namespace.hpp"

namespace millrace {

/// Where the hashmap backend keeps one state: live objects in open-addressing tables, one for each
/// key group. A `V` per key and namespace.
///
/// This and `cached_store` have the same members, and the kinds of state are templates over either.
/// References are valid until a value is made or removed.
template <class Key, class N, class V>
class hashmap_store final : private entry_saver {
 public:
  static constexpr bool keeps_in_place = true;

  /// `below` is the maximum parallelism.
  explicit hashmap_store(const store_place<Key, std::uint32_t>& where)
      : context_(where.context), table_(where.groups, where.below) {}

  void set_namespace(const N& ns) { ns_ = ns; }
  void set_has_key(bool has_key) noexcept { table_.set_accessible(has_key); }
  const N& current_namespace() const noexcept { return ns_; }

  /// Of the current key and namespace, to read; null if there is none.
  V* find() { return table_.find(hash(), view()); }
  /// The same, to change it.
  V* find_for_update() { return table_.find_for_update(hash(), view()); }
  /// To change it; whether it was made just now.
  template <class Make>
  std::pair<V&, bool> find_or_make(Make&& make) {
    return table_.find_or_make(hash(), view(), std::forward<Make>(make));
  }
  void put(V value) {
    auto [kept, is_new] = find_or_make([&]() -> V { return std::move(value); });
    if (!is_new) kept = std::move(value);
  }
  void erase() { table_.erase(hash(), view(), hash_of<Key, N>); }

  /// Lets `is_over(V&)` look at the next `count` entries in turn, and removes those it says. It may
  /// change them.
  template <class IsOver>
  void sweep(std::size_t count, IsOver&& is_over) {
    for (; count > 0 && table_.size() > 0; --count) {
      auto& entries = table_.entries_of(sweep_group_);
      if (sweep_entry_ >= entries.size()) {
        sweep_entry_ = 0;
        sweep_group_ = sweep_group_ + 1 < table_.group_count() ? sweep_group_ + 1 : 0;
        continue;
      }
      table_.preserve(sweep_group_, sweep_entry_);
      auto& entry = entries[sweep_entry_];
      if (is_over(entry.value))
        table_.erase(hash_of<Key, N>(entry.key), entry.key, hash_of<Key, N>);
      else
        ++sweep_entry_;
    }
  }

  void prefetch(std::span<const Key>, std::span<const std::uint64_t> hashes) const noexcept {
    // The slots of other namespaces than the void one can't be told from the key's hash.
    if constexpr (std::same_as<N, void_namespace>) {
      if (!table_.is_large()) return;
      for (const auto hash : hashes) table_.prefetch_index(hash);
      for (const auto hash : hashes) table_.prefetch_entry(hash);
    }
  }

  /// `visit(const Key&, const N&, const V&)`
  template <class Visit>
  void for_each_in_group(std::uint32_t group, Visit&& visit) {
    for (const auto& entry : table_.entries_of(group - table_.first_group()))
      visit(std::get<0>(entry.key), std::get<1>(entry.key), entry.value);
  }

  /// A snapshot begins: `to`'s group is selected, and `visit` called, for each entry of now, at the
  /// latest before it changes.
  void freeze(snapshot_section& to, std::function<void(const Key&, const N&, const V&)> visit) {
    section_ = &to;
    visit_ = std::move(visit);
    table_.freeze(*this);
  }
  /// Visits the entries of a group that were not yet; false if the budget was spent first.
  bool write_frozen(std::uint32_t group, snapshot_budget& budget) {
    return table_.write_frozen(group - table_.first_group(), budget);
  }
  void thaw() noexcept { table_.thaw(); }

  /// Room for more values of a group.
  void reserve(std::uint32_t group, std::size_t values) {
    table_.reserve(group - table_.first_group(), values);
  }
  /// Adds what a snapshot has, replacing what is there.
  void restore(const Key& key, const N& ns, V value) { at(key, ns) = std::move(value); }
  /// The value of any key and namespace; made by `V{}` if there is none.
  V& at(const Key& key, const N& ns) {
    const scoped_key_view<Key, N> where(key, ns);
    return table_.find_or_make(scoped_hash(key_hash(key), ns), where, [] { return V{}; }).first;
  }
  void flush() {}
  static constexpr std::size_t cached_bytes() noexcept { return 0; }
  void release_memory(std::size_t) noexcept {}

  std::size_t size() const noexcept { return table_.size(); }

 private:
  std::uint64_t hash() const { return scoped_hash(context_.hash, ns_); }
  scoped_key_view<Key, N> view() const noexcept { return {context_.key, ns_}; }

  std::size_t save(std::uint32_t group_offset, std::size_t first, std::size_t end) override {
    section_->select(group_offset);
    const auto before = section_->written();
    const auto& entries = table_.entries_of(group_offset);
    for (auto i = first; i < end; ++i)
      visit_(std::get<0>(entries[i].key), std::get<1>(entries[i].key), entries[i].value);
    return section_->written() - before;
  }

  const key_context<Key>& context_;
  N ns_{};
  keyed_table<scoped_key<Key, N>, V> table_;
  std::uint32_t sweep_group_ = 0;
  std::size_t sweep_entry_ = 0;

  // Of the snapshot under way.
  snapshot_section* section_ = nullptr;
  std::function<void(const Key&, const N&, const V&)> visit_;
};

}  // namespace millrace
