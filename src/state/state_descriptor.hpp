#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "millrace/core/codec.hpp"
#include "millrace/core/hash.hpp"
#include "millrace/state/aggregate_function.hpp"
#include "millrace/state/state_ttl.hpp"

/// What a function says about a state it wants. Names are unique within an operator, and with the
/// operator's uid they are how state is found again: renaming a state loses its content.
namespace millrace {

/// The part that all descriptors have. `Lifetime` is `unlimited_lifetime`, or `state_ttl_config`
/// for state that expires: a type of its own, so that a job compiles only the one it uses.
template <class Lifetime>
class state_descriptor {
 public:
  explicit state_descriptor(std::string name, Lifetime lifetime = {})
      : name_(std::move(name)), lifetime_(std::move(lifetime)) {}

  /// Unique within the operator.
  const std::string& name() const noexcept { return name_; }
  /// When it expires, if it does.
  const Lifetime& lifetime() const noexcept { return lifetime_; }

 private:
  std::string name_;
  [[no_unique_address]] Lifetime lifetime_;
};

/// One value per key.
template <class T, class Lifetime = unlimited_lifetime>
class value_state_descriptor : public state_descriptor<Lifetime> {
 public:
  static_assert(encodable<T>, "millrace: state must be encodable, as records are");

  /// `initial` is what a key without a value has.
  explicit value_state_descriptor(std::string name, T initial = T{}, Lifetime lifetime = {})
      : state_descriptor<Lifetime>(std::move(name), std::move(lifetime)),
        initial_(std::move(initial)) {}

  /// What a key without a value has.
  const T& initial() const noexcept { return initial_; }

  /// The same state, but it expires. May be switched on and off between two runs of a job.
  [[nodiscard]] value_state_descriptor<T, state_ttl_config> enable_ttl(
      const state_ttl_config& config) const {
    return value_state_descriptor<T, state_ttl_config>(this->name(), initial_, config);
  }

 private:
  T initial_;
};

/// A list per key, in the order in which elements were added.
template <class T, class Lifetime = unlimited_lifetime>
class list_state_descriptor : public state_descriptor<Lifetime> {
 public:
  static_assert(encodable<T>, "millrace: state must be encodable, as records are");
  using state_descriptor<Lifetime>::state_descriptor;

  /// As of value_state_descriptor; elements expire one by one.
  [[nodiscard]] list_state_descriptor<T, state_ttl_config> enable_ttl(
      const state_ttl_config& config) const {
    return list_state_descriptor<T, state_ttl_config>(this->name(), config);
  }
};

/// A map per key.
template <class K, class V, class Lifetime = unlimited_lifetime>
class map_state_descriptor : public state_descriptor<Lifetime> {
 public:
  static_assert(encodable<K> && encodable<V>, "millrace: state must be encodable, as records are");
  static_assert(hashable_key<K>, "millrace: keys of map state must be such as streams can have");
  using state_descriptor<Lifetime>::state_descriptor;

  /// As of value_state_descriptor; entries expire one by one.
  [[nodiscard]] map_state_descriptor<K, V, state_ttl_config> enable_ttl(
      const state_ttl_config& config) const {
    return map_state_descriptor<K, V, state_ttl_config>(this->name(), config);
  }
};

/// One value per key that all added ones were reduced to.
template <class T, class Lifetime = unlimited_lifetime>
class reducing_state_descriptor : public state_descriptor<Lifetime> {
 public:
  static_assert(encodable<T>, "millrace: state must be encodable, as records are");
  /// Takes a value into another.
  using reduce = std::function<void(T& into, const T& value)>;

  /// `fn` is `T(const T&, const T&)`, or `void(T& into, const T& value)`, which saves copies.
  template <class Fn>
  reducing_state_descriptor(std::string name, Fn fn, Lifetime lifetime = {})
      : state_descriptor<Lifetime>(std::move(name), std::move(lifetime)) {
    if constexpr (std::is_invocable_r_v<T, Fn&, const T&, const T&>)
      reduce_ = [fn = std::move(fn)](T& into, const T& value) {
        into = std::invoke(fn, std::as_const(into), value);
      };
    else
      reduce_ = std::move(fn);
  }

  /// What was given.
  const reduce& function() const noexcept { return reduce_; }

  /// As of value_state_descriptor.
  [[nodiscard]] reducing_state_descriptor<T, state_ttl_config> enable_ttl(
      const state_ttl_config& config) const {
    return {this->name(), reduce_, config};
  }

 private:
  reduce reduce_;
};

/// One accumulator per key, of type Acc; what is added is of type In, what comes out of type Out.
template <class In, class Acc, class Out, class Lifetime = unlimited_lifetime>
class aggregating_state_descriptor : public state_descriptor<Lifetime> {
 public:
  static_assert(encodable<Acc>, "millrace: state must be encodable, as records are");
  /// Shared by all keys and subtasks.
  using function_ptr = std::shared_ptr<const aggregate_function<In, Acc, Out>>;

  /// Many descriptors may share a function.
  aggregating_state_descriptor(std::string name, function_ptr aggregate, Lifetime lifetime = {})
      : state_descriptor<Lifetime>(std::move(name), std::move(lifetime)),
        aggregate_(std::move(aggregate)) {}
  /// From an object of a class derived from aggregate_function<In, Acc, Out>.
  template <std::derived_from<aggregate_function<In, Acc, Out>> Fn>
  aggregating_state_descriptor(std::string name, Fn aggregate)
      : aggregating_state_descriptor(std::move(name),
                                     function_ptr(std::make_shared<Fn>(std::move(aggregate)))) {}

  /// What was given.
  const function_ptr& function() const noexcept { return aggregate_; }

  /// As of value_state_descriptor.
  [[nodiscard]] aggregating_state_descriptor<In, Acc, Out, state_ttl_config> enable_ttl(
      const state_ttl_config& config) const {
    return {this->name(), aggregate_, config};
  }

 private:
  function_ptr aggregate_;
};

}  // namespace millrace
