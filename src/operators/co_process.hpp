#pragma once

#include <utility>

#include "millrace/operators/co_process_function.hpp"
#include "millrace/operators/keyed_process.hpp"
#include "millrace/operators/process.hpp"

namespace millrace {

/// Two streams without keys (Flink's CoProcessOperator).
template <class In1, class In2, class Out, class Fn>
class co_process_operator final : public process_base<Out, Fn> {
 public:
  using process_base<Out, Fn>::process_base;

  void process(std::size_t input, batch& rows, rows_access access) override {
    auto& fn = *this->fn_;
    if (input == 0)
      this->template process_rows<In1>(rows, access, [&](auto&& row, process_context& now) {
        fn.process_element1(std::forward<decltype(row)>(row), now, this->out_);
      });
    else
      this->template process_rows<In2>(rows, access, [&](auto&& row, process_context& now) {
        fn.process_element2(std::forward<decltype(row)>(row), now, this->out_);
      });
  }
};

/// Two keyed streams that share state and timers (Flink's KeyedCoProcessOperator).
template <class In1, class In2, class Out, class KeyOf1, class KeyOf2, class Fn>
class keyed_co_process_operator final : public keyed_process_base<key_type<In1, KeyOf1>, Out, Fn> {
 public:
  keyed_co_process_operator(KeyOf1 key_of1, KeyOf2 key_of2, Fn fn)
      : keyed_process_base<key, Out, Fn>(std::move(fn)),
        block1_(std::move(key_of1)),
        block2_(std::move(key_of2)) {}

  void process(std::size_t input, batch& rows, rows_access access) override {
    auto& fn = *this->fn_;
    if (input == 0)
      this->process_rows(rows, access, block1_, [&](auto&& row, keyed_process_context<key>& now) {
        fn.process_element1(std::forward<decltype(row)>(row), now, this->out_);
      });
    else
      this->process_rows(rows, access, block2_, [&](auto&& row, keyed_process_context<key>& now) {
        fn.process_element2(std::forward<decltype(row)>(row), now, this->out_);
      });
  }

 private:
  using key = key_type<In1, KeyOf1>;

  key_block<In1, KeyOf1> block1_;
  key_block<In2, KeyOf2> block2_;
};

template <class In1, class In2, class Out, class Fn>
operator_factory_ptr make_co_process(Fn fn) {
  return make_two_input_factory<In1, In2, Out>(
      [fn] { return std::make_unique<co_process_operator<In1, In2, Out, Fn>>(fn); });
}

template <class In1, class In2, class Out, class KeyOf1, class KeyOf2, class Fn>
operator_factory_ptr make_keyed_co_process(KeyOf1 key_of1, KeyOf2 key_of2, Fn fn) {
  return make_two_input_factory<In1, In2, Out>([key_of1, key_of2, fn] {
    return std::make_unique<keyed_co_process_operator<In1, In2, Out, KeyOf1, KeyOf2, Fn>>(
        key_of1, key_of2, fn);
  });
}

}  // namespace millrace
