#pragma once

#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/core/fingerprint.hpp"
#include "millrace/core/key_group.hpp"
#include "millrace/state/entry_encoder.hpp"
#include "millrace/state/keyed_state_table.hpp"
#include "millrace/state/state_handles.hpp"
#include "millrace/state/state_namespace.hpp"
#include "millrace/state/state_ttl.hpp"

namespace millrace {

/// `adopt` of all elements of a saved list.
template <class Ttl, class Saved>
auto adopt_all(const Ttl& ttl, std::vector<Saved>&& saved) {
  std::vector<decltype(ttl.adopt(std::declval<Saved>()))> adopted;
  adopted.reserve(saved.size());
  for (auto&& cell : saved) adopted.push_back(ttl.adopt(Saved(std::move(cell))));
  return adopted;
}

/// Reads a value of type `T` that was saved with or without time to live, as a cell of `Ttl`.
template <class T, class Ttl>
status read_cell(const encoded_entry& entry, bool saved_with_ttl, const Ttl& ttl,
                 typename Ttl::template cell<T>& cell) {
  const auto read_as = [&](auto saved) {
    auto good = decode_bytes_into(entry.value, saved);
    if (good) cell = ttl.adopt(std::move(saved));
    return good;
  };
  return saved_with_ttl ? read_as(expiring<T>()) : read_as(T());
}

/// The same for a list of `T`.
template <class T, class Ttl>
status read_cells(const encoded_entry& entry, bool saved_with_ttl, const Ttl& ttl,
                  std::vector<typename Ttl::template cell<T>>& cells) {
  const auto read_as = [&](auto saved) {
    auto good = decode_bytes_into(entry.value, saved);
    if (good) cells = adopt_all(ttl, std::move(saved));
    return good;
  };
  return saved_with_ttl ? read_as(std::vector<expiring<T>>()) : read_as(std::vector<T>());
}

/// Refuses a key of another group.
status check_key_group(std::uint32_t of_key, std::uint32_t expected);

/// Says that states of this kind can't be merged over namespaces.
[[noreturn]] void throw_cannot_merge(const state_info& state);

/// The key and the namespace of an entry that belongs to `group`.
template <class Key, class N>
status read_key(const encoded_entry& entry, std::uint32_t group, std::uint32_t max_parallelism,
                Key& key, N& ns) {
  if (auto good = decode_bytes_into(entry.key, key); !good) return good;
  if (auto good = decode_bytes_into(entry.ns, ns); !good) return good;
  return check_key_group(key_group_of(key_hash(key), max_parallelism), group);
}

/// What state kinds have in common, over the `Store` of either backend; `Ttl` is `no_ttl` or
/// `with_ttl`.
template <class Key, class N, class Store, class Ttl>
class state_table : public keyed_state_table_of<Key>, public namespace_control<N> {
 public:
  /// The store is made there.
  state_table(const state_info& info, std::uint32_t max_parallelism, Ttl ttl, const auto& where)
      : info_(info), max_parallelism_(max_parallelism), ttl_(std::move(ttl)), store_(where) {}

  const state_info& info() const noexcept final { return info_; }
  void prefetch(std::span<const Key> keys, std::span<const std::uint64_t> hashes) final {
    store_.prefetch(keys, hashes);
  }
  void set_has_key(bool has_key) noexcept final { store_.set_has_key(has_key); }
  bool write_group(std::uint32_t group, snapshot_budget& budget) final {
    return store_.write_frozen(group, budget);
  }
  void end_snapshot() noexcept final { store_.thaw(); }
  void reserve(std::uint32_t group, std::size_t entries) final { store_.reserve(group, entries); }
  void flush() final { store_.flush(); }
  std::size_t cached_bytes() const noexcept final { return store_.cached_bytes(); }
  void release_memory(std::size_t keep_bytes) final { store_.release_memory(keep_bytes); }
  void set_current_namespace(const N& ns) final { store_.set_namespace(ns); }
  void merge_namespaces(const N&, std::span<const N>) override { throw_cannot_merge(info_); }

