#pragma once

#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>

#include "millrace/core/type_shape.hpp"
#include "millrace/stream/batch.hpp"

namespace millrace {

namespace detail {

/// Every string up to this length lies inside its object (libstdc++).
inline constexpr std::size_t short_string_max = 15;

/// A short string by copying all of its inner buffer, which is two moves. The library copies as
/// many bytes as the text has: a call of memcpy, and a mispredicted jump with mixed lengths, which
/// is most of what routing a row of short text costs.
[[gnu::always_inline]] inline std::string copy_of_short(const std::string& from) {
  std::string copy(from.data(), short_string_max);
  copy.resize(from.size());
  return copy;
}

/// Becomes the field's value where a field of the new row is initialised, in place.
template <class Field>
struct transferred {
  Field from;  // const T& or T&&

  using type = std::remove_cvref_t<Field>;

  [[gnu::always_inline]] operator type() const {
#ifdef __GLIBCXX__
    if constexpr (shape::string<type>) {
      if (from.capacity() == short_string_max) return copy_of_short(from);
    }
#endif
    return type(static_cast<Field>(from));
  }
};

template <class T>
constexpr bool has_string_field() {
  return !shape::all_fields<T>(
      []<std::size_t I>() { return !shape::string<typename shape::fields<T>::template type<I>>; });
}

/// A struct or pair that holds text directly.
template <class T>
constexpr bool is_row_of_text() {
  if constexpr (shape::aggregate<T> || shape::is_instance<T, std::pair>)
    return has_string_field<T>();
  else
    return false;
}

template <class Row>
struct transferred_fields {
  Row from;  // const T& or T&&

  using type = std::remove_cvref_t<Row>;

  [[gnu::always_inline]] operator type() const {
    return [this]<std::size_t... I>(std::index_sequence<I...>) __attribute__((always_inline)) {
      return type{field<I>()...};
    }
    (std::make_index_sequence<shape::fields<type>::count>{});
  }

 private:
  template <std::size_t I>
  [[gnu::always_inline]] auto field() const {
    auto& value = shape::fields<type>::template get<I>(from);
    using field_type = std::remove_cvref_t<decltype(value)>;
    if constexpr (std::is_lvalue_reference_v<Row>)
      return transferred<const field_type&>{value};
    else
      return transferred<field_type&&>{std::move(value)};
  }
};

}  // namespace detail

/// Appends a row to a vector that has room for it. `Row` is `const T&` or `T` to be moved from.
template <class T, class Row>
[[gnu::always_inline]] inline void append_row(row_vector<T>& rows, Row&& row) {
  if (rows.size() == rows.capacity()) __builtin_unreachable();
  if constexpr (shape::string<T>)
    rows.emplace_back(detail::transferred<Row&&>{std::forward<Row>(row)});
  else if constexpr (detail::is_row_of_text<T>())
    rows.emplace_back(detail::transferred_fields<Row&&>{std::forward<Row>(row)});
  else
    rows.push_back(std::forward<Row>(row));
}

}  // namespace millrace
