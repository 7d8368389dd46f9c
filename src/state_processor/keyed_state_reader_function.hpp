#pragma once

#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/core/event_time.hpp"
#include "millrace/operators/keyed_runtime_context.hpp"
#include "millrace/stream/collector.hpp"

namespace millrace {

/// What a keyed_state_reader_function learns about the key at hand, besides its states (Flink's
/// KeyedStateReaderFunction.Context). Valid during the call only.
class keyed_state_reader_context {
 public:
  /// Event-time timers that the job's function had registered for the key, ascending.
  const std::vector<timestamp_ms>& registered_event_time_timers() const noexcept {
    return event_time_timers_;
  }
  /// The same for timers of the wall clock.
  const std::vector<timestamp_ms>& registered_processing_time_timers() const noexcept {
    return processing_time_timers_;
  }

  /// For the engine.
  void set_timers(std::vector<timestamp_ms> event_time, std::vector<timestamp_ms> processing_time) {
    event_time_timers_ = std::move(event_time);
    processing_time_timers_ = std::move(processing_time);
  }

 private:
  std::vector<timestamp_ms> event_time_timers_;
  std::vector<timestamp_ms> processing_time_timers_;
};

/// Reads the keyed state of an operator key by key (Flink's KeyedStateReaderFunction). Derive from
/// it, or write a class with the same members. Every key group is read by a copy of its own.
template <class Key, class Out>
class keyed_state_reader_function {
 public:
  virtual ~keyed_state_reader_function() = default;
  /// Before the first key of a key group: take handles of the states that are to be read, with the
  /// descriptors that the job has. No key is current.
  virtual void open(keyed_runtime_context<Key>&) {}
  /// A key that has something in one of these states, or a timer; if none was asked for, one that
  /// has anything. The handles act on it. What they change stays in this process.
  virtual void read_key(const Key& key, keyed_state_reader_context& context,
                        collector<Out>& out) = 0;
  /// After the last key of a key group, or a failure.
  virtual void close() {}
};

namespace detail {

template <class C, class Key, class Out>
std::pair<Key, Out> reader_types(void (C::*)(const Key&, keyed_state_reader_context&,
                                             collector<Out>&));

}  // namespace detail

/// An object as keyed_state_reader_function is, whether it derives from that or not.
template <class Fn>
concept reads_keys = requires {
  detail::reader_types(&Fn::read_key);
};

}  // namespace millrace
