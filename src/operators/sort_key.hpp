#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "millrace/core/byte_buffer.hpp"
#include "millrace/core/hash.hpp"
#include "millrace/core/type_shape.hpp"

// Keys as bytes whose order is that of the values (Flink's normalized keys; the encoding of strings
// is that of FoundationDB's tuple layer), so that sorting needs memcmp only and one sorter serves
// all types. Each value says itself where it ends, so that keys of several parts are put end to end
// and each part can be in either order.
//
// Numbers: big-endian, the sign bit flipped; floats ordered as numbers, -0 as 0, NaN as the
// greatest. Texts: 0 as 0 255, then 0 0. Sequences: 1 before each element, 0 at the end. Optionals:
// 0, or 1 and the value. Aggregates, pairs, tuples, arrays: their parts. Descending: every bit
// flipped.

namespace millrace {

/// Which way round.
enum class sort_order : std::uint8_t { ascending, descending };

namespace detail {

template <class T>
consteval bool can_order() {
  if constexpr (hashing::text<T> || shape::arithmetic<T> || shape::enumeration<T>) {
    return true;
  } else if constexpr (shape::duration<T> || shape::time_point<T>) {
    return shape::arithmetic<typename T::rep>;
  } else if constexpr (shape::sequence<T> || shape::std_array<T> || shape::optional<T>) {
    return can_order<typename T::value_type>();
  } else if constexpr (shape::product<T>) {
    return shape::all_fields<T>([]<std::size_t I>() {
      return can_order<std::remove_cvref_t<typename shape::fields<T>::template type<I>>>();
    });
  } else {
    return false;
  }
}

/// Appends `bits`, most significant byte first.
template <sort_order Order, std::unsigned_integral Bits>
void put_sort_bits(byte_writer& out, Bits bits) {
  if constexpr (Order == sort_order::descending) bits = static_cast<Bits>(~bits);
  std::byte* at = out.grow(sizeof(Bits));
  for (std::size_t i = sizeof(Bits); i-- > 0;)
    *at++ = static_cast<std::byte>(static_cast<std::uint64_t>(bits) >> (8 * i));
}

template <sort_order Order>
void put_sort_text(byte_writer& out, std::string_view text) {
  constexpr auto flip = Order == sort_order::descending ? std::byte{0xFF} : std::byte{0};
  for (const char c : text) {
    const auto byte = static_cast<std::byte>(c);
    *out.grow(1) = byte ^ flip;
    if (byte == std::byte{0}) *out.grow(1) = std::byte{0xFF} ^ flip;
  }
  put_sort_bits<Order>(out, std::uint16_t{0});
}

}  // namespace detail

/// Types that records can be sorted by.
template <class T>
concept sortable = detail::can_order<T>();

/// Appends `value` so that the bytes of any two values compare as the values do.
template <sort_order Order = sort_order::ascending, sortable T>
void write_sort_key(byte_writer& out, const T& value) {
  using detail::put_sort_bits;
  if constexpr (hashing::text<T>) {
    detail::put_sort_text<Order>(out, std::string_view(value));
  } else if constexpr (std::same_as<T, bool>) {
    put_sort_bits<Order>(out, static_cast<std::uint8_t>(value));
  } else if constexpr (shape::enumeration<T>) {
    write_sort_key<Order>(out, static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (std::floating_point<T>) {
    using bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    constexpr bits sign = bits{1} << (8 * sizeof(T) - 1);
    bits number = ~bits{0};
    if (value == value) {
      number = std::bit_cast<bits>(value == 0 ? T{0} : value);
      number = (number & sign) != 0 ? ~number : number | sign;
    }
    put_sort_bits<Order>(out, number);
  } else if constexpr (std::integral<T>) {
    using bits = std::make_unsigned_t<T>;
    constexpr bits sign = std::signed_integral<T> ? bits{1} << (8 * sizeof(T) - 1) : 0;
    put_sort_bits<Order>(out, static_cast<bits>(static_cast<bits>(value) ^ sign));
  } else if constexpr (shape::duration<T>) {
    write_sort_key<Order>(out, value.count());
  } else if constexpr (shape::time_point<T>) {
    write_sort_key<Order>(out, value.time_since_epoch().count());
  } else if constexpr (shape::std_array<T>) {
    for (const auto& item : value) write_sort_key<Order>(out, item);
  } else if constexpr (shape::sequence<T>) {
    for (const typename T::value_type& item : value) {
      put_sort_bits<Order>(out, std::uint8_t{1});
      write_sort_key<Order>(out, item);
    }
    put_sort_bits<Order>(out, std::uint8_t{0});
  } else if constexpr (shape::optional<T>) {
    put_sort_bits<Order>(out, static_cast<std::uint8_t>(value.has_value()));
    if (value) write_sort_key<Order>(out, *value);
  } else {
    shape::each_field(value, [&](const auto& field) { write_sort_key<Order>(out, field); });
  }
}

/// What to sort by, with its direction: `descending(&order::amount)`. A function, a pointer to
/// member or `field<I>` on its own means ascending.
template <class KeyOf, sort_order Order>
struct sorted_by {
  /// Finds in a record what to sort by.
  KeyOf key_of;
};

/// The least first.
template <class KeyOf>
sorted_by<KeyOf, sort_order::ascending> ascending(KeyOf key_of) {
  return {std::move(key_of)};
}
/// The greatest first.
template <class KeyOf>
sorted_by<KeyOf, sort_order::descending> descending(KeyOf key_of) {
  return {std::move(key_of)};
}

namespace detail {

template <class Part>
struct sort_part {
  using type = sorted_by<Part, sort_order::ascending>;
};
template <class KeyOf, sort_order Order>
struct sort_part<sorted_by<KeyOf, Order>> {
  using type = sorted_by<KeyOf, Order>;
};

template <class T, class KeyOf, sort_order Order>
void write_sort_part(byte_writer& out, const T& row, const sorted_by<KeyOf, Order>& part) {
  write_sort_key<Order>(out, std::invoke(part.key_of, row));
}

template <class Part, class T>
consteval bool sorts() {
  using key_of = decltype(sort_part<Part>::type::key_of);
  if constexpr (std::invocable<const key_of&, const T&>)
    return sortable<std::remove_cvref_t<std::invoke_result_t<const key_of&, const T&>>>;
  else
    return false;
}

}  // namespace detail

/// Something that records of type T can be sorted by.
template <class Part, class T>
concept sort_selector = detail::sorts<Part, T>();

/// Writes the key of a record that is sorted by several things, the first ones first.
template <class... Part>
struct sort_parts {
  /// The most important ones first.
  std::tuple<typename detail::sort_part<Part>::type...> parts;

  /// Appends the key of `row`.
  template <class T>
  void write(byte_writer& out, const T& row) const {
    std::apply([&](const auto&... part) { (detail::write_sort_part(out, row, part), ...); }, parts);
  }
};

}  // namespace millrace
