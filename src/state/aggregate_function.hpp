#pragma once

#include <type_traits>
#include <utility>

namespace millrace {

/// Folds values of type In into an accumulator of type Acc and makes a result of type Out from it
/// (Flink's AggregateFunction). Const: one object serves all keys and subtasks.
template <class In, class Acc, class Out>
class aggregate_function {
 public:
  /// What is added.
  using input_type = In;
  /// What is kept.
  using accumulator_type = Acc;
  /// What comes out.
  using output_type = Out;

  virtual ~aggregate_function() = default;

  /// What has seen nothing.
  virtual Acc create_accumulator() const { return Acc{}; }
  /// Takes one value in.
  virtual void add(Acc& into, const In& value) const = 0;
  /// The result so far; the accumulator may go on.
  virtual Out get_result(const Acc& from) const = 0;
  /// Adds what `from` has seen to `into`: for windows that merge, and for pre-aggregation.
  virtual void merge(Acc& into, const Acc& from) const = 0;
};

/// Has the four functions of an aggregate_function of T, derived from it or not.
template <class A, class T>
concept aggregates = requires(const A& aggregate, const T& row) {
  aggregate.create_accumulator();
  requires requires(std::decay_t<decltype(aggregate.create_accumulator())> & into) {
    aggregate.add(into, row);
    aggregate.get_result(std::as_const(into));
    aggregate.merge(into, std::as_const(into));
  };
};

/// What such an object keeps.
template <class A>
using accumulator_of = std::decay_t<decltype(std::declval<const A&>().create_accumulator())>;
/// What comes out of it.
template <class A>
using result_of = std::decay_t<decltype(std::declval<const A&>().get_result(
    std::declval<const accumulator_of<A>&>()))>;

}  // namespace millrace
