#pragma once

#include <utility>

#include "millrace/operators/broadcast_states.hpp"
#include "millrace/operators/keyed_process_context.hpp"

// What functions beside a broadcast stream are called with. Broadcast state can be changed for
// records of the broadcast stream only, which every subtask gets: that is what keeps its copies
// equal.

namespace millrace {

/// A context that shows broadcast state.
template <class Context>
class shows_broadcast_state : public Context {
 public:
  /// Throws `failure(invalid_argument)` if the stream's `broadcast(…)` was not given that
  /// descriptor.
  template <class K, class V>
  read_only_broadcast_state<K, V> get_broadcast_state(
      const map_state_descriptor<K, V>& descriptor) const {
    return states_->get(descriptor);
  }

  /// For operators.
  void bind(const broadcast_states& states) noexcept { states_ = &states; }

 private:
  const broadcast_states* states_ = nullptr;
};

/// For a record of a stream without keys (Flink's BroadcastProcessFunction.ReadOnlyContext).
using broadcast_read_only_context = shows_broadcast_state<process_context>;

/// For a record of a keyed stream (Flink's KeyedBroadcastProcessFunction.ReadOnlyContext).
template <class Key>
using keyed_broadcast_read_only_context = shows_broadcast_state<keyed_process_context<Key>>;

/// For a timer of a keyed stream (Flink's KeyedBroadcastProcessFunction.OnTimerContext).
template <class Key>
using broadcast_timer_context = timer_context<keyed_broadcast_read_only_context<Key>>;

/// For a record of the broadcast stream (Flink's BroadcastProcessFunction.Context).
class broadcast_context : public process_context {
 public:
  /// What is done with the state must depend on records of the broadcast stream alone. Throws
  /// `failure(invalid_argument)` if the stream's `broadcast(…)` was not given that descriptor.
  template <class K, class V>
  broadcast_state<K, V> get_broadcast_state(const map_state_descriptor<K, V>& descriptor) const {
    return states_->get(descriptor);
  }

  /// For operators.
  void bind(const broadcast_states& states) noexcept { states_ = &states; }

 private:
  const broadcast_states* states_ = nullptr;
};

/// The same beside a keyed stream (Flink's KeyedBroadcastProcessFunction.Context). There is no
/// current key, so there are no timers, and keyed state throws `failure` outside
/// apply_to_keyed_state.
template <class Key>
class keyed_broadcast_context : public broadcast_context {
 public:
  /// Calls `fn(const Key&, state)` for each key of this subtask that has something in that keyed
  /// state, in no particular order; `fn` may change what the key has in it, and in states that it
  /// keeps handles of. Reads all of the state: a cost for rare records.
  ///
  ///     now.apply_to_keyed_state(pending, [&](const std::string& user, list_state<event>& events)
  ///         { … });
  template <class Descriptor, class Fn>
  void apply_to_keyed_state(const Descriptor& descriptor, Fn&& fn) {
    check_state_name(descriptor.name());
    auto state = state_->template get_namespaced<void_namespace>(descriptor);
    state_->for_each_key(descriptor.name(), [&](const Key& key) { fn(key, state); });
  }

  /// For operators.
  void bind(const broadcast_states& states, keyed_state_backend<Key>& state) noexcept {
    broadcast_context::bind(states);
    state_ = &state;
  }

 private:
  keyed_state_backend<Key>* state_ = nullptr;
};

}  // namespace millrace
