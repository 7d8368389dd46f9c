#pragma once

#include <algorithm>
#include <concepts>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/core/known_types.hpp"
#include "millrace/state/cached_map_store.hpp"
#include "millrace/state/cached_store.hpp"
#include "millrace/state/hashmap_map_store.hpp"
#include "millrace/state/hashmap_store.hpp"
#include "millrace/state/key_schedule.hpp"
#include "millrace/state/keyed_state_backend_base.hpp"
#include "millrace/state/state_kinds.hpp"
#include "millrace/state/timer_service.hpp"

namespace millrace {

/// Gathers the keys of a state's entries, which come key by key.
template <class Key>
class keys_of_entries final : public state_entry_visitor {
 public:
  void entry(byte_view key, byte_view, byte_view, byte_view) override {
    if (!keys.empty() && std::ranges::equal(key, last_)) return;
    auto decoded = decode_bytes<Key>(key);
    if (!decoded) throw failure(decoded.error());
    keys.push_back(std::move(*decoded));
    last_.assign(key.begin(), key.end());
  }

  /// Each key once, in the order of the entries.
  std::vector<Key> keys;

 private:
  std::vector<std::byte> last_;
};

/// The keyed state of one subtask of an operator whose keys are of type `Key`: gives out handles,
/// and says which key they act on.
///
///     auto& state = context.keyed_backend<std::string>();
///     counts_ = state.get_state(value_state_descriptor<std::int64_t>("counts"));
///     …
///     state.set_current_key(row.user);
///     ++counts_.get_or_default();
///
/// For whole batches, compute the hashes of a block of rows first and `prefetch` them.
template <class Key>
class keyed_state_backend final : public keyed_state_backend_base {
 public:
  static_assert(encodable<Key> && hashable_key<Key>,
                "millrace: a key must be hashable and encodable");

  /// Keeps state as live objects if `store` is null.
  explicit keyed_state_backend(keyed_state_environment env,
                               std::unique_ptr<byte_store> store = nullptr)
      : keyed_state_backend_base(std::move(env), fingerprint_of<Key>(), std::move(store)) {}

  /// `hash` is the key's key_hash; `key` a Key or what can be assigned to one.
  template <class View>
  void set_current_key(const View& key, std::uint64_t hash) {
    if (cache_budget().is_over()) [[unlikely]]
      keep_to_budget();
    context_.key = key;
    context_.hash = hash;
  }
  /// The same for a key whose hash is not at hand.
  void set_current_key(const Key& key) { set_current_key(key, key_hash(key)); }
  /// The key that handles act on. Valid until the next one is set.
  const Key& current_key() const noexcept { return context_.key; }
  /// Its key_hash.
  std::uint64_t current_key_hash() const noexcept { return context_.hash; }
  /// From now on there is no current key, and state that is used throws `failure`, or there is one
  /// again. For code of users that is called between two keys: setting a key does not look.
  void set_has_key(bool has_key) noexcept {
    has_key_ = has_key;
    for (auto* table : typed_tables_) table->set_has_key(has_key);
  }

  /// Whether values are found where they are, and not read from somewhere else.
  bool is_in_memory() const noexcept { return store() == nullptr; }

  /// Brings the state of a block of keys near before they are used: 64 to a few hundred rows.
  /// `keys` may be empty, which is as good for the hashmap backend.
  void prefetch(std::span<const Key> keys, std::span<const std::uint64_t> hashes) {
    if (store() != nullptr) keep_to_budget();
    for (auto* table : typed_tables_) table->prefetch(keys, hashes);
  }

  /// Calls `use(key)` for each key that has something in that state, with it as the current one.
  /// `use` may change what the key has. Nothing happens if nobody asked for such a state yet.
  template <class Use>
  void for_each_key(const std::string& state, Use&& use) {
    const bool had_key = has_key_;
    set_has_key(true);
    for (std::uint32_t group = groups().first; group <= groups().last; ++group) {
      keys_of_entries<Key> found;  // of the whole group first: `use` may remove or move entries
      for_each(state, group, found);
      for (const Key& key : found.keys) {
        set_current_key(key);
        use(current_key());
      }
    }
    set_has_key(had_key);
  }

  // -- what functions ask for, in open(); the same name gives the same state again --------------

