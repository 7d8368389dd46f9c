#pragma once

#include <cstddef>
#include <string>
#include <tuple>
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
[[gnu::flatten]] inline std::string copy_of_short(const std::string& from) {
  const char* text = from.data();
  const auto size = from.size();
  if (text == nullptr || size > short_string_max) __builtin_unreachable();
  std::string copy(text, short_string_max);
  copy.resize(size);
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

/// Becomes a row of the given fields' values, in place. Text for a field of text is copied as
/// above.
template <class T, class... Argument>
struct made_row {
  std::tuple<Argument&&...> arguments;

  [[gnu::always_inline]] operator T() const {
    return [this]<std::size_t... I>(std::index_sequence<I...>) __attribute__((always_inline)) {
      return T{value<I>()...};
    }
    (std::index_sequence_for<Argument...>{});
  }

 private:
  template <std::size_t I, class From>
  static constexpr bool is_text_for_text() {
    if constexpr (shape::string<std::remove_cvref_t<From>>) {
      using fields = shape::fields<T>;
      // Without braces of its own, an array in T takes more than one argument.
      if constexpr (I < fields::count) return shape::string<typename fields::template type<I>>;
    }
    return false;
  }

  template <std::size_t I>
  [[gnu::always_inline]] decltype(auto) value() const {
    using argument = std::tuple_element_t<I, std::tuple<Argument&&...>>;
    auto&& from = std::get<I>(arguments);
    if constexpr (is_text_for_text<I, argument>())
      return transferred<argument>{static_cast<argument>(from)};
    else
      return static_cast<argument>(from);
  }
};

}  // namespace detail

/// Appends an aggregate made of its fields' values to a vector that has room for it.
template <class T, class... Argument>
[[gnu::always_inline]] inline void append_made_row(row_vector<T>& rows, Argument&&... fields) {
  if (rows.size() == rows.capacity()) __builtin_unreachable();
  rows.emplace_back(detail::made_row<T, Argument...>{{std::forward<Argument>(fields)...}});
}

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
