#pragma once

#include "millrace/operators/refuse_checkpoints.hpp"
#include "millrace/operators/typed_factory.hpp"

namespace millrace {

/// The side output on which an iteration with feedback of another type passes it on.
inline constexpr const char* feedback_tag = "feedback";

/// Where the loop of an iteration begins (Flink's StreamIterationHead): passes on what comes from
/// outside, input 0, and what was fed back, input 1; the latter to the side output if `IsApart`,
/// else together with the former. When the input ends, and event time, is decided by the task and
/// the iteration's coordinator.
template <class T, class F, bool IsApart>
class iteration_head final : public producing<T> {
 public:
  void open(operator_context& context) override {
    refuse_checkpoints(context, "records that go around in its iteration would be lost", "");
    if constexpr (IsApart)
      feedback_ = context.side_output(feedback_tag, record_type_of<F>());
    else
      feedback_ = &this->out_.target();
  }

  void process(std::size_t input, batch& rows, rows_access access) override {
    if (input == 0)
      this->out_.target().push(rows, access);
    else if (feedback_ != nullptr)
      feedback_->push(rows, access);
  }

 private:
  output* feedback_ = nullptr;  // null if nobody reads it
};

template <class T, class F, bool IsApart>
operator_factory_ptr make_iteration_head() {
  static_assert(IsApart || std::is_same_v<T, F>);
  return make_two_input_factory<T, F, T>(
      [] { return std::make_unique<iteration_head<T, F, IsApart>>(); });
}

}  // namespace millrace
