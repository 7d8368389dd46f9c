#include "millrace/graph/execution_graph.hpp"

#include <algorithm>
#include <set>

#include "millrace/core/assert.hpp"

namespace millrace::graph {

namespace {

execution_decision nothing_changed() {
  execution_decision decision;
  decision.ignored = true;
  return decision;
}

std::string failure_text(const job_vertex& vertex, const execution& e, const error& why) {
  std::string text = "operator '" + vertex.name + "' (subtask " +
                     std::to_string(e.id().subtask + 1) + "/" + std::to_string(vertex.parallelism) +
                     ", attempt " + std::to_string(e.id().attempt) + ")";
  if (e.slot()) text += " on task manager " + e.slot()->address;
  return text + ": " + why.message;
}

/// What a task manager may say about a task.
bool is_reportable(execution_state state) {
  using enum execution_state;
  return state == initializing || state == running || is_terminal(state);
}

}  // namespace

execution_graph::execution_graph(job_graph graph, job_id id, std::int64_t now_ms,
                                 failure_response response, std::uint32_t first_attempt)
    : graph_(std::move(graph)),
      id_(id),
      response_(response),
      regions_(pipelined_regions(graph_)),
      progress_(regions_.size()),
      history_{{job_status::created, now_ms}} {
  for (const auto& vertex : graph_.vertices) {
    auto& subtasks = vertices_.emplace_back();
    subtasks.reserve(vertex.parallelism);
    for (std::uint32_t i = 0; i < vertex.parallelism; ++i)
      subtasks.emplace_back(execution({id_, vertex.id, i, first_attempt}, now_ms));
    region_of_.emplace_back(vertex.parallelism);
    live_ += vertex.parallelism;
  }
  for (std::uint32_t region = 0; region < regions_.size(); ++region) {
    for (auto subtask : regions_[region]) region_of_[subtask.vertex][subtask.subtask] = region;
    progress_[region].live = static_cast<std::uint32_t>(regions_[region].size());
  }
}

// -- looking ------------------------------------------------------------------------------------

const execution_vertex& execution_graph::vertex(subtask_ref subtask) const {
  return vertices_.at(subtask.vertex).at(subtask.subtask);
}

execution_vertex& execution_graph::at(subtask_ref subtask) {
  return vertices_[subtask.vertex][subtask.subtask];
}

const execution* execution_graph::find(const execution_attempt_id& attempt) const noexcept {
  if (attempt.job != id_ || attempt.vertex >= vertices_.size() ||
      attempt.subtask >= vertices_[attempt.vertex].size())
    return nullptr;
  const auto& candidate = vertices_[attempt.vertex][attempt.subtask].current();
  return candidate.id() == attempt ? &candidate : nullptr;
}

execution* execution_graph::current(const execution_attempt_id& attempt) noexcept {
  return const_cast<execution*>(find(attempt));
}

std::uint32_t execution_graph::region_of(const execution_attempt_id& attempt) const {
  return region_of_[attempt.vertex][attempt.subtask];
}

std::array<std::uint32_t, execution_state_count> execution_graph::state_counts() const {
  std::array<std::uint32_t, execution_state_count> counts{};
  for (const auto& subtasks : vertices_)
    for (const auto& subtask : subtasks)
      ++counts[static_cast<std::size_t>(subtask.current().state())];
  return counts;
}

// -- what was observed --------------------------------------------------------------------------

execution_decision execution_graph::start(std::int64_t now_ms) {
  if (status() != job_status::created) return nothing_changed();
  execution_decision decision;
  switch_status(job_status::running, now_ms, decision);
  for (auto& subtasks : vertices_)
    for (auto& subtask : subtasks)
      subtask.current().transition_to(execution_state::scheduled, now_ms);
  return decision;
}

execution_decision execution_graph::on_deploy(const execution_attempt_id& attempt,
                                              slot_assignment slot, std::int64_t now_ms) {
  execution* e = current(attempt);
  if (!e || e->state() != execution_state::scheduled) return nothing_changed();
  e->deploy(std::move(slot), now_ms);
  return {};
}

execution_decision execution_graph::on_task_state(const execution_attempt_id& attempt,
                                                  execution_state state,
                                                  const std::optional<error>& why,
                                                  std::int64_t now_ms) {
  execution* e = current(attempt);
  if (!e || !is_reportable(state) || is_terminal(status()) || status() == job_status::created)
    return nothing_changed();

  execution_decision decision;
  if (e->state() == execution_state::canceling) {
    // Cancelling raced with its end, or made it fail: it is over, and that is what was asked for.
    if (!is_terminal(state)) return nothing_changed();
    end_execution(*e, execution_state::canceled, now_ms);
  } else if (state == execution_state::failed || state == execution_state::canceled) {
    if (!can_transition(e->state(), execution_state::failed)) return nothing_changed();
    error unasked{errc::internal, "the task was stopped, but nobody asked for it"};
    fail_execution(*e, why.value_or(unasked), now_ms);
    respond_to_failure(attempt, now_ms, decision);
  } else {
    if (!can_transition(e->state(), state)) return nothing_changed();
    if (is_terminal(state))
      end_execution(*e, state, now_ms);
    else
      e->transition_to(state, now_ms);
  }
  settle(region_of(attempt), now_ms, decision);
  return decision;
}

void execution_graph::on_metrics(const execution_attempt_id& attempt, const task_metrics& metrics) {
  if (execution* e = current(attempt)) e->update_metrics(metrics);
}

execution_decision execution_graph::on_task_manager_lost(const resource_id& task_manager,
                                                         const error& why, std::int64_t now_ms) {
  if (is_terminal(status())) return nothing_changed();
  // First everything that was there ends, so that none of it is asked to cancel.
  std::vector<execution_attempt_id> failed;
  std::set<std::uint32_t> touched;
  for (auto& subtasks : vertices_)
    for (auto& subtask : subtasks) {
      auto& e = subtask.current();
      if (!e.slot() || e.slot()->task_manager != task_manager || is_terminal(e.state())) continue;
      touched.insert(region_of(e.id()));
      if (e.state() == execution_state::canceling) {
        end_execution(e, execution_state::canceled, now_ms);
      } else {
        fail_execution(e, why, now_ms);
        failed.push_back(e.id());
      }
    }
  if (touched.empty()) return nothing_changed();
  execution_decision decision;
  for (const auto& attempt : failed) respond_to_failure(attempt, now_ms, decision);
  for (auto region : touched) settle(region, now_ms, decision);
  return decision;
}

execution_decision execution_graph::on_cancel(std::int64_t now_ms) {
  if (!can_transition(status(), job_status::cancelling)) return nothing_changed();
  execution_decision decision;
  switch_status(job_status::cancelling, now_ms, decision);
  cancel_all(now_ms, decision);
  return decision;
}

execution_decision execution_graph::on_fail(const error& why, std::int64_t now_ms) {
  if (!can_transition(status(), job_status::failing)) return nothing_changed();
  execution_decision decision;
  if (!root_cause_) root_cause_ = failure_record{why, std::nullopt, now_ms};
  switch_status(job_status::failing, now_ms, decision);
  cancel_all(now_ms, decision);
  return decision;
}

execution_decision execution_graph::on_global_failure(const error& why, std::int64_t now_ms) {
  if (response_ == failure_response::fail_job) return on_fail(why, now_ms);
  if (status() != job_status::running && status() != job_status::restarting)
    return nothing_changed();
  execution_decision decision;
  if (!root_cause_) root_cause_ = failure_record{why, std::nullopt, now_ms};
  if (status() == job_status::running) switch_status(job_status::restarting, now_ms, decision);
  for (std::uint32_t region = 0; region < regions_.size(); ++region)
    restart(region, now_ms, decision);
  for (std::uint32_t region = 0; region < regions_.size(); ++region)
    settle(region, now_ms, decision);
  return decision;
}

execution_decision execution_graph::on_suspend(std::int64_t now_ms) {
  if (!can_transition(status(), job_status::suspended)) return nothing_changed();
  execution_decision decision;
  switch_status(job_status::suspended, now_ms, decision);
  return decision;
}

execution_decision execution_graph::reset_for_restart(std::uint32_t region, std::int64_t now_ms) {
  if (status() != job_status::restarting || region >= progress_.size() ||
      !progress_[region].restarting || progress_[region].live > 0)
    return nothing_changed();
  for (auto subtask : regions_[region]) {
    at(subtask).begin_next_attempt(now_ms);
    at(subtask).current().transition_to(execution_state::scheduled, now_ms);
  }
  progress_[region] = {static_cast<std::uint32_t>(regions_[region].size()), false};
  live_ += progress_[region].live;

  execution_decision decision;
  if (std::none_of(progress_.begin(), progress_.end(), [](auto& p) { return p.restarting; })) {
    switch_status(job_status::running, now_ms, decision);
    root_cause_.reset();
  }
  return decision;
}

// -- what follows -------------------------------------------------------------------------------

void execution_graph::switch_status(job_status status, std::int64_t now_ms,
                                    execution_decision& decision) {
  MILLRACE_ASSERT(can_transition(this->status(), status), "illegal transition of a job");
  history_.push_back({status, now_ms});
  decision.status = status;
}

void execution_graph::end_execution(execution& e, execution_state state, std::int64_t now_ms) {
  e.transition_to(state, now_ms);
  --live_;
  --progress_[region_of(e.id())].live;
}

void execution_graph::fail_execution(execution& e, const error& why, std::int64_t now_ms) {
  e.fail_with(why, now_ms);
  --live_;
  --progress_[region_of(e.id())].live;
  note_failure(e, why, now_ms);
}

void execution_graph::note_failure(const execution& e, const error& why, std::int64_t now_ms) {
  if (root_cause_ || status() == job_status::cancelling) return;
  error cause{why.code, failure_text(graph_.vertices[e.id().vertex], e, why)};
  root_cause_ = failure_record{std::move(cause), e.id(), now_ms};
}

void execution_graph::cancel_execution(execution& e, std::int64_t now_ms,
                                       execution_decision& decision) {
  if (is_terminal(e.state()) || e.state() == execution_state::canceling) return;
  if (can_transition(e.state(), execution_state::canceling)) {
    e.transition_to(execution_state::canceling, now_ms);
    decision.cancel.push_back(e.id());
  } else {
    end_execution(e, execution_state::canceled, now_ms);  // No task manager knows it yet.
  }
}

void execution_graph::cancel_all(std::int64_t now_ms, execution_decision& decision) {
  for (auto& subtasks : vertices_)
    for (auto& subtask : subtasks) cancel_execution(subtask.current(), now_ms, decision);
  settle(0, now_ms, decision);
}

void execution_graph::respond_to_failure(const execution_attempt_id& attempt, std::int64_t now_ms,
                                         execution_decision& decision) {
  if (response_ == failure_response::fail_job) {
    if (!can_transition(status(), job_status::failing)) return;
    switch_status(job_status::failing, now_ms, decision);
    cancel_all(now_ms, decision);
    return;
  }
  if (status() == job_status::running)
    switch_status(job_status::restarting, now_ms, decision);
  else if (status() != job_status::restarting)
    return;
  restart(region_of(attempt), now_ms, decision);
}

void execution_graph::restart(std::uint32_t region, std::int64_t now_ms,
                              execution_decision& decision) {
  decision.has_failed |= !progress_[region].restarting;
  progress_[region].restarting = true;
  for (auto subtask : regions_[region]) cancel_execution(at(subtask).current(), now_ms, decision);
}

void execution_graph::settle(std::uint32_t region, std::int64_t now_ms,
                             execution_decision& decision) {
  if (status() == job_status::restarting) {
    if (progress_[region].restarting && progress_[region].live == 0)
      decision.restartable.push_back(region);
    return;
  }
  if (live_ > 0) return;
  switch (status()) {
    case job_status::running:
      switch_status(job_status::finished, now_ms, decision);
      break;
    case job_status::failing:
      switch_status(job_status::failed, now_ms, decision);
      break;
    case job_status::cancelling:
      switch_status(job_status::canceled, now_ms, decision);
      break;
    default:
      break;
  }
}

}  // namespace millrace::graph
