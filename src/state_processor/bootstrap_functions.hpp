#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "millrace/operators/key_block.hpp"
#include "millrace/operators/typed_factory.hpp"
#include "millrace/operators/user_function.hpp"
#include "millrace/state/keyed_state_slot.hpp"
#include "millrace/state_processor/bootstrap_operator.hpp"
#include "millrace/state_processor/state_bootstrap_function.hpp"

// Operators that fill state by a user's function.

namespace millrace {

/// By a keyed_state_bootstrap_function.
template <class T, class KeyOf, class Fn>
class keyed_bootstrap_operator final : public bootstrap_operator {
  using key = key_type<T, KeyOf>;

 public:
  keyed_bootstrap_operator(bootstrap_target target, KeyOf key_of, Fn fn)
      : bootstrap_operator(std::move(target)), block_(std::move(key_of)), fn_(std::move(fn)) {}

  void open(operator_context& context) override {
    bootstrap_operator::open(context);
    state_ = &context.keyed_backend<key>();
    context_.emplace(*state_);
    if constexpr (requires(Fn & fn, keyed_state_backend<key> & state) {
                    fn.open_with_backend(state);
                  }) {
      fn_->open_with_backend(*state_);
    } else {
      keyed_runtime_context<key> runtime(context, *state_);
      fn_.open_with(context, runtime);
    }
  }

  void process(std::size_t, batch& rows, rows_access) override {
    const auto& in = rows_of<T>(rows);
    for (std::size_t begin = 0; begin < in.size(); begin += block_.rows_max) {
      const auto count = std::min(block_.rows_max, in.size() - begin);
      block_.find(&in[begin], count);
      state_->prefetch(block_.keys(), block_.hashes());
      for (std::size_t i = 0; i < count; ++i) {
        state_->set_current_key(block_.at(i), block_.hash(i));
        fn_->process_element(in[begin + i], *context_);
      }
    }
  }

  void close() noexcept override { fn_.close(); }

 private:
  void finish_function() override { fn_.finish(); }

  key_block<T, KeyOf> block_;
  user_function<Fn> fn_;
  keyed_state_backend<key>* state_ = nullptr;
  std::optional<keyed_state_bootstrap_context<key>> context_;
};

/// By a state_bootstrap_function.
template <class T, class Fn>
class state_bootstrap_operator final : public bootstrap_operator {
 public:
  state_bootstrap_operator(bootstrap_target target, Fn fn)
      : bootstrap_operator(std::move(target)), fn_(std::move(fn)) {}

  void open(operator_context& context) override {
    bootstrap_operator::open(context);
    fn_.open(context);
  }
  void process(std::size_t, batch& rows, rows_access) override {
    for (const T& row : rows_of<T>(rows)) fn_->process_element(row);
  }
  void close() noexcept override { fn_.close(); }

 private:
  void finish_function() override { fn_.finish(); }

  user_function<Fn> fn_;
};

namespace detail {

/// The record of a key is what a fold has of it: the last one counts.
template <class Key, class T>
struct folded_state_bootstrap {
  reducing_state<T> state{};

  void open_with_backend(keyed_state_backend<Key>& backend) {
    state = backend.get_reducing_state(reducing_state_descriptor<T>(
        own_state_names::folded, [](T& into, const T& row) { into = row; }));
  }
  void process_element(const T& row, keyed_state_bootstrap_context<Key>&) { state.add(row); }
};

/// `make()` makes an operator that takes records of type T.
template <class T, class Make>
operator_factory_ptr make_bootstrap_factory(Make make) {
  return operator_factory_ptr(new making_factory<Make>(
      std::move(make), {&record_type_of<T>(), nullptr}, &written_subtask_type()));
}

}  // namespace detail

}  // namespace millrace
