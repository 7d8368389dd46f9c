#include "millrace/state/redistribution.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "millrace/core/assert.hpp"

namespace millrace {

namespace {

using encoded_elements = std::vector<std::vector<std::byte>>;

/// One state over all subtasks that had it.
struct whole_state {
  const saved_operator_state* first = nullptr;
  std::vector<const saved_operator_state*> by_subtask;  // null where it is missing
};

encoded_elements all_elements(const whole_state& whole) {
  encoded_elements all;
  for (const auto* part : whole.by_subtask)
    if (part != nullptr) all.insert(all.end(), part->elements.begin(), part->elements.end());
  return all;
}

/// What each of `parallelism` subtasks gets of a state.
std::vector<encoded_elements> deal(const whole_state& whole, std::uint32_t parallelism) {
  const auto& by_subtask = whole.by_subtask;
  std::vector<encoded_elements> parts(parallelism);
  switch (whole.first->mode) {
    case operator_state_mode::split:
      if (by_subtask.size() != parallelism)
        return split_round_robin(all_elements(whole), parallelism);
      for (std::uint32_t i = 0; i < parallelism; ++i)
        if (by_subtask[i] != nullptr) parts[i] = by_subtask[i]->elements;
      break;
    case operator_state_mode::unite:
      std::fill(parts.begin(), parts.end(), all_elements(whole));
      break;
    case operator_state_mode::broadcast:
      for (std::uint32_t i = 0; i < parallelism; ++i) {
        const auto* copy = by_subtask[i % by_subtask.size()];
        parts[i] = copy != nullptr ? copy->elements : whole.first->elements;
      }
      break;
  }
  return parts;
}

}  // namespace

std::vector<encoded_elements> split_round_robin(encoded_elements elements, std::uint32_t parts) {
  MILLRACE_ASSERT(parts > 0, "nobody to deal elements out to");
  std::vector<encoded_elements> dealt(parts);
  for (std::size_t i = 0; i < elements.size(); ++i)
    dealt[i % parts].push_back(std::move(elements[i]));
  return dealt;
}

result<std::vector<subtask_operator_state>> redistribute(
    const std::vector<subtask_operator_state>& saved, std::uint32_t parallelism) {
  std::map<std::string, whole_state> states;
  for (std::size_t subtask = 0; subtask < saved.size(); ++subtask) {
    for (const auto& state : saved[subtask]) {
      auto& whole = states[state.name];
      if (whole.first == nullptr) {
        whole.first = &state;
        whole.by_subtask.resize(saved.size());
      }
      const auto& first = *whole.first;
      if (state.mode != first.mode || state.type != first.type ||
          state.serializer_version != first.serializer_version)
        return fail(errc::type_mismatch, "operator state '" + state.name + "' of subtask " +
                                             std::to_string(subtask) +
                                             " is of another kind or type than that of the "
                                             "subtasks before it");
      whole.by_subtask[subtask] = &state;
    }
  }
  std::vector<subtask_operator_state> dealt(parallelism);
  for (const auto& [name, whole] : states) {
    auto parts = deal(whole, parallelism);
    for (std::uint32_t i = 0; i < parallelism; ++i)
      dealt[i].push_back({name, whole.first->mode, whole.first->serializer_version,
                          whole.first->type, std::move(parts[i])});
  }
  return dealt;
}

}  // namespace millrace