  /// One value per key. As all of these throws `failure` if the name was taken for a state of
  /// another kind or type, in this run or in the snapshot.
  template <class T, class Lifetime>
  value_state<T> get_state(const value_state_descriptor<T, Lifetime>& descriptor) {
    return get_namespaced<void_namespace>(descriptor);
  }
  /// A list per key.
  template <class T, class Lifetime>
  list_state<T> get_list_state(const list_state_descriptor<T, Lifetime>& descriptor) {
    return get_namespaced<void_namespace>(descriptor);
  }
  /// A map per key.
  template <class K, class V, class Lifetime>
  map_state<K, V> get_map_state(const map_state_descriptor<K, V, Lifetime>& descriptor) {
    return get_namespaced<void_namespace>(descriptor);
  }
  /// One value per key that all added ones are reduced to.
  template <class T, class Lifetime>
  reducing_state<T> get_reducing_state(const reducing_state_descriptor<T, Lifetime>& descriptor) {
    return get_namespaced<void_namespace>(descriptor);
  }
  /// One accumulator per key.
  template <class In, class Acc, class Out, class Lifetime>
  aggregating_state<In, Out> get_aggregating_state(
      const aggregating_state_descriptor<In, Acc, Out, Lifetime>& descriptor) {
    return get_namespaced<void_namespace>(descriptor);
  }

  // -- what operators ask for: the same in namespaces of type N ---------------------------------

  /// One value per key and namespace; errors as those of get_state. Set the namespace before each
  /// use that may be in another one.
  template <state_namespace N, class T, class Lifetime>
  namespaced<value_state<T>, N> get_namespaced(
      const value_state_descriptor<T, Lifetime>& descriptor) {
    return get_cells<value_state<T>, value_state_access<T>, N, T, value_state_table>(
        descriptor, state_kind::value);
  }
  /// One value per key and namespace that all added ones are reduced to.
  template <state_namespace N, class T, class Lifetime>
  namespaced<reducing_state<T>, N> get_namespaced(
      const reducing_state_descriptor<T, Lifetime>& descriptor) {
    return get_cells<reducing_state<T>, reducing_state_access<T>, N, T, reducing_state_table>(
        descriptor, state_kind::reducing);
  }
  /// One accumulator per key and namespace.
  template <state_namespace N, class In, class Acc, class Out, class Lifetime>
  namespaced<aggregating_state<In, Out>, N> get_namespaced(
      const aggregating_state_descriptor<In, Acc, Out, Lifetime>& descriptor) {
    using access = aggregating_state_access<In, Out>;
    const auto info = info_of<N, Acc>(descriptor.name(), state_kind::aggregating, descriptor);
    return get_table<aggregating_state<In, Out>, access, N>(info, descriptor, [&](auto ttl) {
      using cell = typename decltype(ttl)::template cell<Acc>;
      return with_store<N, cell>(info, ttl, [&](auto which, const auto& where) -> table_ptr {
        return std::make_unique<aggregating_state_table<Key, N, In, Acc, Out,
                                                        store_of<decltype(which)>, decltype(ttl)>>(
            info, max_parallelism(), ttl, where, descriptor);
      });
    });
  }
  /// A list per key and namespace.
  template <state_namespace N, class T, class Lifetime>
  namespaced<list_state<T>, N> get_namespaced(
      const list_state_descriptor<T, Lifetime>& descriptor) {
    const auto info = info_of<N, T>(descriptor.name(), state_kind::list, descriptor);
    return get_table<list_state<T>, list_state_access<T>, N>(info, descriptor, [&](auto ttl) {
      using list = typename decltype(ttl)::template list<T>;
      return with_store<N, list>(info, ttl, [&](auto which, const auto& where) -> table_ptr {
        return std::make_unique<
            list_state_table<Key, N, T, store_of<decltype(which)>, decltype(ttl)>>(
            info, max_parallelism(), ttl, where, descriptor);
      });
    });
  }
  /// A map per key and namespace.
  template <state_namespace N, class K, class V, class Lifetime>
  namespaced<map_state<K, V>, N> get_namespaced(
      const map_state_descriptor<K, V, Lifetime>& descriptor) {
    auto info = info_of<N, V>(descriptor.name(), state_kind::map, descriptor);
    info.map_key_type = fingerprint_of<K>();
    return get_table<map_state<K, V>, map_state_access<K, V>, N>(info, descriptor, [&](auto ttl) {
      using cell = typename decltype(ttl)::template cell<V>;
      return with_map_store<N, K, cell>(info, ttl, [&](auto which, const auto& where) -> table_ptr {
        return std::make_unique<
            map_state_table<Key, N, K, V, store_of<decltype(which)>, decltype(ttl)>>(
            info, max_parallelism(), ttl, where, descriptor);
      });
    });
  }

  /// The timers of that name.
  template <state_namespace N>
  timer_service<Key, N>& timers(const std::string& name) {
    state_info info{.name = name,
                    .kind = state_kind::timers,
                    .serializer_version = codec_version,
                    .key_type = key_type(),
                    .namespace_type = fingerprint_of<N>()};
    if (auto* known = find_table(info)) return as<timer_service<Key, N>>(*known);
    auto made =
        std::make_unique<timer_service<Key, N>>(info, context_, groups(), max_parallelism());
    auto& kept = *made;
    add_table(std::move(made));
    return kept;
  }

