#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "millrace/api/connected_streams.hpp"
#include "millrace/operators/interval_join.hpp"

namespace millrace {

/// Two keyed streams whose rows are paired if their times are near (Flink's
/// KeyedStream.IntervalJoin and IntervalJoined):
///
///     orders.key_by(&order::id)
///         .interval_join(payments.key_by(&payment::order_id))
///         .between(0s, 15min)
///         .process([](const order& o, const payment& p, collector<paid_order>& out) { … });
template <class T1, class KeyOf1, class T2, class KeyOf2, join_type Type = join_type::inner>
class interval_joined_streams {
 public:
  /// The type of the keys of both.
  using key = key_type<T1, KeyOf1>;

  interval_joined_streams(const keyed_stream<T1, KeyOf1>& left,
                          const keyed_stream<T2, KeyOf2>& right)
      : left_(left), right_(right) {}

  /// `right.timestamp` in [`left.timestamp + lower`, `left.timestamp + upper`].
  interval_joined_streams between(std::chrono::milliseconds lower,
                                  std::chrono::milliseconds upper) const {
    auto changed = *this;
    changed.lower_ = lower.count();
    changed.upper_ = upper.count();
    return changed;
  }
  /// Without the bound itself.
  interval_joined_streams lower_bound_exclusive() const {
    auto changed = *this;
    changed.lower_exclusive_ = true;
    return changed;
  }
  /// The upper bound itself is outside.
  interval_joined_streams upper_bound_exclusive() const {
    auto changed = *this;
    changed.upper_exclusive_ = true;
    return changed;
  }

  /// Rows without a partner come out, too: the function takes pointers, of which one may be null.
  auto left_outer() const { return of_type<join_type::left_outer>(); }
  /// And the right records without a partner.
  auto right_outer() const { return of_type<join_type::right_outer>(); }
  /// And the records of both without a partner.
  auto full_outer() const { return of_type<join_type::full_outer>(); }

  /// Rows of the left stream that come behind the watermark can be read from the result's side
  /// output of this tag.
  interval_joined_streams side_output_left_late_data(const output_tag<T1>& tag) const {
    auto changed = *this;
    changed.late_left_ = tag;
    return changed;
  }
  /// The same for the right stream.
  interval_joined_streams side_output_right_late_data(const output_tag<T2>& tag) const {
    auto changed = *this;
    changed.late_right_ = tag;
    return changed;
  }

  /// `fn(const T1&, const T2&, collector<Out>&)`, the same with an `interval_join_context&` ahead
  /// of the collector, or an object with such a process_element (Flink's ProcessJoinFunction).
  /// `Out` is read off the function; a generic one needs it: process<Out>(fn).
  template <class Out = void, class Fn>
  auto process(Fn fn) const {
    using out = std::conditional_t<std::is_void_v<Out>, interval_joined_type<Fn>, Out>;
    static_assert(
        interval_join_function<Fn, joined_row<T1, Type>, joined_row<T2, Type>, out>,
        "millrace: an interval join needs a function that takes `const T1&`, `const T2&` (pointers "
        "if it is an outer join), if it likes an `interval_join_context&`, and `collector<Out>&`; "
        "if it is generic, say what comes out: process<Out>(fn)");
    static_cast<void>(check_record<out>() && check_copyable<Fn>());
    const auto lower = lower_ + (lower_exclusive_ ? 1 : 0);
    const auto upper = upper_ - (upper_exclusive_ ? 1 : 0);
    if (lower > upper)
      throw failure(errc::invalid_argument,
                    "an interval join finds nothing between " + std::to_string(lower_) +
                        " ms and " + std::to_string(upper_) +
                        " ms: give it a lower bound that is not above the upper one");
    if (lower < -span_max_ms || upper > span_max_ms)
      throw failure(errc::invalid_argument,
                    "an interval join can't look as far as from " + std::to_string(lower_) +
                        " ms to " + std::to_string(upper_) + " ms: the most is " +
                        std::to_string(span_max_ms) +
                        " ms either way; for all that ever came, use connect and process");
    return detail::stream_pair<T1, T2>(left_, right_)
        .template transform<out>(
            "interval_join", make_interval_join<T1, T2, out, Type>(
                                 interval_join_settings<T1, T2, KeyOf1, KeyOf2, Fn>{
                                     left_.key_of(), right_.key_of(), lower, upper, std::move(fn),
                                     late_left_, late_right_}));
  }

 private:
  template <class, class, class, class, join_type>
  friend class interval_joined_streams;

  template <join_type Other>
  auto of_type() const {
    interval_joined_streams<T1, KeyOf1, T2, KeyOf2, Other> changed(left_, right_);
    changed.lower_ = lower_;
    changed.upper_ = upper_;
    changed.lower_exclusive_ = lower_exclusive_;
    changed.upper_exclusive_ = upper_exclusive_;
    changed.late_left_ = late_left_;
    changed.late_right_ = late_right_;
    return changed;
  }

  keyed_stream<T1, KeyOf1> left_;
  keyed_stream<T2, KeyOf2> right_;
  std::int64_t lower_ = 0;
  std::int64_t upper_ = 0;
  bool lower_exclusive_ = false;
  bool upper_exclusive_ = false;
  std::optional<output_tag<T1>> late_left_;
  std::optional<output_tag<T2>> late_right_;
};

template <class T, class KeyOf>
template <class U, class KeyOfU>
auto keyed_stream<T, KeyOf>::interval_join(const keyed_stream<U, KeyOfU>& other) const {
  static_assert(std::same_as<key, key_type<U, KeyOfU>>,
                "millrace: streams of an interval join need keys of the same type");
  return interval_joined_streams<T, KeyOf, U, KeyOfU>(*this, other);
}

}  // namespace millrace
