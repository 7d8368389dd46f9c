#pragma once

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>

#include "millrace/stream/operator.hpp"

namespace millrace {

/// Base for functions that want to know where they run (Flink's RichFunction). Optional: any
/// function object with an `open(runtime_context&)` or a `close()` of its own has them called too.
class rich_function {
 public:
  virtual ~rich_function() = default;
  /// Before the first record, once per subtask.
  virtual void open(runtime_context&) {}
  /// After the last record, or after a failure or a cancellation. What it throws after the last
  /// record fails the job.
  virtual void close() {}
};

/// Says so where a function cannot be copied. For the API, as `check_record`.
template <class Fn>
consteval bool check_copyable() {
  static_assert(std::copy_constructible<Fn>,
                "millrace: this function can't be copied, but each subtask needs a copy of its "
                "own: let it hold a std::shared_ptr, or make what it needs in open()");
  return std::copy_constructible<Fn>;
}

/// Has an `open` that takes a `Context&`.
template <class Fn, class Context>
concept opened_with = requires(Fn& fn, Context& context) {
  fn.open(context);
};

/// Has a `close()`.
template <class Fn>
concept closeable = requires(Fn& fn) {
  fn.close();
};

namespace detail {

/// Has an `open` that may take something else, and would then silently never be called.
template <class Fn>
concept names_open = requires {
  &Fn::open;
};

/// Opens a function with what it takes of that which every operator has. Adapters do so with the
/// function that they hold, so that what is said of functions holds for those inside others.
template <class Fn>
void open_function([[maybe_unused]] Fn& fn, [[maybe_unused]] operator_context& context) {
  if constexpr (opened_with<Fn, runtime_context>)
    fn.open(context.runtime());
  else if constexpr (opened_with<Fn, operator_context>)
    fn.open(context);
  else
    static_assert(!names_open<Fn>,
                  "millrace: open() of a function takes a `runtime_context&`; on a keyed stream "
                  "it may take a `keyed_runtime_context<Key>&` with the stream's type of key");
}

/// Has an `open` that takes something which only some operators have, such as keyed state.
template <class Fn, class Context>
concept opened_specially = opened_with<Fn, Context> && !std::same_as<Context, runtime_context> &&
                           !std::derived_from<Context, operator_context>;

}  // namespace detail

/// Says so where an object has an open() that nobody would call. For the API, as `check_record`.
template <class Object>
consteval bool check_never_opened() {
  static_assert(!detail::names_open<Object>,
                "millrace: window assigners, triggers and evictors have no open(): what they need "
                "is given to them when they are made, and what a trigger remembers is its `state`");
  return !detail::names_open<Object>;
}

/// A subtask's own copy of a user's function, and its open and close.
template <class Fn>
class user_function {
 public:
  /// Takes over the copy that the subtask is to use.
  explicit user_function(Fn fn) : fn_(std::move(fn)) {}

  /// For functions that may be opened with what an operator has to offer beyond runtime_context.
  template <class Context>
  void open_with(operator_context& context, Context& special) {
    if constexpr (opened_with<Fn, Context>) {
      is_open_ = true;
      fn_.open(special);
    } else {
      open(context);
    }
  }

  /// Before the first record.
  void open(operator_context& context) {
    is_open_ = true;
    detail::open_function(fn_, context);
  }

  /// After the last record: what close() throws is the job's failure.
  void finish() {
    if (!std::exchange(is_open_, false)) return;
    if constexpr (closeable<Fn>) fn_.close();
  }

  /// In any other case: the job has failed or was cancelled already, and the cause stays the cause.
  void close() noexcept {
    try {
      finish();
    } catch (...) {
    }
  }

  /// The function; not opened before open().
  Fn& operator*() noexcept { return fn_; }
  /// The same, to be looked at only.
  const Fn& operator*() const noexcept { return fn_; }
  /// Its members.
  Fn* operator->() noexcept { return &fn_; }
  /// The same, to be looked at only.
  const Fn* operator->() const noexcept { return &fn_; }

 private:
  Fn fn_;
  bool is_open_ = false;
};

namespace detail {

/// Opens and closes a function that an adapter holds.
template <class Fn>
struct opened_function {
  Fn fn;

  template <class Context>
  void open(Context& context) requires opened_specially<Fn, Context> {
    fn.open(context);
  }
  void open(operator_context& context) { open_function(fn, context); }
  void close() requires closeable<Fn> { fn.close(); }
};

}  // namespace detail

/// An operator around a user's function: opens and closes it (Flink's AbstractUdfStreamOperator).
/// `Base` is what the operator is else.
template <class Fn, class Base>
class function_operator : public Base {
 public:
  explicit function_operator(Fn fn) : fn_(std::move(fn)) {}

  void open(operator_context& context) override { fn_.open(context); }
  bool finish() override {
    fn_.finish();
    return true;
  }
  void close() noexcept override { fn_.close(); }

 protected:
  /// The subtask's own copy.
  user_function<Fn> fn_;
};

/// A record as a function may take it: moved from where nobody needs it afterwards.
template <class Fn, class T>
concept takes_moved =
    std::invocable<Fn&, T> && std::same_as<std::decay_t<std::invoke_result_t<Fn&, T>>,
                                           std::decay_t<std::invoke_result_t<Fn&, const T&>>>;

/// Calls `fn(row)`; the row may be moved from unless it is const, which a function that takes it by
/// value enjoys.
template <class Fn, class T>
decltype(auto) invoke_moved(Fn& fn, T& row) {
  if constexpr (!std::is_const_v<T> && takes_moved<Fn, T>)
    return std::invoke(fn, std::move(row));
  else
    return std::invoke(fn, std::as_const(row));
}

}  // namespace millrace
