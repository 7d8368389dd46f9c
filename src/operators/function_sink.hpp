#pragma once

#include "millrace/operators/typed_factory.hpp"
#include "millrace/operators/user_function.hpp"

namespace millrace {

/// A function of a record whose result, if it has one, is dropped.
template <class Fn, class T>
concept sink_function = std::invocable<Fn&, const T&>;

/// Calls a function for each record, and nothing comes out.
template <class T, class Fn>
class function_sink final : public function_operator<Fn, stream_operator> {
 public:
  using function_operator<Fn, stream_operator>::function_operator;

  void process(std::size_t, batch& rows, rows_access access) override {
    auto& fn = *this->fn_;
    auto& in = rows_of<T>(rows);
    if (access == rows_access::exclusive) {
      for (T& row : in) static_cast<void>(invoke_moved(fn, row));
    } else {
      for (const T& row : in) static_cast<void>(std::invoke(fn, row));
    }
  }
};

/// A function_sink for each subtask, with a copy of `fn` of its own.
template <class T, class Fn>
operator_factory_ptr make_function_sink(Fn fn) {
  return make_factory<T, void>([fn] { return std::make_unique<function_sink<T, Fn>>(fn); });
}

}  // namespace millrace
