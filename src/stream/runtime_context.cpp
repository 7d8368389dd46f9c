#include "millrace/stream/runtime_context.hpp"

#include <limits>

#include "millrace/core/error.hpp"

namespace millrace {

template <class V>
V& runtime_context::accumulator_of(const std::string& name, accumulator::merge how, V initial) {
  auto [entry, is_new] = accumulators_.try_emplace(name, accumulator{how, initial});
  auto* value = std::get_if<V>(&entry->second.value);
  if (value == nullptr || entry->second.how != how)
    throw failure(errc::invalid_argument, "accumulator '" + name + "' of operator '" +
                                              who_.operator_name +
                                              "' is already in use with another kind");
  return *value;
}

std::int64_t& runtime_context::sum_accumulator(const std::string& name) {
  return accumulator_of<std::int64_t>(name, accumulator::merge::sum, 0);
}

double& runtime_context::double_sum_accumulator(const std::string& name) {
  return accumulator_of<double>(name, accumulator::merge::sum, 0.0);
}

std::int64_t& runtime_context::min_accumulator(const std::string& name) {
  return accumulator_of<std::int64_t>(name, accumulator::merge::min,
                                      std::numeric_limits<std::int64_t>::max());
}

std::int64_t& runtime_context::max_accumulator(const std::string& name) {
  return accumulator_of<std::int64_t>(name, accumulator::merge::max,
                                      std::numeric_limits<std::int64_t>::min());
}

}  // namespace millrace
