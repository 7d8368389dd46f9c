#include "millrace/graph/execution_state.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "millrace/graph/job_status.hpp"

namespace execution_state_test {

using namespace millrace::graph;

namespace {

/// The states that `from` leads to.
template <class State, std::size_t Count>
std::vector<State> arrows(State from) {
  std::vector<State> to;
  for (std::size_t i = 0; i < Count; ++i)
    if (can_transition(from, static_cast<State>(i))) to.push_back(static_cast<State>(i));
  return to;
}

}  // namespace

TEST_CASE("executions move only along the diagram") {
  using enum execution_state;
  using states = std::vector<execution_state>;
  auto to = arrows<execution_state, execution_state_count>;
  CHECK(to(created) == states{scheduled, canceled, failed});
  CHECK(to(scheduled) == states{deploying, canceled, failed});
  CHECK(to(deploying) == states{initializing, running, finished, canceling, failed});
  CHECK(to(initializing) == states{running, finished, canceling, failed});
  CHECK(to(running) == states{finished, canceling, failed});
  CHECK(to(canceling) == states{canceled});
  for (auto end : {finished, canceled, failed}) {
    CHECK(is_terminal(end));
    CHECK(to(end).empty());
  }
  CHECK_FALSE(can_transition(static_cast<execution_state>(99), failed));
  CHECK(to_string(initializing) == "INITIALIZING");
  CHECK(to_string(static_cast<execution_state>(99)) == "UNKNOWN");
}

TEST_CASE("jobs move only along the diagram") {
  using enum job_status;
  using statuses = std::vector<job_status>;
  auto to = arrows<job_status, job_status_count>;
  CHECK(to(created) == statuses{running, failing, cancelling, suspended});
  CHECK(to(running) == statuses{failing, cancelling, finished, restarting, suspended});
  CHECK(to(restarting) == statuses{running, failing, cancelling, suspended});
  CHECK(to(failing) == statuses{failed, cancelling, suspended});
  CHECK(to(cancelling) == statuses{canceled, suspended});
  for (auto end : {failed, canceled, finished, suspended}) {
    CHECK(is_terminal(end));
    CHECK(is_globally_terminal(end) == (end != suspended));
    CHECK(to(end).empty());
  }
  CHECK(to_string(cancelling) == "CANCELLING");
}

}  // namespace execution_state_test
