#pragma once

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>

#include "millrace/operators/flat_map.hpp"
#include "millrace/operators/keyed_process_context.hpp"
#include "millrace/operators/keyed_runtime_context.hpp"

// Functions with everything at hand: any number of records out, side outputs, time; and on keyed
// streams state and timers. The classes here say what such a function looks like; any class with
// the same members will do, and so will a lambda in place of process_element. As the operator knows
// the function's own class, calls are not virtual.

namespace millrace {

/// On a stream without keys (Flink's ProcessFunction).
template <class T, class Out>
class process_function {
 public:
  virtual ~process_function() = default;
  /// Before the first record, once per subtask.
  virtual void open(runtime_context&) {}
  /// A record; `out` takes any number.
  virtual void process_element(const T& row, process_context& context, collector<Out>& out) = 0;
  /// After the last record or a failure.
  virtual void close() {}
};

/// On a keyed stream (Flink's KeyedProcessFunction). Of one subtask, all calls come one at a time.
template <class Key, class T, class Out>
class keyed_process_function {
 public:
  virtual ~keyed_process_function() = default;
  /// Before the first record, once per subtask; no key is current.
  virtual void open(keyed_runtime_context<Key>&) {}
  /// A record; `out` takes any number.
  virtual void process_element(const T& row, keyed_process_context<Key>& context,
                               collector<Out>& out) = 0;
  /// A timer of the current key is due; it is gone by then. What is emitted gets the timestamp of
  /// an event-time timer, and none for a processing-time timer.
  ///
  /// At the end of the input, when `current_watermark()` is `max_watermark`, a timer that is
  /// registered here fires at once: a function that keeps registering the next one must stop then.
  virtual void on_timer(timestamp_ms /*at*/, on_timer_context<Key>&, collector<Out>&) {}
  /// After the last record or a failure.
  virtual void close() {}
};

/// An object that is called by its `process_element`, whether it derives from process_function or
/// not.
template <class Fn, class T, class Context, class Out>
concept has_process_element = requires(Fn& fn, const T& row, Context& context,
                                       collector<Out>& out) {
  fn.process_element(row, context, out);
};

/// What process() takes.
template <class Fn, class T, class Context, class Out>
concept element_function = has_process_element<Fn, T, Context, Out> || std::invocable < Fn&,
        const T&, Context&, collector<Out>
& > ;

/// `Context` is what it is called with when a timer fires.
template <class Fn, class Context, class Out>
concept has_on_timer = requires(Fn& fn, Context& context, collector<Out>& out) {
  fn.on_timer(timestamp_ms{}, context, out);
};

namespace detail {

template <class Fn>
consteval auto find_processed() {
  if constexpr (requires { collected_by<2>(&Fn::process_element); })
    return decltype(collected_by<2>(&Fn::process_element)){};
  else
    return std::type_identity<collected_type<Fn, 2>>{};
}

/// A function with such a member that takes something else would silently never be called.
template <class Fn>
concept names_on_timer = requires {
  &Fn::on_timer;
};

}  // namespace detail

/// What a process function emits; void if it is generic and does not tell.
template <class Fn>
using processed_type = typename decltype(detail::find_processed<std::decay_t<Fn>>())::type;

/// Says so where a function has an open() or on_timer() that nobody would call. For the API, as
/// `check_record`.
template <class Fn, class Key, class Out, class TimerContext = on_timer_context<Key>>
consteval bool check_keyed_function() {
  constexpr bool opens = !detail::names_open<Fn> || opened_with<Fn, keyed_runtime_context<Key>>;
  static_assert(opens,
                "millrace: open() of a function on a keyed stream takes a "
                "`keyed_runtime_context<Key>&` with the stream's type of key, or a "
                "`runtime_context&`");
  constexpr bool fires = !detail::names_on_timer<Fn> || has_on_timer<Fn, TimerContext, Out>;
  static_assert(fires,
                "millrace: on_timer() takes a `timestamp_ms`, an `on_timer_context<Key>&` (beside "
                "a broadcast stream a `broadcast_timer_context<Key>&`) with the stream's type of "
                "key, and the same `collector<Out>&` as process_element()");
  return opens && fires;
}

/// Calls process_element, or the function itself.
template <class Fn, class Row, class Context, class Out>
void process_with(Fn& fn, Row&& row, Context& context, collector<Out>& out) {
  if constexpr (has_process_element<Fn, std::remove_cvref_t<Row>, Context, Out>)
    fn.process_element(std::forward<Row>(row), context, out);
  else
    std::invoke(fn, std::forward<Row>(row), context, out);
}

}  // namespace millrace
