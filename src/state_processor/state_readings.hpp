#pragma once

#include <tuple>
#include <utility>
#include <vector>

#include "millrace/operators/own_state_names.hpp"
#include "millrace/state/keyed_state_backend.hpp"
#include "millrace/state_processor/keyed_state_reader_function.hpp"

namespace millrace {

/// The values that reduce, sum, min, max, min_by and max_by of a keyed stream keep: one record per
/// key.
template <class T>
struct folded_state {};

namespace detail {

// Readers of a single state, by its descriptor: what `record` is.

/// States of one value per key. `Get` makes the handle, `find` a pointer to the value or an
/// optional.
template <class Key, class T, class Handle, class Get, class Find>
struct single_value_reading {
  Get get;
  Find find;
  Handle handle{};

  void open_with_backend(keyed_state_backend<Key>& state) { handle = get(state); }
  void read_key(const Key& key, keyed_state_reader_context&, collector<std::pair<Key, T>>& out) {
    if (const auto value = find(handle)) out.emit(std::pair<Key, T>(key, *value));
  }
};

/// The entries of a map, one by one.
template <class Key, class K, class V, class Lifetime>
struct map_reading {
  map_state_descriptor<K, V, Lifetime> descriptor;
  map_state<K, V> handle{};

  void open_with_backend(keyed_state_backend<Key>& state) {
    handle = state.get_map_state(descriptor);
  }
  void read_key(const Key& key, keyed_state_reader_context&,
                collector<std::tuple<Key, K, V>>& out) {
    handle.for_each([&](const K& k, const V& v) { out.emit(std::tuple<Key, K, V>(key, k, v)); });
  }
};

template <class Key, class T, class Handle, class Get, class Find>
auto single_value(Get get, Find find) {
  return single_value_reading<Key, T, Handle, Get, Find>{std::move(get), std::move(find)};
}

template <class Key, class T, class Lifetime>
auto reading_of(const value_state_descriptor<T, Lifetime>& descriptor) {
  return single_value<Key, T, value_state<T>>(
      [descriptor](auto& state) { return state.get_state(descriptor); },
      [](const auto& handle) { return handle.find(); });
}
template <class Key, class T, class Lifetime>
auto reading_of(const list_state_descriptor<T, Lifetime>& descriptor) {
  using list = std::vector<T>;
  return single_value<Key, list, list_state<T>>(
      [descriptor](auto& state) { return state.get_list_state(descriptor); },
      [](const auto& handle) {
        const list& all = handle.get();
        return all.empty() ? nullptr : &all;
      });
}
template <class Key, class K, class V, class Lifetime>
auto reading_of(const map_state_descriptor<K, V, Lifetime>& descriptor) {
  return map_reading<Key, K, V, Lifetime>{descriptor};
}
template <class Key, class T, class Lifetime>
auto reading_of(const reducing_state_descriptor<T, Lifetime>& descriptor) {
  return single_value<Key, T, reducing_state<T>>(
      [descriptor](auto& state) { return state.get_reducing_state(descriptor); },
      [](const auto& handle) { return handle.get(); });
}
template <class Key, class In, class Acc, class Out, class Lifetime>
auto reading_of(const aggregating_state_descriptor<In, Acc, Out, Lifetime>& descriptor) {
  return single_value<Key, Out, aggregating_state<In, Out>>(
      [descriptor](auto& state) { return state.get_aggregating_state(descriptor); },
      [](const auto& handle) { return handle.get(); });
}
/// Nothing is folded while it is only read.
template <class Key, class T>
auto reading_of(const folded_state<T>&) {
  return reading_of<Key>(
      reducing_state_descriptor<T>(own_state_names::folded, [](T&, const T&) {}));
}

}  // namespace detail

}  // namespace millrace
