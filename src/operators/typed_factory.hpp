#pragma once

#include <memory>
#include <utility>

#include "millrace/stream/operator.hpp"

namespace millrace {

namespace detail {

template <class T>
const record_type* record_type_or_null() noexcept {
  if constexpr (std::is_void_v<T>)
    return nullptr;
  else
    return &record_type_of<T>();
}

/// `Make` is called, const, for the operator of each subtask.
template <class In, class Out, class Make>
class typed_factory final : public operator_factory {
 public:
  explicit typed_factory(Make make) : make_(std::move(make)) {}

  std::unique_ptr<stream_operator> create() const override { return make_(); }
  const record_type* input_type(std::size_t input) const noexcept override {
    return input == 0 ? record_type_or_null<In>() : nullptr;
  }
  const record_type* output_type() const noexcept override { return record_type_or_null<Out>(); }

 private:
  Make make_;
};

template <class In1, class In2, class Out, class Make>
class two_input_factory final : public operator_factory {
 public:
  explicit two_input_factory(Make make) : make_(std::move(make)) {}

  std::unique_ptr<stream_operator> create() const override { return make_(); }
  const record_type* input_type(std::size_t input) const noexcept override {
    if (input > 1) return nullptr;
    return input == 0 ? &record_type_of<In1>() : &record_type_of<In2>();
  }
  const record_type* output_type() const noexcept override { return &record_type_of<Out>(); }

 private:
  Make make_;
};

}  // namespace detail

/// The factory of operators with two inputs and an output.
template <class In1, class In2, class Out, class Make>
std::shared_ptr<const operator_factory> make_two_input_factory(Make make) {
  return std::make_shared<detail::two_input_factory<In1, In2, Out, Make>>(std::move(make));
}

/// The factory of operators with one input of type `In` (void for sources) and an output of type
/// `Out` (void for sinks). `make()` returns a fresh operator each time.
template <class In, class Out, class Make>
std::shared_ptr<const operator_factory> make_factory(Make make) {
  return std::make_shared<detail::typed_factory<In, Out, Make>>(std::move(make));
}

}  // namespace millrace
