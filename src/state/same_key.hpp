#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

#include "millrace/core/type_shape.hpp"

namespace millrace {

#ifdef __GLIBCXX__
namespace detail {

/// Equality of strings. Short ones lie inside their objects (libstdc++) and are compared as two
/// words, without a call and without a jump for each length: words of a text have mixed lengths,
/// and a mispredicted jump costs more than all the rest of a look-up.
inline bool same_text(const std::string& a, const std::string& b) noexcept {
  constexpr std::size_t inside_max = 15;
  const auto size = a.size();
  if (size != b.size()) return false;
  if (a.capacity() != inside_max || b.capacity() != inside_max) return a == b;
  // Which bits of the words are text.
  static constexpr auto masks = [] {
    std::array<std::array<std::uint64_t, 2>, inside_max + 1> of{};
    for (std::size_t n = 0; n <= inside_max; ++n)
      for (std::size_t byte = 0; byte < n; ++byte)
        of[n][byte / 8] |= std::uint64_t{0xFF} << (byte % 8 * 8);
    return of;
  }();
  std::uint64_t words_of_a[2];
  std::uint64_t words_of_b[2];
  std::memcpy(words_of_a, a.data(), sizeof words_of_a);
  std::memcpy(words_of_b, b.data(), sizeof words_of_b);
  return (((words_of_a[0] ^ words_of_b[0]) & masks[size][0]) |
          ((words_of_a[1] ^ words_of_b[1]) & masks[size][1])) == 0;
}
static_assert(std::endian::native == std::endian::little);

}  // namespace detail
#endif

/// Equality that fits `key_hash`: NaN is the same key as NaN, and aggregates need no operator==.
/// `View` is `K`, or for a tuple one that has references in place of the parts.
template <class K, class View>
constexpr bool same_key(const K& a, const View& b) {
  if constexpr (std::floating_point<K>) {
    return a == b || (a != a && b != b);
#ifdef __GLIBCXX__
  } else if constexpr (std::same_as<K, std::string> && std::same_as<View, std::string>) {
    return std::is_constant_evaluated() ? a == b : detail::same_text(a, b);
#endif
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
