#include "millrace/graph/execution_state.hpp"

#include <array>

namespace millrace::graph {

std::string_view to_string(execution_state state) noexcept {
  static constexpr std::array<std::string_view, execution_state_count> names = {
      "CREATED",  "SCHEDULED", "DEPLOYING", "INITIALIZING", "RUNNING",
      "FINISHED", "CANCELING", "CANCELED",  "FAILED"};
  auto index = static_cast<std::size_t>(state);
  return index < names.size() ? names[index] : "UNKNOWN";
}

bool is_terminal(execution_state state) noexcept {
  return state == execution_state::finished || state == execution_state::canceled ||
         state == execution_state::failed;
}

bool can_transition(execution_state from, execution_state to) noexcept {
  using enum execution_state;
  switch (from) {
    case created:
      return to == scheduled || to == canceled || to == failed;
    case scheduled:
      return to == deploying || to == canceled || to == failed;
    case deploying:
      return to == initializing || to == running || to == finished || to == canceling ||
             to == failed;
    case initializing:
      return to == running || to == finished || to == canceling || to == failed;
    case running:
      return to == finished || to == canceling || to == failed;
    case canceling:
      return to == canceled;
    case finished:
    case canceled:
    case failed:
      return false;
  }
  return false;
}

}  // namespace millrace::graph