 protected:
  /// Whether a cell may still be shown.
  template <class Cell>
  bool is_shown([[maybe_unused]] const Cell& cell) const {
    if constexpr (Ttl::is_enabled)
      return ttl_.shows_expired() || !ttl_.is_expired(cell);
    else
      return true;
  }
  /// Whether a cell may be built upon.
  template <class Cell>
  bool is_live([[maybe_unused]] const Cell& cell) const {
    if constexpr (Ttl::is_enabled)
      return !ttl_.is_expired(cell);
    else
      return true;
  }
  template <class Cell>
  void touch([[maybe_unused]] Cell& cell) const {
    if constexpr (Ttl::is_enabled) ttl_.touch(cell);
  }
  bool reads_touch() const {
    if constexpr (Ttl::is_enabled)
      return ttl_.reads_touch();
    else
      return false;
  }

  state_info info_;
  std::uint32_t max_parallelism_;
  Ttl ttl_;
  Store store_;
};

/// States that keep one cell per key and namespace: a value of type `T`, with its time of life.
template <class Key, class N, class T, class Store, class Ttl>
class cell_table : public state_table<Key, N, Store, Ttl> {
 public:
  using state_table<Key, N, Store, Ttl>::state_table;
  using cell = typename Ttl::template cell<T>;

  void for_each_in_group(std::uint32_t group, state_entry_visitor& visitor) final {
    this->store_.for_each_in_group(group, encoder(visitor));
  }
  void begin_snapshot(snapshot_section& to) final { this->store_.freeze(to, encoder(to)); }

  status restore_entry(std::uint32_t group, const state_info& saved,
                       const encoded_entry& entry) final {
    Key key{};
    N ns{};
    cell value{};
    auto good = read_key(entry, group, this->max_parallelism_, key, ns);
    if (good) good = read_cell<T>(entry, saved.has_ttl, this->ttl_, value);
    if (good) this->store_.restore(key, ns, std::move(value));
    return good;
  }

 protected:
  /// The current cell's value, to read; null if there is none or it is over.
  T* find() {
    sweep();
    cell* found = this->reads_touch() ? this->store_.find_for_update() : this->store_.find();
    if (found == nullptr) return nullptr;
    if (!this->is_live(*found)) {
      if (this->is_shown(*found)) return &this->ttl_.value(*found);
      this->store_.erase();
      return nullptr;
    }
    if (this->reads_touch()) this->touch(*found);
    return &this->ttl_.value(*found);
  }

  /// The current cell's value where it is, to change it; null if there is none. For cells without
  /// time to live.
  T* find_in_place() {
    cell* found = this->store_.find_for_update();
    return found == nullptr ? nullptr : &this->ttl_.value(*found);
  }

  /// The current cell's value, to change it, and whether it was made just now.
  template <class Make>
  std::pair<T&, bool> find_or_make(Make&& make) {
    sweep();
    auto [found, is_new] =
        this->store_.find_or_make([&]() -> cell { return this->ttl_.make(make()); });
    if (!is_new && !this->is_live(found)) {
      found = this->ttl_.make(make());
      is_new = true;
    }
    this->touch(found);
    return {this->ttl_.value(found), is_new};
  }

  void put(T value) {
    sweep();
    this->store_.put(this->ttl_.make(std::move(value)));
  }

  void erase() { this->store_.erase(); }

  /// Merges by `add(T& into, T&& value)`.
  template <class Add>
  void merge_by(const N& target, std::span<const N> sources, Add&& add) {
    for (const N& source : sources) {
      if (source == target) continue;
      this->store_.set_namespace(source);
      cell* found = this->store_.find_for_update();
      if (found == nullptr) continue;
      if (!this->is_live(*found)) {
        this->store_.erase();
        continue;
      }
      cell moved = std::move(*found);
      this->store_.erase();
      this->store_.set_namespace(target);
      T value = std::move(this->ttl_.value(moved));
      bool taken = false;
      auto [into, is_new] = find_or_make([&]() -> T {
        taken = true;
        return std::move(value);
      });
      if (!taken) add(into, std::move(value));
    }
    this->store_.set_namespace(target);
  }

 private:
  auto encoder(state_entry_visitor& to) {
    return [this, give = entry_encoder<Key, N>(to)](const Key& key, const N& ns,
                                                    const cell& value) mutable {
      if (this->is_live(value)) give(key, ns, value);
    };
  }
  void sweep() {
    if constexpr (Ttl::is_enabled)
      this->store_.sweep(this->ttl_.cleanup_entries(),
                         [this](const cell& c) { return this->ttl_.is_expired(c); });
  }
};

}  // namespace millrace
