#pragma once

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "millrace/state/state_descriptor.hpp"
#include "millrace/state/state_table.hpp"

/// The kinds of state, each once for both backends.
namespace millrace {

template <class Key, class N, class T, class Store, class Ttl>
class value_state_table final : public cell_table<Key, N, T, Store, Ttl>,
                                public value_state_access<T> {
 public:
  value_state_table(const state_info& info, std::uint32_t max_parallelism, Ttl ttl,
                    const auto& where, const auto& descriptor)
      : cell_table<Key, N, T, Store, Ttl>(info, max_parallelism, std::move(ttl), where),
        initial_(descriptor.initial()) {}

  const T* find() override { return base::find(); }
  const T& initial() const noexcept override { return initial_; }
  T& get_or_default() override {
    return this->find_or_make([this]() -> T { return initial_; }).first;
  }
  T* find_in_place() override {
    if constexpr (Store::keeps_in_place && !Ttl::is_enabled)
      return base::find_in_place();
    else
      return nullptr;
  }
  void update(T value) override { this->put(std::move(value)); }
  void clear() override { this->erase(); }

 private:
  using base = cell_table<Key, N, T, Store, Ttl>;
  T initial_;
};

template <class Key, class N, class T, class Store, class Ttl>
class reducing_state_table final : public cell_table<Key, N, T, Store, Ttl>,
                                   public reducing_state_access<T> {
 public:
  reducing_state_table(const state_info& info, std::uint32_t max_parallelism, Ttl ttl,
                       const auto& where, const auto& descriptor)
      : cell_table<Key, N, T, Store, Ttl>(info, max_parallelism, std::move(ttl), where),
        reduce_(descriptor.function()) {}

  const T* get() override { return this->find(); }
  void add(const T& value) override {
    auto [into, is_new] = this->find_or_make([&]() -> T { return value; });
    if (!is_new) reduce_(into, value);
  }
  void clear() override { this->erase(); }
  void merge_namespaces(const N& target, std::span<const N> sources) override {
    this->merge_by(target, sources, reduce_);
  }

 private:
  typename reducing_state_descriptor<T>::reduce reduce_;
};

template <class Key, class N, class In, class Acc, class Out, class Store, class Ttl>
class aggregating_state_table final : public cell_table<Key, N, Acc, Store, Ttl>,
                                      public aggregating_state_access<In, Out> {
 public:
  aggregating_state_table(const state_info& info, std::uint32_t max_parallelism, Ttl ttl,
                          const auto& where, const auto& descriptor)
      : cell_table<Key, N, Acc, Store, Ttl>(info, max_parallelism, std::move(ttl), where),
        aggregate_(descriptor.function()) {}

  std::optional<Out> get() override {
    const Acc* found = this->find();
    if (found == nullptr) return std::nullopt;
    return aggregate_->get_result(*found);
  }
  void add(const In& value) override {
    aggregate_->add(
        this->find_or_make([this]() -> Acc { return aggregate_->create_accumulator(); }).first,
        value);
  }
  void clear() override { this->erase(); }
  void merge_namespaces(const N& target, std::span<const N> sources) override {
    this->merge_by(target, sources,
                   [this](Acc& into, const Acc& from) { aggregate_->merge(into, from); });
  }

 private:
  typename aggregating_state_descriptor<In, Acc, Out>::function_ptr aggregate_;
};

/// Keeps a list of cells per key and namespace; elements live and expire one by one.
template <class Key, class N, class T, class Store, class Ttl>
class list_state_table final : public state_table<Key, N, Store, Ttl>, public list_state_access<T> {
 public:
  using cell = typename Ttl::template cell<T>;
  using list = typename Ttl::template list<T>;

  list_state_table(const state_info& info, std::uint32_t max_parallelism, Ttl ttl,
                   const auto& where, const auto&)
      : state_table<Key, N, Store, Ttl>(info, max_parallelism, std::move(ttl), where) {}

