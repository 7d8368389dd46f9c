#pragma once

#include <utility>

namespace millrace {

/// Folds values of type In into an accumulator of type Acc and makes a result of type Out from it
/// (Flink's AggregateFunction). Const: one object serves all keys and subtasks.
template <class In, class Acc, class Out>
class aggregate_function {
 public:
  using input_type = In;
  using accumulator_type = Acc;
  using output_type = Out;

  virtual ~aggregate_function() = default;

  virtual Acc create_accumulator() const { return Acc{}; }
  virtual void add(Acc& into, const In& value) const = 0;
  virtual Out get_result(const Acc& from) const = 0;
  /// Adds what `from` has seen to `into`: for windows that merge, and for pre-aggregation.
  virtual void merge(Acc& into, const Acc& from) const = 0;
};

}  // namespace millrace
