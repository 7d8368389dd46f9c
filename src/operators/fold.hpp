#pragma once

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>

#include "millrace/operators/field.hpp"
#include "millrace/operators/user_function.hpp"

// What keyed aggregations do with a key's value and one more record: `fold(value, row)`, where the
// first record of a key is its first value. `row` is an rvalue if it may be moved from. A fold that
// is `repeatable` gives the same for the same input and has no other effect.

namespace millrace {

/// What `reduce` takes: `fn(value, row)` returns what both come to, as a T.
template <class Fn, class T>
concept reduce_function = std::invocable<Fn&, const T&, const T&> &&
    std::convertible_to<std::invoke_result_t<Fn&, const T&, const T&>, T>;

/// value = fn(value, row)
template <class T, class Fn>
struct reduce_fold {
  Fn fn;  ///< The user's, opened and closed by the operator.

  /// Before the first record.
  void open(operator_context& context) { detail::open_function(fn, context); }
  /// After the last record or a failure.
  void close() requires closeable<Fn> { fn.close(); }

  /// Puts what both come to into `value`.
  template <class Row>
  void operator()(T& value, Row&& row) {
    // A function that takes its first argument by value gets it without a copy.
    if constexpr (std::invocable<Fn&, T, const T&>)
      value = std::invoke(fn, std::move(value), std::as_const(row));
    else
      value = std::invoke(fn, std::as_const(value), std::as_const(row));
  }
};

/// Adds up one field; the others stay those of the key's first record. Integers wrap around, as in
/// Flink.
template <class Field>
struct sum_fold {
  /// A sum is the same whenever it is made.
  static constexpr bool repeatable = true;

  Field field;  ///< A summable_field.

  /// Adds the row's field to that of `value`.
  template <class T>
  void operator()(T& value, const T& row) const {
    auto& sum = std::invoke(field, value);
    const auto& more = std::invoke(field, row);
    using number = std::remove_cvref_t<decltype(sum)>;
    if constexpr (std::integral<number>) {
      using bits = std::make_unsigned_t<number>;
      sum =
          static_cast<number>(static_cast<bits>(static_cast<bits>(sum) + static_cast<bits>(more)));
    } else {
      sum += more;
    }
  }
};

/// The least (or greatest) value of one field; the others stay those of the key's first record.
template <class Field, bool Greatest>
struct extreme_fold {
  /// The least value is the same whenever it is looked for.
  static constexpr bool repeatable = true;

  Field field;  ///< A comparable_field.

  /// Takes the row's field over if it is less (or greater). Equal ones change nothing.
  template <class T>
  void operator()(T& value, const T& row) const {
    auto& best = std::invoke(field, value);
    const auto& other = std::invoke(field, row);
    if (Greatest ? best < other : other < best) best = other;
  }
};

/// The whole record with the least (or greatest) value of one field; the first of several.
template <class Field, bool Greatest>
struct extreme_by_fold {
  /// The first of the least records is the same whenever it is looked for.
  static constexpr bool repeatable = true;

  Field field;  ///< A comparable_field.

  /// Takes the row over if its field is less (or greater). Of equal ones the first stays.
  template <class T, class Row>
  void operator()(T& value, Row&& row) const {
    const auto& best = std::invoke(field, std::as_const(value));
    const auto& other = std::invoke(field, std::as_const(row));
    if (Greatest ? best < other : other < best) value = std::forward<Row>(row);
  }
};

}  // namespace millrace
