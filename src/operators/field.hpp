#pragma once

#include <functional>
#include <type_traits>

#include "millrace/core/type_shape.hpp"

namespace millrace {

/// Field number `I` of a pair, tuple or aggregate, wherever a pointer to member is taken:
/// `stream.key_by(field<0>).sum(field<1>)`.
template <std::size_t I>
struct field_at {
  /// The field itself, to be changed.
  template <shape::product T>
  constexpr auto& operator()(T& record) const noexcept {
    return shape::fields<T>::template get<I>(record);
  }
  /// The same, to be read.
  template <shape::product T>
  constexpr const auto& operator()(const T& record) const noexcept {
    return shape::fields<T>::template get<I>(record);
  }
};

/// Field number `I`, from 0, to be given to the streams' functions.
template <std::size_t I>
inline constexpr field_at<I> field{};

/// Finds an lvalue in a record: a pointer to member, `field<I>`, a function that returns a
/// reference, `std::identity` for the record itself.
template <class Field, class T>
concept field_of = std::invocable<const Field&, T&> &&
    std::is_lvalue_reference_v<std::invoke_result_t<const Field&, T&>> &&
    !std::is_const_v<std::remove_reference_t<std::invoke_result_t<const Field&, T&>>>;

/// The type of what such a field holds.
template <class Field, class T>
using field_value = std::remove_cvref_t<std::invoke_result_t<const Field&, T&>>;

/// A field that `sum` can add up: of a type with `+=`, which bool is not meant to be.
template <class Field, class T>
concept summable_field = field_of<Field, T> && !std::is_same_v<field_value<Field, T>, bool> &&
                         requires(field_value<Field, T> & sum, const field_value<Field, T>& more) {
  sum += more;
};

/// A field that `min`, `max`, `min_by` and `max_by` can compare: of a type with `<`.
template <class Field, class T>
concept comparable_field = field_of<Field, T> &&
    requires(const field_value<Field, T>& a, const field_value<Field, T>& b) {
  { a < b } -> std::convertible_to<bool>;
};

}  // namespace millrace
