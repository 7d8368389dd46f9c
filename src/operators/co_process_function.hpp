#pragma once

#include <concepts>
#include <functional>
#include <utility>

#include "millrace/operators/process_function.hpp"

// Functions on two connected streams, one method for the records of each. On keyed streams both
// share their keys, state and timers. Any class with the same members will do.

namespace millrace {

/// On streams without keys (Flink's CoProcessFunction).
template <class T1, class T2, class Out>
class co_process_function {
 public:
  virtual ~co_process_function() = default;
  /// Before the first record, once per subtask.
  virtual void open(runtime_context&) {}
  /// A record of the first stream.
  virtual void process_element1(const T1& row, process_context& context, collector<Out>& out) = 0;
  /// A record of the second stream.
  virtual void process_element2(const T2& row, process_context& context, collector<Out>& out) = 0;
  /// After the last record or a failure.
  virtual void close() {}
};

/// On two keyed streams with keys of one type (Flink's KeyedCoProcessFunction): a key's records of
/// both streams see the same state. The watermark is the lesser one of the two streams'.
template <class Key, class T1, class T2, class Out>
class keyed_co_process_function {
 public:
  virtual ~keyed_co_process_function() = default;
  /// Before the first record, once per subtask; no key is current.
  virtual void open(keyed_runtime_context<Key>&) {}
  /// A record of the first stream.
  virtual void process_element1(const T1& row, keyed_process_context<Key>& context,
                                collector<Out>& out) = 0;
  /// A record of the second stream.
  virtual void process_element2(const T2& row, keyed_process_context<Key>& context,
                                collector<Out>& out) = 0;
  /// As keyed_process_function::on_timer.
  virtual void on_timer(timestamp_ms /*at*/, on_timer_context<Key>&, collector<Out>&) {}
  /// After the last record or a failure.
  virtual void close() {}
};

/// Makes one record of each record of either stream (Flink's CoMapFunction). On keyed streams
/// open() may take a keyed_runtime_context<Key>&, and both methods see the same state.
template <class Fn, class T1, class T2>
concept co_map_function = requires(Fn& fn, const T1& row1, const T2& row2) {
  { fn.map1(row1) } -> std::same_as<decltype(fn.map2(row2))>;
};

/// The same with any number of records out (Flink's CoFlatMapFunction).
template <class Fn, class T1, class T2, class Out>
concept co_flat_map_function = requires(Fn& fn, const T1& row1, const T2& row2,
                                        collector<Out>& out) {
  fn.flat_map1(row1, out);
  fn.flat_map2(row2, out);
};

/// An object with a `process_element1` and a `process_element2` (Flink's CoProcessFunction).
template <class Fn, class T1, class T2, class Context, class Out>
concept co_element_function = requires(Fn& fn, const T1& row1, const T2& row2, Context& context,
                                       collector<Out>& out) {
  fn.process_element1(row1, context, out);
  fn.process_element2(row2, context, out);
};

namespace detail {

template <class Fn>
consteval auto find_co_processed() {
  if constexpr (requires { collected_by<2>(&Fn::process_element1); })
    return decltype(collected_by<2>(&Fn::process_element1)){};
  else
    return std::type_identity<void>{};
}

/// Opens and closes two functions, one for each stream.
template <class Fn1, class Fn2>
struct two_functions {
  Fn1 fn1;
  Fn2 fn2;

  template <class Context>
  void open(Context& context) requires(opened_specially<Fn1, Context> ||
                                       opened_specially<Fn2, Context>) {
    if constexpr (opened_with<Fn1, Context>) fn1.open(context);
    if constexpr (opened_with<Fn2, Context>) fn2.open(context);
  }
  void open(operator_context& context) {
    open_function(fn1, context);
    open_function(fn2, context);
  }
  void close() requires(closeable<Fn1> || closeable<Fn2>) {
    if constexpr (closeable<Fn1>) fn1.close();
    if constexpr (closeable<Fn2>) fn2.close();
  }
};

/// Two functions that map, as a co-process function.
template <class Fn1, class Fn2>
struct co_mapping : two_functions<Fn1, Fn2> {
  template <class Row, class Context, class Out>
  void process_element1(Row&& row, Context&, collector<Out>& out) {
    out.emit(std::invoke(this->fn1, std::forward<Row>(row)));
  }
  template <class Row, class Context, class Out>
  void process_element2(Row&& row, Context&, collector<Out>& out) {
    out.emit(std::invoke(this->fn2, std::forward<Row>(row)));
  }
};

/// The same for two that collect.
template <class Fn1, class Fn2>
struct co_flat_mapping : two_functions<Fn1, Fn2> {
  template <class Row, class Context, class Out>
  void process_element1(Row&& row, Context&, collector<Out>& out) {
    std::invoke(this->fn1, std::forward<Row>(row), out);
  }
  template <class Row, class Context, class Out>
  void process_element2(Row&& row, Context&, collector<Out>& out) {
    std::invoke(this->fn2, std::forward<Row>(row), out);
  }
};

/// The methods of one object, for the records of either stream.
template <class Fn>
struct co_map_methods : opened_function<Fn> {
  template <class Row, class Context, class Out>
  void process_element1(Row&& row, Context&, collector<Out>& out) {
    out.emit(this->fn.map1(std::forward<Row>(row)));
  }
  template <class Row, class Context, class Out>
  void process_element2(Row&& row, Context&, collector<Out>& out) {
    out.emit(this->fn.map2(std::forward<Row>(row)));
  }
};
template <class Fn>
struct co_flat_map_methods : opened_function<Fn> {
  template <class Row, class Context, class Out>
  void process_element1(Row&& row, Context&, collector<Out>& out) {
    this->fn.flat_map1(std::forward<Row>(row), out);
  }
  template <class Row, class Context, class Out>
  void process_element2(Row&& row, Context&, collector<Out>& out) {
    this->fn.flat_map2(std::forward<Row>(row), out);
  }
};

template <class Fn>
consteval auto find_co_flat_mapped() {
  if constexpr (requires { collected_by<1>(&Fn::flat_map1); })
    return decltype(collected_by<1>(&Fn::flat_map1)){};
  else
    return std::type_identity<void>{};
}

}  // namespace detail

/// What a co_flat_map_function emits; void if it is generic and does not tell.
template <class Fn>
using co_flat_mapped_type =
    typename decltype(detail::find_co_flat_mapped<std::decay_t<Fn>>())::type;

/// What a co-process function emits; void if it is generic and does not tell.
template <class Fn>
using co_processed_type = typename decltype(detail::find_co_processed<std::decay_t<Fn>>())::type;

}  // namespace millrace
