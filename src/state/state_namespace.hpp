#pragma once

#include <compare>
#include <concepts>
#include <cstdint>
#include <tuple>

#include "millrace/core/codec.hpp"
#include "millrace/core/hash.hpp"
#include "millrace/core/key_group.hpp"

namespace millrace {

/// The namespace of state that has none: what users see.
struct void_namespace {
  /// All are equal.
  auto operator<=>(const void_namespace&) const = default;
};

/// What may subdivide the state of a key: a window, the end of a slice.
template <class N>
concept state_namespace = encodable<N> && hashable_key<N> && std::equality_comparable<N>;

/// The hash of a key within a namespace: the high half is the key's own, so that the namespaces of
/// a key are all in the key's group; the low half, which hash tables use, depends on both.
template <class N>
constexpr std::uint64_t scoped_hash(std::uint64_t hash_of_key, const N& ns) {
  if constexpr (std::same_as<N, void_namespace>) {
    return hash_of_key;
  } else {
    constexpr std::uint64_t low = 0xFFFFFFFFull;
    return (hash_of_key & ~low) | (hashing::combine(hash_of_key, key_hash(ns)) & low);
  }
}

/// A key and its namespace, as tables keep them.
template <class Key, class N>
using scoped_key = std::tuple<Key, N>;

/// The same for looking up, without copies.
template <class Key, class N>
using scoped_key_view = std::tuple<const Key&, const N&>;

/// The same for a scoped_key.
template <class Key, class N>
std::uint64_t hash_of(const scoped_key<Key, N>& key) {
  return scoped_hash(key_hash(std::get<0>(key)), std::get<1>(key));
}

/// The key that all states of a backend look at, set by the operator for each record and timer.
template <class Key>
struct key_context {
  Key key{};               ///< The current one; meaningless while there is none.
  std::uint64_t hash = 0;  ///< key_hash of `key`.
};

/// Where a state is to be kept: for the keys of `groups`, of which `context` says the current one,
/// on top of `below`. `context` outlives what is made there.
template <class Key, class Below>
struct store_place {
  const key_context<Key>& context;  ///< Says which key is the current one.
  key_group_range groups;           ///< The groups that the subtask has.
  Below below;                      ///< What holds the content, such as a table of a store on disk.
};

}  // namespace millrace
