#pragma once

#include <array>
#include <memory>
#include <type_traits>
#include <utility>

#include "millrace/stream/operator.hpp"

namespace millrace {

namespace detail {

/// Null for void.
template <class T>
const record_type* record_type_or_null() noexcept {
  if constexpr (std::is_void_v<T>)
    return nullptr;
  else
    return &record_type_of<T>();
}

/// A factory that knows its record types; null where there is no such input or output.
class described_factory : public operator_factory {
 public:
  const record_type* input_type(std::size_t input) const noexcept final;
  const record_type* output_type() const noexcept final;

 protected:
  described_factory(std::array<const record_type*, 2> inputs, const record_type* output) noexcept
      : inputs_(inputs), output_(output) {}

 private:
  std::array<const record_type*, 2> inputs_;
  const record_type* output_;
};

/// Whether operators of that class make output visible when a checkpoint is complete: those that do
/// have a `static constexpr bool commits = true`.
template <class Op>
consteval bool does_commit() {
  if constexpr (requires { Op::commits; })
    return Op::commits;
  else
    return false;
}

/// `Make` is called, const, for the operator of each subtask.
template <class Make>
class making_factory final : public described_factory {
 public:
  making_factory(Make make, std::array<const record_type*, 2> inputs, const record_type* output)
      : described_factory(inputs, output), make_(std::move(make)) {}

  std::unique_ptr<stream_operator> create() const override { return make_(); }
  bool commits() const noexcept override {
    return does_commit<typename std::invoke_result_t<const Make&>::element_type>();
  }

 private:
  Make make_;
};

}  // namespace detail

/// The factory of operators with two inputs and an output.
template <class In1, class In2, class Out, class Make>
operator_factory_ptr make_two_input_factory(Make make) {
  return operator_factory_ptr(new detail::making_factory<Make>(
      std::move(make), {&record_type_of<In1>(), &record_type_of<In2>()}, &record_type_of<Out>()));
}

/// The factory of operators with one input of type `In` (void for sources) and an output of type
/// `Out` (void for sinks). `make()` returns a fresh operator each time.
template <class In, class Out, class Make>
operator_factory_ptr make_factory(Make make) {
  return operator_factory_ptr(new detail::making_factory<Make>(
      std::move(make), {detail::record_type_or_null<In>(), nullptr},
      detail::record_type_or_null<Out>()));
}

}  // namespace millrace
