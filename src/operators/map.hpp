#pragma once

#include "millrace/operators/timed_rows.hpp"
#include "millrace/operators/typed_factory.hpp"
#include "millrace/operators/user_function.hpp"

namespace millrace {

/// What `map` takes: returns one record for one record.
template <class Fn, class T>
concept map_function =
    std::invocable<Fn&, const T&> && !std::is_void_v<std::invoke_result_t<Fn&, const T&>>;

/// One record out for each record in.
template <class In, class Out, class Fn>
class map_operator final : public function_operator<Fn, producing<Out>> {
 public:
  using function_operator<Fn, producing<Out>>::function_operator;

  void process(std::size_t, batch& rows, rows_access access) override {
    auto& fn = *this->fn_;
    if constexpr (std::is_same_v<In, Out> && std::is_move_assignable_v<In>) {
      if (access == rows_access::exclusive) {
        // Same type and nobody else looks: in place, and the batch itself moves on.
        for (In& row : rows_of<In>(rows)) row = invoke_moved(fn, row);
        return this->out_.target().push(rows, access);
      }
    }
    for_each_row<In>(rows, access, this->out_,
                     [&](auto& row) { this->out_.emplace(invoke_moved(fn, row)); });
    this->out_.flush();
  }
};

/// A map_operator for each subtask, with a copy of `fn` of its own.
template <class In, class Out, class Fn>
operator_factory_ptr make_map(Fn fn) {
  return make_factory<In, Out>([fn] { return std::make_unique<map_operator<In, Out, Fn>>(fn); });
}

}  // namespace millrace
