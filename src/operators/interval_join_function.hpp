#pragma once

#include <algorithm>
#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>

#include "millrace/operators/flat_map.hpp"
#include "millrace/operators/side_outputs.hpp"

namespace millrace {

/// Which rows without a partner a join emits: none, those of the left, of the right, or of both.
enum class join_type : std::uint8_t { inner = 0, left_outer = 1, right_outer = 2, full_outer = 3 };

/// Whether left rows without a partner are emitted.
constexpr bool keeps_left(join_type t) noexcept {
  return (static_cast<int>(t) & 1) != 0;
}
/// Whether right rows without a partner are emitted.
constexpr bool keeps_right(join_type t) noexcept {
  return (static_cast<int>(t) & 2) != 0;
}

/// What the function of an interval join may see and use (Flink's ProcessJoinFunction.Context).
/// Valid during the call.
class interval_join_context {
 public:
  interval_join_context(side_outputs& side, timestamp_ms left, timestamp_ms right)
      : side_(side), left_(left), right_(right) {}

  /// `no_timestamp` if there is no such row.
  timestamp_ms left_timestamp() const noexcept { return left_; }
  /// `no_timestamp` if there is no such row.
  timestamp_ms right_timestamp() const noexcept { return right_; }
  /// The later one of both: that of the results.
  timestamp_ms timestamp() const noexcept { return std::max(left_, right_); }

  /// Emits a row into the side output of that tag, with timestamp(); dropped if the job does not
  /// read it. Throws `failure(type_mismatch)` if the job reads it as another type.
  template <class T>
  void output(const output_tag<T>& tag, std::type_identity_t<T> row) {
    side_.emit(tag, std::move(row), timestamp());
  }

 private:
  side_outputs& side_;
  timestamp_ms left_;
  timestamp_ms right_;
};

/// Functions of inner joins take references, those of outer joins pointers, of which one is null
/// for a row without a partner.
template <class T, join_type Type>
using joined_row = std::conditional_t<Type == join_type::inner, const T&, const T*>;

/// `fn(left, right, out)`; `L` and `R` are joined_row.
template <class Fn, class L, class R, class Out>
concept joins_rows = std::invocable < Fn&,
        L, R, collector<Out>
& > ;
/// `fn(left, right, context, out)`, for functions that look at timestamps or have side outputs.
template <class Fn, class L, class R, class Out>
concept joins_rows_in_context = std::invocable < Fn&,
        L, R, interval_join_context&, collector<Out>
& > ;
/// An object with `process_element(left, right, context, out)` (Flink's ProcessJoinFunction).
template <class Fn, class L, class R, class Out>
concept has_process_joined = requires(Fn& fn, L left, R right, interval_join_context& context,
                                      collector<Out>& out) {
  fn.process_element(left, right, context, out);
};

/// What `process` of interval-joined streams takes: any of the three.
template <class Fn, class L, class R, class Out>
concept interval_join_function = joins_rows<Fn, L, R, Out> ||
    joins_rows_in_context<Fn, L, R, Out> || has_process_joined<Fn, L, R, Out>;

namespace detail {

template <class Fn>
consteval auto find_interval_joined() {
  if constexpr (requires { collected_by<3>(&Fn::process_element); })
    return decltype(collected_by<3>(&Fn::process_element)){};
  else if constexpr (!std::is_void_v<collected_type<Fn, 2>>)
    return std::type_identity<collected_type<Fn, 2>>{};
  else
    return std::type_identity<collected_type<Fn, 3>>{};
}

}  // namespace detail

/// What such a function emits; void if it is generic and does not tell.
template <class Fn>
using interval_joined_type =
    typename decltype(detail::find_interval_joined<std::decay_t<Fn>>())::type;

/// Calls a function of any of the three forms.
template <class Fn, class L, class R, class Out>
void join_with(Fn& fn, L left, R right, interval_join_context& context, collector<Out>& out) {
  if constexpr (has_process_joined<Fn, L, R, Out>)
    fn.process_element(left, right, context, out);
  else if constexpr (joins_rows_in_context<Fn, L, R, Out>)
    std::invoke(fn, left, right, context, out);
  else
    std::invoke(fn, left, right, out);
}

}  // namespace millrace
