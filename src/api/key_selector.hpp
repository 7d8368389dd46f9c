#pragma once

#include <cstdint>
#include <tuple>

#include "millrace/core/codec.hpp"
#include "millrace/core/hash.hpp"
#include "millrace/operators/keyed_fold.hpp"

namespace millrace {

/// Finds the key of a record: a function, a pointer to member, `field<I>`.
template <class KeyOf, class T>
concept key_selector = std::invocable<const KeyOf&, const T&> &&
    !std::is_void_v<std::invoke_result_t<const KeyOf&, const T&>>;

/// A key of several parts, as a tuple: of references to those that lie in the record.
template <class... KeyOf>
struct composite_key {
  /// The selectors of the parts, the first ones first.
  std::tuple<KeyOf...> parts;

  /// The key of a record.
  template <class T>
  auto operator()(const T& record) const {
    return std::apply(
        [&](const auto&... part) {
          return std::tuple<std::invoke_result_t<const KeyOf&, const T&>...>(
              std::invoke(part, record)...);
        },
        parts);
  }
};

namespace detail {

/// Says so where a type can't be a key.
template <class Key>
consteval bool check_key() {
  constexpr bool is_key = hashable_key<Key> && recordable<Key>;
  static_assert(is_key,
                "millrace: this type can't be a key: use numbers, std::string, enums, tuples or "
                "aggregates of these, or specialise millrace::key_hasher and millrace::codec");
  return is_key;
}

/// One key for all records: streams without keys as those with one.
struct same_for_all {
  template <class T>
  std::uint8_t operator()(const T&) const noexcept {
    return 0;
  }
};

/// Stands in after a compile error, so that no others follow from it.
struct no_key {
  template <class T>
  int operator()(const T&) const noexcept {
    return 0;
  }
};

}  // namespace detail

}  // namespace millrace
