#pragma once

// The hash functions are small and hot: compiled into the caller.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>
#include <variant>

#include "millrace/core/type_shape.hpp"

/// The hash that decides which key group, and so which subtask and which piece of a checkpoint, a
/// key belongs to. It is FIXED FOR EVER: changing any of it makes every checkpoint unreadable.
///
/// - integers, enums, bool, std::byte, chrono durations and time points: widened to 64 bits (signed
///   ones by sign), then `mix64`. The same number hashes the same at every width.
/// - float, double: widened to double, -0 to 0, every NaN to one, then `mix64` of the bits.
/// - whatever converts to std::string_view: XXH3_64bits of the bytes.
/// - pair, tuple, aggregates, array: `combine` over the fields' hashes, starting from
///   `product_seed`. A pair hashes as a struct of the same two fields does.
/// - vector, deque, list: the same over the elements from `sequence_seed`, then over the length.
/// - optional, variant: `combine(index, hash of the value)`; index 0 alone for an empty optional,
///   1 for a full one; the hash of monostate is 0.
/// - anything else: `key_hasher<T>`, which a user specialises.
namespace millrace {

/// Specialise for a key type that is none of the above:
///
///     template <>
///     struct millrace::key_hasher<geo::cell> {
///       std::uint64_t operator()(const geo::cell& c) const { return key_hash(c.token()); }
///     };
///
/// The result must be well mixed in all bits (build it with `key_hash`), equal for equal keys, and
/// the same on every node, in every run.
template <class T>
struct key_hasher;

namespace hashing {

inline constexpr std::uint64_t product_seed = 0x2545F4914F6CDD1Dull;
inline constexpr std::uint64_t sequence_seed = 0x9FB21C651E98DF25ull;

/// splitmix64 (Steele, Lea, Flood 2014; finaliser "Mix13" by Stafford): a bijection of 64 bits.
constexpr std::uint64_t mix64(std::uint64_t x) noexcept {
  x += 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

/// Folds one more hash into `seed`; order matters.
constexpr std::uint64_t combine(std::uint64_t seed, std::uint64_t hash) noexcept {
  return mix64(std::rotl(seed, 23) * 0x9E3779B97F4A7C15ull ^ hash);
}

/// A user's type that has a key_hasher.
template <class T>
concept has_key_hasher = requires(const T& value) {
  { key_hasher<T>{}(value) } -> std::convertible_to<std::uint64_t>;
};

/// Hashed by its bytes, whatever type holds them, so that a view finds what a string has put.
template <class T>
concept text = std::convertible_to<const T&, std::string_view>;

template <class T>
consteval bool can_hash() {
  if constexpr (has_key_hasher<T> || text<T> || shape::arithmetic<T> || shape::enumeration<T> ||
                shape::monostate<T>) {
    return true;
  } else if constexpr (shape::duration<T> || shape::time_point<T>) {
    return shape::arithmetic<typename T::rep>;
  } else if constexpr (shape::sequence<T> || shape::std_array<T> || shape::optional<T>) {
    return can_hash<typename T::value_type>();
  } else if constexpr (shape::variant<T>) {
    return []<class... A>(std::type_identity<std::variant<A...>>) {
      return (can_hash<A>() && ...);
    }(std::type_identity<T>{});
  } else if constexpr (shape::product<T>) {
    // A tuple of references is a key that lies in a record.
    return shape::all_fields<T>([]<std::size_t I>() {
      return can_hash<std::remove_cvref_t<typename shape::fields<T>::template type<I>>>();
    });
  } else {
    return false;
  }
}

}  // namespace hashing

/// Types a stream can be keyed by.
template <class T>
concept hashable_key = hashing::can_hash<T>();

/// The fixed 64-bit hash of a key; see the top of this file.
template <class K>
constexpr std::uint64_t key_hash(const K& key) {
  using hashing::combine;
  using hashing::mix64;
  static_assert(hashable_key<K>,
                "millrace: this type can't be a key: use numbers, strings, enums, tuples or "
                "aggregates of these, or specialise millrace::key_hasher<T>");
  if constexpr (!hashable_key<K>) {
    return 0;
  } else if constexpr (hashing::has_key_hasher<K>) {
    return key_hasher<K>{}(key);
  } else if constexpr (hashing::text<K>) {
    const std::string_view text = key;
    return XXH3_64bits(text.data(), text.size());
  } else if constexpr (std::same_as<K, bool>) {
    return mix64(key ? 1 : 0);
  } else if constexpr (shape::enumeration<K>) {
    return key_hash(static_cast<std::underlying_type_t<K>>(key));
  } else if constexpr (std::floating_point<K>) {
    const double wide = key;
    if (wide != wide) return mix64(0x7FF8000000000000ull);
    return mix64(wide == 0 ? 0 : std::bit_cast<std::uint64_t>(wide));
  } else if constexpr (std::signed_integral<K>) {
    return mix64(static_cast<std::uint64_t>(static_cast<std::int64_t>(key)));
  } else if constexpr (std::unsigned_integral<K>) {
    return mix64(static_cast<std::uint64_t>(key));
  } else if constexpr (shape::monostate<K>) {
    return 0;
  } else if constexpr (shape::duration<K>) {
    return key_hash(key.count());
  } else if constexpr (shape::time_point<K>) {
    return key_hash(key.time_since_epoch().count());
  } else if constexpr (shape::std_array<K>) {
    std::uint64_t hash = hashing::product_seed;
    for (const auto& item : key) hash = combine(hash, key_hash(item));
    return hash;
  } else if constexpr (shape::sequence<K>) {
    std::uint64_t hash = hashing::sequence_seed;
    for (const typename K::value_type& item : key) hash = combine(hash, key_hash(item));
    return combine(hash, key.size());
  } else if constexpr (shape::optional<K>) {
    return key ? combine(1, key_hash(*key)) : combine(0, 0);
  } else if constexpr (shape::variant<K>) {
    return std::visit(
        [&](const auto& held) { return combine(std::uint64_t{key.index()}, key_hash(held)); }, key);
  } else {
    std::uint64_t hash = hashing::product_seed;
    shape::each_field(key, [&](const auto& field) { hash = combine(hash, key_hash(field)); });
    return hash;
  }
}

}  // namespace millrace
