#include "millrace/graph/execution.hpp"

#include "millrace/core/assert.hpp"

namespace millrace::graph {

execution::execution(execution_attempt_id id, std::int64_t now_ms) : id_(id) {
  entered_ms_[static_cast<std::size_t>(state_)] = now_ms;
}

std::optional<std::int64_t> execution::entered_ms(execution_state state) const noexcept {
  return entered_ms_[static_cast<std::size_t>(state)];
}

void execution::transition_to(execution_state state, std::int64_t now_ms) {
  MILLRACE_ASSERT(can_transition(state_, state), "illegal transition of an execution");
  state_ = state;
  entered_ms_[static_cast<std::size_t>(state)] = now_ms;
}

void execution::deploy(slot_assignment slot, std::int64_t now_ms) {
  transition_to(execution_state::deploying, now_ms);
  slot_ = std::move(slot);
}

void execution::fail_with(error why, std::int64_t now_ms) {
  transition_to(execution_state::failed, now_ms);
  failure_ = std::move(why);
}

void execution_vertex::begin_next_attempt(std::int64_t now_ms) {
  MILLRACE_ASSERT(is_terminal(current_.state()), "an attempt begins while the last one lives");
  auto next = current_.id();
  ++next.attempt;
  if (history_.size() == history_size_max) history_.erase(history_.begin());
  history_.push_back(std::move(current_));
  current_ = execution(next, now_ms);
}

}  // namespace millrace::graph
