#include "millrace/state/redistribution.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "millrace/core/assert.hpp"

namespace millrace {

namespace {

using encoded_elements = std::vector<std::vector<std::byte>>;

/// What one subtask has saved of a state.
struct saved_part {
  std::size_t subtask = 0;
  const saved_operator_state* state = nullptr;
};

/// What all have of it, in the order of the subtasks.
using saved_parts = std::vector<saved_part>;

/// What each subtask begins with.
using dealt_states = std::vector<subtask_operator_state>;

void append(encoded_elements& to, const encoded_elements& more) {
  to.insert(to.end(), more.begin(), more.end());
}

/// By type and version of the encoding: elements of two can't be in one list.
std::map<std::pair<std::uint64_t, std::uint32_t>, saved_parts> by_form(const saved_parts& parts) {
  std::map<std::pair<std::uint64_t, std::uint32_t>, saved_parts> forms;
  for (const auto& part : parts)
    forms[{part.state->type, part.state->serializer_version}].push_back(part);
  return forms;
}

void deal_split(const saved_parts& parts, std::size_t former, dealt_states& to) {
  if (former == to.size()) {
    for (const auto& part : parts) to[part.subtask].push_back(*part.state);
    return;
  }
  for (const auto& [form, its] : by_form(parts)) {
    encoded_elements all;
    for (const auto& part : its) append(all, part.state->elements);
    auto shares = split_round_robin(std::move(all), static_cast<std::uint32_t>(to.size()));
    const auto& like = *its.front().state;
    for (std::size_t i = 0; i < to.size(); ++i)
      to[i].push_back(
          {like.name, like.mode, like.serializer_version, like.type, std::move(shares[i])});
  }
}

/// Behind what `to` has of the same state, whose type may differ from subtask to subtask, but whose
/// order is theirs.
void append_united(subtask_operator_state& to, const saved_operator_state& saved,
                   operator_state_mode mode) {
  const bool goes_on = !to.empty() && to.back().name == saved.name && to.back().mode == mode &&
                       to.back().type == saved.type &&
                       to.back().serializer_version == saved.serializer_version;
  if (!goes_on) to.push_back({saved.name, mode, saved.serializer_version, saved.type, {}});
  append(to.back().elements, saved.elements);
}

void deal_united(const saved_parts& parts, std::size_t former, dealt_states& to) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    for (const auto& part : parts) {
      const bool is_own = part.subtask * to.size() / former == i;
      append_united(to[i], *part.state,
                    is_own ? operator_state_mode::unite : operator_state_mode::unite_others);
    }
  }
}

void deal_broadcast(const saved_parts& parts, std::size_t former, dealt_states& to) {
  for (const auto& [form, copies] : by_form(parts)) {
    for (std::size_t i = 0; i < to.size(); ++i) {
      const auto wanted = std::ranges::find(copies, i % former, &saved_part::subtask);
      const auto& copy = wanted != copies.end() ? *wanted : copies.front();
      to[i].push_back(*copy.state);
    }
  }
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
  std::map<std::pair<std::string, operator_state_mode>, saved_parts> states;
  for (std::size_t subtask = 0; subtask < saved.size(); ++subtask)
    for (const auto& state : saved[subtask])
      states[{state.name, state.mode}].push_back({subtask, &state});
  dealt_states dealt(parallelism);
  for (const auto& [which, parts] : states) {
    const auto& [name, mode] = which;
    switch (mode) {
      case operator_state_mode::split:
        deal_split(parts, saved.size(), dealt);
        continue;
      case operator_state_mode::unite:
        deal_united(parts, saved.size(), dealt);
        continue;
      case operator_state_mode::broadcast:
        deal_broadcast(parts, saved.size(), dealt);
        continue;
      case operator_state_mode::unite_others:
        break;
    }
    return fail(errc::invalid_data, "operator state '" + name + "' of subtask " +
                                        std::to_string(parts.front().subtask) +
                                        " is of a kind that no snapshot has");
  }
  return dealt;
}

}  // namespace millrace
