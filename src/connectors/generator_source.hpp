#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "millrace/connectors/indexed_source.hpp"
#include "millrace/operators/user_function.hpp"

namespace millrace {

/// How much a generator makes, over all its subtasks.
struct generator_options {
  std::optional<std::uint64_t> count = {};  ///< Records in all; without it the stream never ends.
  std::optional<double> per_second = {};    ///< Records per second in all; without it, all it can.
};

/// One split for each of `parallelism` readers: the nth has every index i with
/// i % parallelism == n.
std::vector<index_split> strides_of(std::optional<std::uint64_t> count, std::uint32_t parallelism);

/// Calls a user's function for each index.
template <class T, class Fn>
class generator_maker {
 public:
  /// Each subtask calls a copy of `fn` of its own.
  explicit generator_maker(Fn fn) : fn_(std::move(fn)) {}

  /// Opens the function.
  void open(operator_context& context) { fn_.open(context); }
  /// Appends `fn(index)`, `fn(index + stride)`, … `count` records. What the function throws fails
  /// the task.
  void fill(row_vector<T>& rows, std::uint64_t index, std::uint64_t stride, std::uint64_t count) {
    auto& fn = *fn_;
    for (std::uint64_t i = 0; i < count; ++i, index += stride)
      rows.emplace_back(std::invoke(fn, std::as_const(index)));
  }
  /// Closes the function; what that throws fails the job.
  void finish() { fn_.finish(); }
  /// Closes it if that was not done.
  void close() noexcept { fn_.close(); }

 private:
  user_function<Fn> fn_;
};

/// Records made from their index: fn(0), fn(1), fn(2), … Subtask s of p makes those with
/// index % p == s, so what is made does not depend on the parallelism.
template <class T, class Fn>
std::shared_ptr<const source_base<T>> make_generator(Fn fn, generator_options options) {
  using generator = indexed_source<T, generator_maker<T, Fn>>;
  return std::make_shared<generator>(
      generator_maker<T, Fn>(std::move(fn)),
      indices_description{
          .splits = [count = options.count](std::uint32_t p) { return strides_of(count, p); },
          .ends = options.count ? boundedness::bounded : boundedness::unbounded,
          .per_second = options.per_second});
}

}  // namespace millrace
