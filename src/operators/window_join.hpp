#pragma once

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "millrace/operators/interval_join_function.hpp"
#include "millrace/operators/keyed_fold.hpp"
#include "millrace/operators/window_function.hpp"

// Windows over two streams at once: the rows of both become one stream (Flink's TaggedUnion), whose
// windows keep them apart again.

namespace millrace {

/// A row of one of two streams: index 0 for the first, 1 for the second, even if they are of one
/// type.
template <class T1, class T2>
using either_row = std::variant<T1, T2>;

/// The key of such a row: a reference into it, or a tuple of such, where both selectors give one.
template <class KeyOf1, class KeyOf2>
struct either_key {
  KeyOf1 key_of1;  ///< Finds the key of a row of the first stream.
  KeyOf2 key_of2;  ///< Finds that of a row of the second.

  /// The row's key. Where the selectors give different types, a copy of the type that both become.
  template <class T1, class T2>
  decltype(auto) operator()(const either_row<T1, T2>& row) const {
    using key1 = std::invoke_result_t<const KeyOf1&, const T1&>;
    using key2 = std::invoke_result_t<const KeyOf2&, const T2&>;
    using key = std::conditional_t<std::same_as<key1, key2>, key1, key_type<T1, KeyOf1>>;
    return row.index() == 0 ? static_cast<key>(std::invoke(key_of1, std::get<0>(row)))
                            : static_cast<key>(std::invoke(key_of2, std::get<1>(row)));
  }
};

/// Makes a row of the `I`th stream one of either.
template <class T1, class T2, std::size_t I>
struct to_either {
  /// The row, as one of its stream.
  either_row<T1, T2> operator()(std::conditional_t<I == 0, T1, T2> row) const {
    return either_row<T1, T2>(std::in_place_index<I>, std::move(row));
  }
};

/// What a window has of both streams.
template <class T1, class T2>
struct window_rows {
  std::vector<T1> first;   ///< Rows of the first stream, in the order of their arrival.
  std::vector<T2> second;  ///< Rows of the second stream, likewise.
};

/// What a window of a join keeps: all its rows.
template <class T1, class T2>
struct joined_contents {
  /// All that a window has.
  using accumulator = window_rows<T1, T2>;
  /// The function sees all rows.
  using result_type = accumulator;

  /// Begins anew with one row.
  void add_first(accumulator& into, const either_row<T1, T2>& row, timestamp_ms at) const {
    into.first.clear();
    into.second.clear();
    add(into, row, at);
  }
  /// Appends a row to those of its stream.
  void add(accumulator& into, const either_row<T1, T2>& row, timestamp_ms) const {
    if (row.index() == 0)
      into.first.push_back(std::get<0>(row));
    else
      into.second.push_back(std::get<1>(row));
  }
  /// Appends the rows of another window, those of each stream by themselves.
  void merge(accumulator& into, const accumulator& from) const {
    into.first.insert(into.first.end(), from.first.begin(), from.first.end());
    into.second.insert(into.second.end(), from.second.begin(), from.second.end());
  }
  /// What is there, not copied.
  const accumulator& result(const accumulator& from) const { return from; }
};

/// `fn(const std::vector<T1>&, const std::vector<T2>&, collector<Out>&)` for each key and window
/// that has rows of any of the two (Flink's CoGroupFunction).
template <class Fn>
struct co_grouping : detail::opened_function<Fn> {
  /// Calls the function once for what a window has.
  template <class Key, class Window, class T1, class T2, class Out>
  void operator()(const Key&, window_context<Key, Window>&, const window_rows<T1, T2>& rows,
                  collector<Out>& out) {
    std::invoke(this->fn, rows.first, rows.second, out);
  }
};

/// `fn(const T1&, const T2&)`, or `fn(const T1&, const T2&, collector<Out>&)`, for each pair of
/// rows of a key and window (Flink's JoinFunction and FlatJoinFunction); with pointers for outer
/// joins.
template <class Fn, join_type Type>
struct window_joining : detail::opened_function<Fn> {
  /// Calls the function for each pair, then for the rows without a partner that the join keeps:
  /// there are some only where the other stream has none.
  template <class Key, class Window, class T1, class T2, class Out>
  void operator()(const Key&, window_context<Key, Window>&, const window_rows<T1, T2>& rows,
                  collector<Out>& out) {
    for (const T1& left : rows.first)
      for (const T2& right : rows.second) join<T1, T2>(&left, &right, out);
    if (keeps_left(Type) && rows.second.empty())
      for (const T1& left : rows.first) join<T1, T2>(&left, nullptr, out);
    if (keeps_right(Type) && rows.first.empty())
      for (const T2& right : rows.second) join<T1, T2>(nullptr, &right, out);
  }

 private:
  template <class T1, class T2, class Out>
  void join(const T1* left, const T2* right, collector<Out>& out) {
    if constexpr (Type == join_type::inner)
      call<const T1&, const T2&>(*left, *right, out);
    else
      call<const T1*, const T2*>(left, right, out);
  }
  template <class L, class R, class Out>
  void call(L left, R right, collector<Out>& out) {
    if constexpr (std::invocable<Fn&, L, R, collector<Out>&>)
      std::invoke(this->fn, left, right, out);
    else
      out.emit(std::invoke(this->fn, left, right));
  }
};

/// What join does with two streams in windows.
template <join_type Type>
struct window_join_of {
  /// As errors and plans show it.
  static constexpr const char* name = "join";
  /// Whether rows are paired.
  static constexpr bool is_join = true;

  /// What calls the user's function.
  template <class Fn>
  using function = window_joining<Fn, Type>;
  /// @cond Doxygen can't read the lambda.
  /// `Out` if it is said, else what the function tells; void if it does not.
  template <class T1, class T2, class Fn, class Out>
  using result = typename decltype([] {
    if constexpr (!std::is_void_v<Out>)
      return std::type_identity<Out>();
    else if constexpr (std::invocable<Fn&, joined_row<T1, Type>, joined_row<T2, Type>>)
      return std::type_identity<
          std::decay_t<std::invoke_result_t<Fn&, joined_row<T1, Type>, joined_row<T2, Type>>>>();
    else
      return std::type_identity<collected_type<Fn, 2>>();
  }())::type;
  /// @endcond
  /// Whether the function can be called for such rows.
  template <class T1, class T2, class Fn, class Out>
  static constexpr bool fits = std::invocable<Fn&, joined_row<T1, Type>, joined_row<T2, Type>> ||
                               joins_rows<Fn, joined_row<T1, Type>, joined_row<T2, Type>, Out>;
};

/// What co_group does.
struct window_co_group {
  /// As errors and plans show it.
  static constexpr const char* name = "co_group";
  /// Whether rows are paired.
  static constexpr bool is_join = false;

  /// What calls the user's function.
  template <class Fn>
  using function = co_grouping<Fn>;
  /// `Out` if it is said, else what the function's collector takes; void if it does not tell.
  template <class T1, class T2, class Fn, class Out>
  using result = std::conditional_t<std::is_void_v<Out>, collected_type<Fn, 2>, Out>;
  /// Whether the function can be called for such rows.
  template <class T1, class T2, class Fn, class Out>
  static constexpr bool fits = joins_rows<Fn, const std::vector<T1>&, const std::vector<T2>&, Out>;
};

}  // namespace millrace
