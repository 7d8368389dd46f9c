#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
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

/// The part that all descriptors have.
template <class Self>
class state_descriptor {
 public:
  explicit state_descriptor(std::string name) : name_(std::move(name)) {}

  const std::string& name() const noexcept { return name_; }
  const std::optional<state_ttl_config>& ttl() const noexcept { return ttl_; }

  /// Lets the state expire. May be switched on and off between two runs of a job.
  Self& enable_ttl(const state_ttl_config& config) {
    ttl_ = config;
    return static_cast<Self&>(*this);
  }

 private:
  std::string name_;
  std::optional<state_ttl_config> ttl_;
};

/// One value per key.
template <class T>
class value_state_descriptor : public state_descriptor<value_state_descriptor<T>> {
 public:
  static_assert(encodable<T>, "millrace: state must be encodable, as records are");

  /// `initial` is what a key without a value has.
  explicit value_state_descriptor(std::string name, T initial = T{})
      : state_descriptor<value_state_descriptor<T>>(std::move(name)),
        initial_(std::move(initial)) {}

  const T& initial() const noexcept { return initial_; }

 private:
  T initial_;
};

/// A list per key, in the order in which elements were added.
template <class T>
class list_state_descriptor : public state_descriptor<list_state_descriptor<T>> {
 public:
  static_assert(encodable<T>, "millrace: state must be encodable, as records are");
  using state_descriptor<list_state_descriptor<T>>::state_descriptor;
};

/// A map per key.
template <class K, class V>
class map_state_descriptor : public state_descriptor<map_state_descriptor<K, V>> {
 public:
  static_assert(encodable<K> && encodable<V>, "millrace: state must be encodable, as records are");
  static_assert(hashable_key<K>, "millrace: keys of map state must be such as streams can have");
  using state_descriptor<map_state_descriptor<K, V>>::state_descriptor;
};

/// One value per key that all added ones were reduced to.
template <class T>
class reducing_state_descriptor : public state_descriptor<reducing_state_descriptor<T>> {
 public:
  static_assert(encodable<T>, "millrace: state must be encodable, as records are");
  using reduce = std::function<void(T& into, const T& value)>;

  /// `fn` is `T(const T&, const T&)`, or `void(T& into, const T& value)`, which saves copies.
  template <class Fn>
  reducing_state_descriptor(std::string name, Fn fn)
      : state_descriptor<reducing_state_descriptor<T>>(std::move(name)) {
    if constexpr (std::is_invocable_r_v<T, Fn&, const T&, const T&>)
      reduce_ = [fn = std::move(fn)](T& into, const T& value) {
        into = std::invoke(fn, std::as_const(into), value);
      };
    else
      reduce_ = std::move(fn);
  }

  const reduce& function() const noexcept { return reduce_; }

 private:
  reduce reduce_;
};

/// One accumulator per key, of type Acc; what is added is of type In, what comes out of type Out.
template <class In, class Acc, class Out>
class aggregating_state_descriptor
    : public state_descriptor<aggregating_state_descriptor<In, Acc, Out>> {
 public:
  static_assert(encodable<Acc>, "millrace: state must be encodable, as records are");
  using function_ptr = std::shared_ptr<const aggregate_function<In, Acc, Out>>;

  aggregating_state_descriptor(std::string name, function_ptr aggregate)
      : state_descriptor<aggregating_state_descriptor<In, Acc, Out>>(std::move(name)),
        aggregate_(std::move(aggregate)) {}
  /// From an object of a class derived from aggregate_function<In, Acc, Out>.
  template <std::derived_from<aggregate_function<In, Acc, Out>> Fn>
  aggregating_state_descriptor(std::string name, Fn aggregate)
      : aggregating_state_descriptor(std::move(name),
                                     function_ptr(std::make_shared<Fn>(std::move(aggregate)))) {}

  const function_ptr& function() const noexcept { return aggregate_; }

 private:
  function_ptr aggregate_;
};

}  // namespace millrace
