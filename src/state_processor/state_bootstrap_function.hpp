#pragma once

#include "millrace/operators/keyed_runtime_context.hpp"
#include "millrace/operators/own_state_names.hpp"
#include "millrace/state/keyed_state_backend.hpp"
#include "millrace/stream/operator.hpp"

namespace millrace {

/// What a keyed_state_bootstrap_function is told about the record at hand (Flink's
/// KeyedStateBootstrapFunction.Context). Valid during the call only.
template <class Key>
class keyed_state_bootstrap_context {
 public:
  explicit keyed_state_bootstrap_context(keyed_state_backend<Key>& state) : state_(state) {}

  /// Of the record at hand.
  const Key& current_key() const noexcept { return state_.current_key(); }
  /// A timer of the current key for the process function that is to start from the savepoint. It
  /// does not fire while that is written.
  void register_event_time_timer(timestamp_ms at) { timers().register_event_time_timer({}, at); }
  /// The same for a timer of the wall clock.
  void register_processing_time_timer(timestamp_ms at) {
    timers().register_processing_time_timer({}, at);
  }

 private:
  timer_service<Key, void_namespace>& timers() {
    if (timers_ == nullptr)
      timers_ = &state_.template timers<void_namespace>(own_state_names::timers);
    return *timers_;
  }

  keyed_state_backend<Key>& state_;
  timer_service<Key, void_namespace>* timers_ = nullptr;  // once there is one
};

/// Makes the state of an operator on a keyed stream from records (Flink's
/// KeyedStateBootstrapFunction). Derive from it, or write a class with the same members.
template <class Key, class T>
class keyed_state_bootstrap_function {
 public:
  virtual ~keyed_state_bootstrap_function() = default;
  /// Before the first record: take handles of the states that are to be filled, with the
  /// descriptors that the job has. No key is current. Its operator_state() becomes part of the
  /// savepoint, too.
  virtual void open(keyed_runtime_context<Key>&) {}
  /// A record, whose key the handles act on.
  virtual void process_element(const T& row, keyed_state_bootstrap_context<Key>& context) = 0;
  /// After the last record or a failure.
  virtual void close() {}
};

/// Makes the state of an operator that belongs to no key from records (Flink's
/// StateBootstrapFunction and BroadcastStateBootstrapFunction): list, union list and broadcast
/// state. There is a single one for all records.
template <class T>
class state_bootstrap_function {
 public:
  virtual ~state_bootstrap_function() = default;
  /// Before the first record: take handles from `context.operator_state()`, with the descriptors
  /// that the job has.
  virtual void open(operator_context&) {}
  /// A record.
  virtual void process_element(const T& row) = 0;
  /// After the last record or a failure.
  virtual void close() {}
};

/// As keyed_state_bootstrap_function, which it need not derive from.
template <class Fn, class Key, class T>
concept bootstraps_keyed_state = requires(Fn& fn, const T& row,
                                          keyed_state_bootstrap_context<Key>& context) {
  fn.process_element(row, context);
};

/// As state_bootstrap_function, which it need not derive from.
template <class Fn, class T>
concept bootstraps_state = requires(Fn& fn, const T& row) {
  fn.process_element(row);
};

}  // namespace millrace
