#pragma once

#include <concepts>
#include <type_traits>
#include <utility>

#include "millrace/operators/async_task.hpp"
#include "millrace/operators/user_function.hpp"

namespace millrace {

// The three sorts of functions for async_map_ordered and async_map_unordered. `Out` is the record
// type; where a function returns one, it may return async_results<Out> to make any number.

namespace detail {

/// The record type of what a function returns.
template <class R>
struct async_row {
  using type = R;
};
template <class T>
struct async_row<async_results<T>> {
  using type = T;
};
template <class T>
struct async_row<async_task<T>> : async_row<T> {};

template <class R>
inline constexpr bool is_async_task = false;
template <class T>
inline constexpr bool is_async_task<async_task<T>> = true;

/// The record type of a result_future, by value or by reference.
template <class F>
struct future_row {
  using type = void;
};
template <class Out>
struct future_row<result_future<Out>> {
  using type = Out;
};

template <class F>
struct future_argument {
  using type = void;
};
template <class R, class A, class F>
struct future_argument<R (*)(A, F)> : future_row<std::decay_t<F>> {};
template <class C, class R, class A, class F>
struct future_argument<R (C::*)(A, F)> : future_row<std::decay_t<F>> {};
template <class C, class R, class A, class F>
struct future_argument<R (C::*)(A, F) const> : future_row<std::decay_t<F>> {};

}  // namespace detail

/// `Out fn(const In&)`: blocks, on a thread of its own. It is called by several threads at once, so
/// it must be callable while const, and what it holds must bear that.
template <class Fn, class In>
concept blocking_async_function = std::invocable<const Fn&, const In&> &&
    !std::is_void_v<std::invoke_result_t<const Fn&, const In&>>;

/// `async_task<Out> fn(const In&, async_context&)`: a coroutine in the task.
template <class Fn, class In>
concept coroutine_async_function = std::invocable<Fn&, const In&, async_context&> &&
    detail::is_async_task<std::invoke_result_t<Fn&, const In&, async_context&>>;

/// `void fn(const In&, result_future<Out>)`: starts a request, in the task, and returns at once.
template <class Fn, class In, class Out>
concept callback_async_function =
    !std::is_void_v<Out> && std::invocable<Fn&, const In&, result_future<Out>>;

namespace detail {

template <class In, class Fn>
consteval auto find_async_out() {
  if constexpr (blocking_async_function<Fn, In>) {
    using returned = std::decay_t<std::invoke_result_t<const Fn&, const In&>>;
    return std::type_identity<typename async_row<returned>::type>();
  } else if constexpr (coroutine_async_function<Fn, In>) {
    using returned = std::invoke_result_t<Fn&, const In&, async_context&>;
    return std::type_identity<typename async_row<returned>::type>();
  } else if constexpr (std::is_pointer_v<Fn>) {
    return std::type_identity<typename future_argument<Fn>::type>();
  } else if constexpr (requires { typename Fn::wrapped_function; }) {
    return find_async_out<In, typename Fn::wrapped_function>();
  } else if constexpr (requires { &Fn::operator(); }) {
    return std::type_identity<typename future_argument<decltype(&Fn::operator())>::type>();
  } else {
    return std::type_identity<void>();
  }
}

}  // namespace detail

/// What an async function makes of records of `In`; void if that can't be told.
template <class In, class Fn>
using async_output = typename decltype(detail::find_async_out<In, Fn>())::type;

/// Makes something else of a record for which the time was up, rather than fail the job:
/// `Out timeout(const In&)`, called in the task.
template <class Fn, class In>
concept handles_timeout = requires(Fn& fn, const In& row) {
  fn.timeout(row);
};

/// An async function and `Out handler(const In&)` for records for which the time was up.
template <class Fn, class Handler>
class with_timeout_handler {
 public:
  /// What is called unless time is up.
  using wrapped_function = Fn;

  /// Both are copied for each subtask.
  with_timeout_handler(Fn fn, Handler handler) : fn_(std::move(fn)), handler_(std::move(handler)) {}

  /// Calls the function.
  template <class... Args>
  requires std::invocable<const Fn&, Args...>
  decltype(auto) operator()(Args&&... args) const {
    return std::invoke(fn_, std::forward<Args>(args)...);
  }
  /// Calls a function that is not const.
  template <class... Args>
  requires(!std::invocable<const Fn&, Args...> && std::invocable<Fn&, Args...>) decltype(auto)
  operator()(Args&&... args) {
    return std::invoke(fn_, std::forward<Args>(args)...);
  }
  /// What comes of a record whose time is up.
  template <class In>
  auto timeout(const In& row) {
    return std::invoke(handler_, row);
  }

  /// As the function itself.
  void open(operator_context& context) { detail::open_function(fn_, context); }
  /// As the function itself.
  void close() requires closeable<Fn> { fn_.close(); }

 private:
  Fn fn_;
  Handler handler_;
};

}  // namespace millrace