  const std::vector<T>& get() override {
    sweep();
    list* found = this->reads_touch() ? this->store_.find_for_update() : this->store_.find();
    if constexpr (Ttl::is_enabled) {
      shown_.clear();
      if (found == nullptr) return shown_;
      if (this->reads_touch()) {
        if (!this->ttl_.shows_expired()) drop_expired(*found);
        this->ttl_.touch_live(*found);
      }
      for (const auto& c : found->cells)
        if (this->is_shown(c)) shown_.push_back(c.value);
      if (shown_.empty()) this->store_.erase();
      return shown_;
    } else {
      return found == nullptr ? shown_ : *found;
    }
  }
  void add(T added) override {
    sweep();
    this->ttl_.append(for_update(), this->ttl_.make(std::move(added)));
  }
  void add_all(std::vector<T> elements) override {
    if (elements.empty()) return;
    sweep();
    append_all(for_update(), std::move(elements));
  }
  void update(std::vector<T> elements) override {
    if (elements.empty()) return clear();
    list all;
    append_all(all, std::move(elements));
    this->store_.put(std::move(all));
  }
  void clear() override { this->store_.erase(); }

  void merge_namespaces(const N& target, std::span<const N> sources) override {
    for (const N& source : sources) {
      if (source == target) continue;
      this->store_.set_namespace(source);
      list* found = this->store_.find_for_update();
      if (found == nullptr) continue;
      list moved = std::move(*found);
      this->store_.erase();
      this->store_.set_namespace(target);
      list& into = this->for_update();
      for (auto&& each : this->ttl_.elements(moved)) this->ttl_.append(into, cell(std::move(each)));
    }
    this->store_.set_namespace(target);
  }

  void for_each_in_group(std::uint32_t group, state_entry_visitor& visitor) override {
    this->store_.for_each_in_group(group, encoder(visitor));
  }
  void begin_snapshot(snapshot_section& to) override { this->store_.freeze(to, encoder(to)); }
  status restore_entry(std::uint32_t group, const state_info& saved,
                       const encoded_entry& entry) override {
    Key key{};
    N ns{};
    std::vector<cell> cells;
    auto good = read_key(entry, group, this->max_parallelism_, key, ns);
    if (good) good = read_cells<T>(entry, saved.has_ttl, this->ttl_, cells);
    if (!good) return good;
    list value;
    for (auto&& each : cells) this->ttl_.append(value, cell(std::move(each)));
    this->store_.restore(key, ns, std::move(value));
    return good;
  }

 private:
  auto encoder(state_entry_visitor& to) {
    return [this, give = entry_encoder<Key, N>(to)](const Key& key, const N& ns,
                                                    const list& value) mutable {
      if constexpr (Ttl::is_enabled) {
        live_.clear();
        for (const auto& c : value.cells)
          if (this->is_live(c)) live_.push_back(c);
        if (!live_.empty()) give(key, ns, live_);
      } else {
        give(key, ns, value);
      }
    };
  }
  /// To add to it.
  list& for_update() {
    list& all = this->store_.find_or_make([] { return list(); }).first;
    if constexpr (Ttl::is_enabled) {
      // What is added to for ever would else keep all that has expired, if nothing sweeps. Oldest
      // come first, so half of the elements go when the one in the middle may: each is moved once.
      const auto& cells = all.cells;
      if (!cells.empty() && !this->is_shown(cells[cells.size() / 2])) drop_expired(all);
    }
    return all;
  }
  void append_all(list& to, std::vector<T> elements) {
    if (auto& cells = this->ttl_.elements(to); cells.empty()) cells.reserve(elements.size());
    for (auto&& each : elements) this->ttl_.append(to, this->ttl_.make(T(std::move(each))));
  }
  void drop_expired(list& all) const {
    if constexpr (Ttl::is_enabled)
      std::erase_if(all.cells, [this](const cell& c) { return this->ttl_.is_expired(c); });
  }
  void sweep() {
    if constexpr (Ttl::is_enabled)
      this->store_.sweep(this->ttl_.cleanup_entries(), [this](list& all) {
        drop_expired(all);
        return all.cells.empty();
      });
  }

