#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>

namespace millrace {

/// A value that every subtask adds to and that comes back, merged over all subtasks, with the job's
/// result (Flink's accumulators).
struct accumulator {
  /// How the values of two subtasks become one.
  enum class merge : std::uint8_t { sum, min, max };

  merge how = merge::sum;                    ///< The same in all subtasks.
  std::variant<std::int64_t, double> value;  ///< The sum, least or greatest value so far.

  /// The same kind and value.
  bool operator==(const accumulator&) const = default;
};

/// The value as people and other programs write it.
std::string to_string(const accumulator& total);

/// By name; ordered, so that results print the same everywhere.
using accumulator_map = std::map<std::string, accumulator>;

/// Folds `more` into `into`. Accumulators of one name must agree in kind and type, which
/// `runtime_context` sees to within a task; where two operators disagree the first one wins.
void merge_into(accumulator_map& into, const accumulator_map& more);

}  // namespace millrace
