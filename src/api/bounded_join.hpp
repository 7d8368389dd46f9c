#pragma once

#include <string>
#include <type_traits>
#include <utility>

#include "millrace/api/connected_streams.hpp"
#include "millrace/operators/merge_join.hpp"

namespace millrace {

namespace detail {

/// Calls a join's function, with references where there are always two records, and emits what it
/// returns.
template <class T1, class T2, class Out, class Fn, bool IsOuter>
struct pair_function : opened_function<Fn> {
  void operator()(const T1* left, const T2* right, collector<Out>& out) {
    if constexpr (IsOuter)
      emit(left, right, out);
    else
      emit(*left, *right, out);
  }

 private:
  template <class Left, class Right>
  void emit(Left&& left, Right&& right, collector<Out>& out) {
    if constexpr (std::invocable<Fn&, Left, Right, collector<Out>&>)
      std::invoke(this->fn, left, right, out);
    else
      out.emit(std::invoke(this->fn, left, right));
  }
};

template <class U, class Fn, class Left, class Right>
consteval auto find_joined() {
  if constexpr (!std::is_void_v<U>)
    return std::type_identity<U>{};
  else if constexpr (std::invocable<Fn&, Left, Right>)
    return std::type_identity<std::decay_t<std::invoke_result_t<Fn&, Left, Right>>>{};
  else
    return std::type_identity<collected_type<Fn, 2>>{};
}

/// What a function of two records makes: `U` if that is given.
template <class U, class Fn, class Left, class Right>
using joined_type = typename decltype(find_joined<U, Fn, Left, Right>())::type;

}  // namespace detail

/// Two bounded streams and their keys: what is left to say is what to do with them.
template <class T1, class KeyOf1, class T2, class KeyOf2>
struct bounded_pair {
  /// With their keys: what is joined,
  keyed_stream<T1, KeyOf1> left;
  /// with what.
  keyed_stream<T2, KeyOf2> right;

  /// How the left records are sorted.
  using keys1 = keyed_groups<KeyOf1, sort_parts<>>;
  /// How the right records are sorted.
  using keys2 = keyed_groups<KeyOf2, sort_parts<>>;
  static_assert(std::same_as<key_type<T1, KeyOf1>, key_type<T2, KeyOf2>>,
                "millrace: where and equal_to must find keys of the same type");

  /// Adds an operator that reads both.
  template <class Out>
  single_output<Out> transform(std::string kind, operator_factory_ptr factory) const {
    return detail::stream_pair<T1, T2>(left, right)
        .template transform<Out>(std::move(kind), std::move(factory));
  }
};

/// A join whose keys are known.
template <class T1, class KeyOf1, class T2, class KeyOf2, bool IsOuter>
class bounded_join_on {
 public:
  bounded_join_on(bounded_pair<T1, KeyOf1, T2, KeyOf2> streams, unmatched_rows unmatched)
      : streams_(std::move(streams)), unmatched_(unmatched) {}

  /// For each pair `fn(const T1&, const T2&)`, which returns a record, or with a `collector<U>&`
  /// behind them, which takes any number. Outer joins give pointers instead, null for what is
  /// missing.
  template <class U = void, class Fn>
  auto apply(Fn fn) const {
    using left = std::conditional_t<IsOuter, const T1*, const T1&>;
    using right = std::conditional_t<IsOuter, const T2*, const T2&>;
    using out = detail::joined_type<U, Fn, left, right>;
    static_assert(
        std::invocable<Fn&, left, right> || std::invocable<Fn&, left, right, collector<out>&>,
        "millrace: a join's function takes `const T1&` and `const T2&` (an outer one's "
        "pointers to these), and may take a `collector<U>&`");
    static_cast<void>(check_record<out>() && check_copyable<Fn>());
    using pair = bounded_pair<T1, KeyOf1, T2, KeyOf2>;
    return streams_.template transform<out>(
        "join", make_merge_join<T1, T2, out>(
                    typename pair::keys1{streams_.left.key_of(), {}},
                    typename pair::keys2{streams_.right.key_of(), {}},
                    detail::pair_function<T1, T2, out, Fn, IsOuter>{{std::move(fn)}}, unmatched_));
  }

 private:
  bounded_pair<T1, KeyOf1, T2, KeyOf2> streams_;
  unmatched_rows unmatched_;
};

/// A co-group whose keys are known.
template <class T1, class KeyOf1, class T2, class KeyOf2>
class bounded_co_group_on {
 public:
  explicit bounded_co_group_on(bounded_pair<T1, KeyOf1, T2, KeyOf2> streams)
      : streams_(std::move(streams)) {}

  /// For each key of either stream `fn(std::vector<T1>&, std::vector<T2>&, collector<U>&)` with all
  /// its records, which must fit into memory.
  template <class U = void, class Fn>
  auto apply(Fn fn) const {
    using out = std::conditional_t<std::is_void_v<U>, collected_type<Fn, 2>, U>;
    static_assert(std::invocable<Fn&, row_vector<T1>&, row_vector<T2>&, collector<out>&>,
                  "millrace: a co-group's function takes `std::vector<T1>&`, `std::vector<T2>&` "
                  "and `collector<U>&`");
    static_cast<void>(check_record<out>() && check_copyable<Fn>());
    using pair = bounded_pair<T1, KeyOf1, T2, KeyOf2>;
    return streams_.template transform<out>(
        "co_group", make_co_group<T1, T2, out>(typename pair::keys1{streams_.left.key_of(), {}},
                                               typename pair::keys2{streams_.right.key_of(), {}},
                                               std::move(fn)));
  }

 private:
  bounded_pair<T1, KeyOf1, T2, KeyOf2> streams_;
};

/// `left.join(right).where(key of left).equal_to(key of right).apply(fn)`; `Finish` makes what has
/// `apply` of the two keyed streams.
template <class T1, class T2, class Finish>
class bounded_join {
 private:
  template <class Left>
  struct keyed_left {
    Left left;
    data_stream<T2> right;
    Finish finish;

    /// The key of the right records, of the same type.
    template <class... KeyOf>
    auto equal_to(KeyOf... key_of) const {
      return finish(left, right.key_by(std::move(key_of)...));
    }
  };

 public:
  bounded_join(data_stream<T1> left, data_stream<T2> right, Finish finish)
      : left_(std::move(left)), right_(std::move(right)), finish_(std::move(finish)) {}

  /// The key of the left records: one selector or several, as key_by takes them.
  template <class... KeyOf>
  auto where(KeyOf... key_of) const {
    using left = decltype(left_.key_by(key_of...));
    return keyed_left<left>{left_.key_by(std::move(key_of)...), right_, finish_};
  }

 private:
  data_stream<T1> left_;
  data_stream<T2> right_;
  Finish finish_;
};

}  // namespace millrace
