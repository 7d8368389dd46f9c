#pragma once

#include <utility>

#include "millrace/operators/process_function.hpp"
#include "millrace/operators/timed_rows.hpp"
#include "millrace/operators/typed_factory.hpp"

namespace millrace {

/// What process functions without keys have in common, whatever they are called with (Flink's
/// ProcessOperator and CoProcessOperator). `Context` is a process_context.
template <class Out, class Fn, class Context = process_context>
class process_base : public function_operator<Fn, producing<Out>> {
 public:
  using function_operator<Fn, producing<Out>>::function_operator;

  void open(operator_context& context) override {
    side_.open(context);
    now_.open(context, side_);
    this->fn_.open(context);
  }

  void on_watermark(timestamp_ms at) override {
    now_.set_watermark(at);
    producing<Out>::on_watermark(at);
  }

 protected:
  /// `call(row, context)` for each row.
  template <class In, class Call>
  void process_rows(batch& rows, rows_access access, Call&& call) {
    process_rows<In>(rows, access, now_, std::forward<Call>(call));
  }
  template <class In, class AnyContext, class Call>
  void process_rows(batch& rows, rows_access access, AnyContext& now, Call&& call) {
    for_each_row<In>(rows, access, this->out_, now, std::forward<Call>(call));
    this->out_.flush();
    side_.flush();
  }

  side_outputs side_;
  Context now_;
};

template <class In, class Out, class Fn>
class process_operator final : public process_base<Out, Fn> {
 public:
  using process_base<Out, Fn>::process_base;

  void process(std::size_t, batch& rows, rows_access access) override {
    this->template process_rows<In>(rows, access, [&](auto&& row, process_context& now) {
      process_with(*this->fn_, std::forward<decltype(row)>(row), now, this->out_);
    });
  }
};

template <class In, class Out, class Fn>
operator_factory_ptr make_process(Fn fn) {
  return make_factory<In, Out>(
      [fn] { return std::make_unique<process_operator<In, Out, Fn>>(fn); });
}

}  // namespace millrace
