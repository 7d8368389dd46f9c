#pragma once

#include "millrace/operators/broadcast_context.hpp"
#include "millrace/operators/process_function.hpp"

// Functions on a stream and a broadcast stream. Every subtask gets every record of the broadcast
// stream, to keep it in broadcast state (rules, rates, settings), and its share of the other one,
// for whose records the state can be read. Any class with the same members will do.

namespace millrace {

/// On a stream without keys (Flink's BroadcastProcessFunction).
template <class T, class B, class Out>
class broadcast_process_function {
 public:
  virtual ~broadcast_process_function() = default;
  /// Before the first record, once per subtask.
  virtual void open(runtime_context&) {}
  /// A record of the stream that is not broadcast; the state can only be read.
  virtual void process_element(const T& row, broadcast_read_only_context& context,
                               collector<Out>& out) = 0;
  /// A record that all subtasks see; the state can be changed, by all in the same way.
  virtual void process_broadcast_element(const B& row, broadcast_context& context,
                                         collector<Out>& out) = 0;
  /// After the last record or a failure.
  virtual void close() {}
};

/// On a keyed stream (Flink's KeyedBroadcastProcessFunction): with state and timers per key.
template <class Key, class T, class B, class Out>
class keyed_broadcast_process_function {
 public:
  virtual ~keyed_broadcast_process_function() = default;
  /// Before the first record, once per subtask.
  virtual void open(keyed_runtime_context<Key>&) {}
  /// A record of the stream that is not broadcast; the state can only be read.
  virtual void process_element(const T& row, keyed_broadcast_read_only_context<Key>& context,
                               collector<Out>& out) = 0;
  /// No key is current: keyed state is reached by `context.apply_to_keyed_state`.
  virtual void process_broadcast_element(const B& row, keyed_broadcast_context<Key>& context,
                                         collector<Out>& out) = 0;
  /// As keyed_process_function::on_timer.
  virtual void on_timer(timestamp_ms /*at*/, broadcast_timer_context<Key>&, collector<Out>&) {}
  /// After the last record or a failure.
  virtual void close() {}
};

/// An object with a `process_element` for the records of the stream and a
/// `process_broadcast_element` for those that are broadcast.
template <class Fn, class T, class Context, class B, class BroadcastContext, class Out>
concept broadcast_element_function = has_process_element<Fn, T, Context, Out> &&
    requires(Fn& fn, const B& row, BroadcastContext& context, collector<Out>& out) {
  fn.process_broadcast_element(row, context, out);
};

}  // namespace millrace