  // Without time to live both stay empty.
  std::vector<T> shown_;    // what get() returned
  std::vector<cell> live_;  // scratch
};

/// Keeps a cell per key, namespace and map key.
template <class Key, class N, class K, class V, class Store, class Ttl>
class map_state_table final : public state_table<Key, N, Store, Ttl>,
                              public map_state_access<K, V> {
 public:
  using cell = typename Ttl::template cell<V>;

  map_state_table(const state_info& info, std::uint32_t max_parallelism, Ttl ttl, const auto& where,
                  const auto&)
      : state_table<Key, N, Store, Ttl>(info, max_parallelism, std::move(ttl), where) {}

  const V* get(const K& key) override {
    sweep();
    cell* found = this->reads_touch() ? this->store_.find_for_update(key) : this->store_.find(key);
    if (found == nullptr) return nullptr;
    if (!this->is_live(*found)) {
      if (this->is_shown(*found)) return &this->ttl_.value(*found);
      this->store_.erase(key);
      return nullptr;
    }
    if (this->reads_touch()) this->touch(*found);
    return &this->ttl_.value(*found);
  }
  V& get_or_default(const K& key) override {
    sweep();
    auto [found, is_new] =
        this->store_.find_or_make(key, [this]() -> cell { return this->ttl_.make(V{}); });
    if (!is_new && !this->is_live(found)) found = this->ttl_.make(V{});
    this->touch(found);
    return this->ttl_.value(found);
  }
  void put(const K& key, V value) override {
    sweep();
    this->store_.put(key, this->ttl_.make(std::move(value)));
  }
  bool remove(const K& key) override {
    const cell* found = this->store_.find(key);
    const bool was_there = found != nullptr && this->is_shown(*found);
    if (found != nullptr) this->store_.erase(key);
    return was_there;
  }
  void for_each(const std::function<void(const K&, const V&)>& visit) override {
    std::vector<K> read;
    this->store_.for_each([&](const K& key, cell& c) {
      if (!this->is_shown(c)) return true;
      if (this->reads_touch() && this->is_live(c)) read.push_back(key);
      visit(key, this->ttl_.value(c));
      return true;
    });
    for (const K& key : read)
      if (cell* c = this->store_.find_for_update(key); c != nullptr) this->touch(*c);
  }
  bool is_empty() override {
    bool found = false;
    this->store_.for_each([&](const K&, const cell& c) { return !(found = this->is_shown(c)); });
    return !found;
  }
  void clear() override { this->store_.clear(); }

  void for_each_in_group(std::uint32_t group, state_entry_visitor& visitor) override {
    this->store_.for_each_in_group(group, encoder(visitor));
  }
  void begin_snapshot(snapshot_section& to) override { this->store_.freeze(to, encoder(to)); }
  status restore_entry(std::uint32_t group, const state_info& saved,
                       const encoded_entry& entry) override {
    Key key{};
    N ns{};
    cell value{};
    K map_key{};
    auto good = decode_bytes_into(entry.map_key, map_key);
    if (good) good = read_key(entry, group, this->max_parallelism_, key, ns);
    if (good) good = read_cell<V>(entry, saved.has_ttl, this->ttl_, value);
    if (good) this->store_.restore(key, ns, map_key, std::move(value));
    return good;
  }

 private:
  auto encoder(state_entry_visitor& to) {
    return [this, give = entry_encoder<Key, N>(to)](const Key& key, const N& ns, const K& map_key,
                                                    const cell& value) mutable {
      if (this->is_live(value)) give.with_map_key(key, ns, map_key, value);
    };
  }
  void sweep() {
    if constexpr (Ttl::is_enabled)
      this->store_.sweep(this->ttl_.cleanup_entries(),
                         [this](const cell& c) { return this->ttl_.is_expired(c); });
  }
};

}  // namespace millrace
