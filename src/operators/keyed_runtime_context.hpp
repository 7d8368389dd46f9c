#pragma once

#include "millrace/operators/user_function.hpp"
#include "millrace/state/keyed_state_slot.hpp"
#include "millrace/state/operator_state.hpp"
#include "millrace/stream/operator.hpp"

namespace millrace {

/// What a function on a keyed stream is opened with: its runtime_context, and its state. Take
/// handles in open() and keep them; they act on the key of the record or timer at hand.
///
///     void open(keyed_runtime_context<std::string>& context) override {
///       total_ = context.get_state(value_state_descriptor<std::int64_t>("total"));
///     }
template <class Key>
class keyed_runtime_context {
 public:
  keyed_runtime_context(operator_context& self, keyed_state_backend<Key>& state)
      : self_(self), state_(state) {}

  /// Who the operator is, and its metrics.
  runtime_context& runtime() const noexcept { return self_.runtime(); }
  /// So that functions which need no state are opened with their runtime_context.
  operator runtime_context&() const noexcept { return runtime(); }  // NOLINT(*-explicit-*)
  /// The operator's state that belongs to no key, of this subtask.
  operator_state_backend& operator_state() const noexcept { return self_.operator_state(); }

  /// Each throws `failure` if the name was taken for a state of another kind or type, or begins
  /// with '_', as those of operators do.
  template <class T, class Lifetime>
  value_state<T> get_state(const value_state_descriptor<T, Lifetime>& descriptor) {
    check_state_name(descriptor.name());
    return state_.get_state(descriptor);
  }
  /// A list per key.
  template <class T, class Lifetime>
  list_state<T> get_list_state(const list_state_descriptor<T, Lifetime>& descriptor) {
    check_state_name(descriptor.name());
    return state_.get_list_state(descriptor);
  }
  /// A map per key.
  template <class K, class V, class Lifetime>
  map_state<K, V> get_map_state(const map_state_descriptor<K, V, Lifetime>& descriptor) {
    check_state_name(descriptor.name());
    return state_.get_map_state(descriptor);
  }
  /// One value per key.
  template <class T, class Lifetime>
  reducing_state<T> get_reducing_state(const reducing_state_descriptor<T, Lifetime>& descriptor) {
    check_state_name(descriptor.name());
    return state_.get_reducing_state(descriptor);
  }
  /// One accumulator per key.
  template <class In, class Acc, class Out, class Lifetime>
  aggregating_state<In, Out> get_aggregating_state(
      const aggregating_state_descriptor<In, Acc, Out, Lifetime>& descriptor) {
    check_state_name(descriptor.name());
    return state_.get_aggregating_state(descriptor);
  }

 private:
  operator_context& self_;
  keyed_state_backend<Key>& state_;
};

/// A function that asks for keyed state when it is opened.
template <class Fn, class Key>
concept opened_with_state =
    opened_with<Fn, keyed_runtime_context<Key>> && !opened_with<Fn, runtime_context>;

}  // namespace millrace
