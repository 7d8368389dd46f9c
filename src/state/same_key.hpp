#pragma once

#include <concepts>

#include "millrace/core/type_shape.hpp"

namespace millrace {

/// Equality that fits `key_hash`: NaN is the same key as NaN, and aggregates need no operator==.
/// `View` is `K`, or for a tuple one that has references in place of the parts.
template <class K, class View>
constexpr bool same_key(const K& a, const View& b) {
  if constexpr (std::floating_point<K>) {
    return a == b || (a != a && b != b);
  } else if constexpr (shape::tuple<K> || (shape::aggregate<K> && !std::equality_comparable<K>)) {
    return shape::all_fields<K>([&]<std::size_t I>() {
      return same_key(shape::fields<K>::template get<I>(a),
                      shape::fields<View>::template get<I>(b));
    });
  } else {
    return a == b;
  }
}

}  // namespace millrace