  /// The schedule of that name.
  key_schedule<Key>& schedule(const std::string& name) {
    state_info info{.name = name,
                    .kind = state_kind::schedule,
                    .serializer_version = codec_version,
                    .key_type = key_type()};
    if (auto* known = find_table(info)) return as<key_schedule<Key>>(*known);
    auto made = std::make_unique<key_schedule<Key>>(info, groups(), max_parallelism());
    auto& kept = *made;
    add_table(std::move(made));
    return kept;
  }

 private:
  using table_ptr = std::unique_ptr<keyed_state_table_of<Key>>;

  template <class Descriptor>
  auto ttl_of(const Descriptor& descriptor) const {
    return cells_of(descriptor.lifetime(), *environment().time);
  }

  template <class N, class T, class Descriptor>
  state_info info_of(const std::string& name, state_kind kind, const Descriptor& descriptor) const {
    return {.name = name,
            .kind = kind,
            .serializer_version = codec_version,
            .has_ttl = decltype(ttl_of(descriptor))::is_enabled,
            .key_type = key_type(),
            .namespace_type = fingerprint_of<N>(),
            .value_type = fingerprint_of_stored<T>()};
  }

  /// A state of one cell per key and namespace, whose table is `Table<Key, N, T, Store, Ttl>`.
  template <class Handle, class Access, class N, class T,
            template <class, class, class, class, class> class Table, class Descriptor>
  namespaced<Handle, N> get_cells(const Descriptor& descriptor, state_kind kind) {
    const auto info = info_of<N, T>(descriptor.name(), kind, descriptor);
    return get_table<Handle, Access, N>(info, descriptor, [&](auto ttl) {
      using cell = typename decltype(ttl)::template cell<T>;
      return with_store<N, cell>(info, ttl, [&](auto which, const auto& where) -> table_ptr {
        return std::make_unique<Table<Key, N, T, store_of<decltype(which)>, decltype(ttl)>>(
            info, max_parallelism(), ttl, where, descriptor);
      });
    });
  }

  /// The handle of a table that is there, or of the one that `make(ttl)` makes.
  template <class Handle, class Access, class N, class Descriptor, class Make>
  namespaced<Handle, N> get_table(const state_info& info, const Descriptor& descriptor,
                                  Make&& make) {
    keyed_state_table* table = find_table(info);
    if (table == nullptr) {
      table_ptr made = make(ttl_of(descriptor));
      auto* kept = made.get();
      add_table(std::move(made));
      typed_tables_.push_back(kept);
      kept->set_has_key(has_key_);
      table = kept;
    }
    return namespaced<Handle, N>(as<Access>(*table), as<namespace_control<N>>(*table));
  }

  /// Calls `make(kind, where)`: which store, as a type_identity, and where it is to be made.
  template <class N, class V, class Ttl, class Make>
  table_ptr with_store(const state_info& info, const Ttl& ttl, Make&& make) {
    if (store() != nullptr)
      return make(std::type_identity<cached_store<Key, N, V>>(), cached_place(info, ttl));
    return make(std::type_identity<hashmap_store<Key, N, V>>(), heap_place());
  }
  template <class N, class MapKey, class V, class Ttl, class Make>
  table_ptr with_map_store(const state_info& info, const Ttl& ttl, Make&& make) {
    if (store() != nullptr)
      return make(std::type_identity<cached_map_store<Key, N, MapKey, V>>(),
                  cached_place(info, ttl));
    return make(std::type_identity<hashmap_map_store<Key, N, MapKey, V>>(), heap_place());
  }
  template <class Kind>
  using store_of = typename Kind::type;

  store_place<Key, std::uint32_t> heap_place() const {
    return {context_, groups(), max_parallelism()};
  }
  template <class Ttl>
  store_place<Key, cached_table> cached_place(const state_info& info,
                                              [[maybe_unused]] const Ttl& ttl) {
    std::optional<std::int64_t> ttl_ms;
    if constexpr (Ttl::is_enabled) ttl_ms = ttl.ttl_ms();
    return {context_, groups(), {stored_table(info, ttl_ms), cache_budget(), max_parallelism()}};
  }

  /// Two types may have one encoding and yet not be the same.
  template <class Wanted>
  Wanted& as(keyed_state_table& table) const {
    auto* typed = dynamic_cast<Wanted*>(&table);
    if (typed == nullptr) throw_used_otherwise(table.info(), "was asked for with another C++ type");
    return *typed;
  }

  key_context<Key> context_;
  std::vector<keyed_state_table_of<Key>*> typed_tables_;
  bool has_key_ = true;
};

}  // namespace millrace
