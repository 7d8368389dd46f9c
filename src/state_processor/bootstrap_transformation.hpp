#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "millrace/api/keyed_stream.hpp"
#include "millrace/state_processor/bootstrap_functions.hpp"

namespace millrace {

/// How the state of an operator is made from a bounded stream: what savepoint_writer::with_operator
/// takes (Flink's StateBootstrapTransformation).
class bootstrap_transformation {
 public:
  /// `add` adds the operator that makes the state to the job, and returns its node.
  bootstrap_transformation(std::shared_ptr<detail::job_builder> builder,
                           std::function<std::uint32_t(const bootstrap_target&)> add,
                           bool is_parallel)
      : builder_(std::move(builder)), add_(std::move(add)), is_parallel_(is_parallel) {}

  /// The job that the stream belongs to.
  const std::shared_ptr<detail::job_builder>& builder() const noexcept { return builder_; }
  /// For savepoint_writer: adds the operator with so many key groups, and returns its node.
  std::uint32_t add(const bootstrap_target& target, std::uint32_t max_parallelism) const;

 private:
  std::shared_ptr<detail::job_builder> builder_;
  std::function<std::uint32_t(const bootstrap_target&)> add_;
  bool is_parallel_;
};

/// A keyed stream that state per key is made from.
template <class T, class KeyOf>
class keyed_bootstrap : private keyed_stream<T, KeyOf> {
  using key = key_type<T, KeyOf>;

 public:
  /// Throws `failure(invalid_graph)` if the stream is unbounded.
  explicit keyed_bootstrap(const keyed_stream<T, KeyOf>& stream) : keyed_stream<T, KeyOf>(stream) {
    this->builder_->require_bounded(this->parts_);
  }

  /// By an object as keyed_state_bootstrap_function is.
  template <class Fn>
  bootstrap_transformation transform(Fn fn) const {
    constexpr bool fits = bootstraps_keyed_state<Fn, key, T>;
    static_assert(fits,
                  "millrace: state of a keyed stream is made by an object as "
                  "keyed_state_bootstrap_function is: with a process_element that takes `const T&` "
                  "and `keyed_state_bootstrap_context<Key>&` with the stream's type of key");
    if constexpr (fits && check_copyable<Fn>())
      return by(std::move(fn));
    else
      return fold();
  }

  /// The state of reduce, sum, min, max, min_by or max_by: each record is its key's value.
  bootstrap_transformation fold() const { return by(detail::folded_state_bootstrap<key, T>()); }

 private:
  template <class Fn>
  bootstrap_transformation by(Fn fn) const {
    return {this->builder_,
            [stream = *this, fn = std::move(fn)](const bootstrap_target& target) {
              auto make = [target, key_of = stream.key_of(), fn] {
                return std::make_unique<keyed_bootstrap_operator<T, KeyOf, Fn>>(target, key_of, fn);
              };
              return stream.builder_->add_reader(stream.parts_, "bootstrap",
                                                 detail::make_bootstrap_factory<T>(std::move(make)),
                                                 false);
            },
            true};
  }
};

/// A stream that state without keys is made from.
template <class T>
class operator_bootstrap : private data_stream<T> {
 public:
  /// Throws `failure(invalid_graph)` if the stream is unbounded.
  explicit operator_bootstrap(const data_stream<T>& stream) : data_stream<T>(stream) {
    this->builder_->require_bounded(this->parts_);
  }

  /// By an object as state_bootstrap_function is.
  template <class Fn>
  bootstrap_transformation transform(Fn fn) const {
    constexpr bool fits = bootstraps_state<Fn, T>;
    static_assert(fits,
                  "millrace: state of a stream without keys is made by an object as "
                  "state_bootstrap_function is: with a process_element that takes `const T&`; for "
                  "state per key, key_by the stream before");
    if constexpr (fits && check_copyable<Fn>())
      return {this->builder_,
              [stream = *this, fn = std::move(fn)](const bootstrap_target& target) {
                auto make = [target, fn] {
                  return std::make_unique<state_bootstrap_operator<T, Fn>>(target, fn);
                };
                return stream.builder_->add_reader(
                    stream.parts_, "bootstrap", detail::make_bootstrap_factory<T>(std::move(make)),
                    false);
              },
              false};
    else
      return {nullptr, nullptr, false};
  }
};

/// Where the making of state begins (Flink's OperatorTransformation):
///
///     operator_transformation::bootstrap_with(accounts.key_by(&account::id)).transform(fn)
struct operator_transformation {
  /// State per key.
  template <class T, class KeyOf>
  static keyed_bootstrap<T, KeyOf> bootstrap_with(const keyed_stream<T, KeyOf>& stream) {
    return keyed_bootstrap<T, KeyOf>(stream);
  }
  /// State without keys.
  template <class T>
  static operator_bootstrap<T> bootstrap_with(const data_stream<T>& stream) {
    return operator_bootstrap<T>(stream);
  }
};

}  // namespace millrace
