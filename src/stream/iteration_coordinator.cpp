#include "millrace/stream/iteration_coordinator.hpp"

#include <algorithm>
#include <map>

#include "millrace/core/mutant.hpp"
#include "millrace/graph/channels.hpp"

namespace millrace {

namespace {

/// A loop that takes long is asked less often.
constexpr std::chrono::milliseconds pause_max{16};

}  // namespace

iteration_coordinator::iteration_coordinator(const graph::job_graph& graph,
                                             const graph::iteration& loop)
    : head_(loop.head) {
  std::map<std::uint32_t, std::size_t> first;  // index of each vertex's first subtask
  for (const auto vertex : loop.vertices) {
    first[vertex] = members_.size();
    for (std::uint32_t s = 0; s < graph.vertices[vertex].parallelism; ++s)
      members_.push_back({vertex, s, std::nullopt, std::nullopt});
  }
  for (std::size_t from = 0; from < members_.size(); ++from) {
    const auto outputs =
        graph::output_channels(graph, members_[from].vertex, members_[from].subtask);
    for (std::uint32_t c = 0; c < outputs.size(); ++c) {
      if (!std::binary_search(loop.edges.begin(), loop.edges.end(), outputs[c].edge)) continue;
      const auto to = first.at(outputs[c].target_vertex) + outputs[c].target_subtask;
      channels_.push_back({from, c, to, outputs[c].target_channel});
    }
  }
}

iteration_coordinator::member* iteration_coordinator::find(
    const execution_attempt_id& task) noexcept {
  const auto found = std::find_if(members_.begin(), members_.end(), [&](const member& m) {
    return m.vertex == task.vertex && m.subtask == task.subtask;
  });
  return found == members_.end() ? nullptr : &*found;
}

iteration_coordinator::decision iteration_coordinator::on_running(
    const execution_attempt_id& task) {
  decision next;
  auto* m = find(task);
  if (m == nullptr || m->task == task) return next;
  if (m->task) {  // the loop is one pipelined region: all of it has been restarted
    for (auto& other : members_) other.task.reset();
    stage_ = stage::starting;
    event_time_ended_ = false;
    pauses_ = 0;
  }
  m->task = task;
  if (std::all_of(members_.begin(), members_.end(), [](const member& x) { return x.task; }))
    ask(iteration_request::report, next);
  return next;
}

iteration_coordinator::decision iteration_coordinator::on_report(const execution_attempt_id& task,
                                                                 const iteration_report& report) {
  decision next;
  auto* m = find(task);
  if (m == nullptr || m->task != task || m->report || report.round != round_) return next;
  if (stage_ != stage::gathering && stage_ != stage::confirming) return next;
  m->report = report;
  if (++answers_ == members_.size()) conclude(next);
  return next;
}

iteration_coordinator::decision iteration_coordinator::on_retry() {
  decision next;
  if (stage_ == stage::pausing) ask(iteration_request::report, next);
  return next;
}

void iteration_coordinator::conclude(decision& next) {
  if (!is_empty()) {
    // Whoever has confirmed holds its timers back: it must not wait.
    if (stage_ == stage::confirming) return ask(iteration_request::report, next);
    stage_ = stage::pausing;
    next.retry_after = std::min(pause_max, std::chrono::milliseconds(1 << std::min(pauses_++, 8U)));
    return;
  }
  pauses_ = 0;
  if (stage_ == stage::gathering) return ask(iteration_request::confirm, next);
  if (!event_time_ended_) {
    event_time_ended_ = true;
    next.orders.push_back({{iteration_request::end_event_time, round_}, tasks(true)});
    return ask(iteration_request::report, next);
  }
  stage_ = stage::ended;
  next.orders.push_back({{iteration_request::end, round_}, tasks(true)});
}

void iteration_coordinator::ask(iteration_request what, decision& next) {
  stage_ = what == iteration_request::confirm ? stage::confirming : stage::gathering;
  ++round_;
  answers_ = 0;
  for (auto& m : members_) m.report.reset();
  next.orders.push_back({{what, round_}, tasks(false)});
}

bool iteration_coordinator::is_empty() const noexcept {
  const auto is_passive = [](const member& m) { return m.report->is_passive; };
  if (!std::all_of(members_.begin(), members_.end(), is_passive)) return false;
  if (MILLRACE_MUTANT(loop_counts_ignored)) return true;
  return std::all_of(channels_.begin(), channels_.end(), [&](const channel& c) {
    const auto& sent = members_[c.from].report->sent;
    const auto& received = members_[c.to].report->received;
    return c.output < sent.size() && c.input < received.size() &&
           sent[c.output] == received[c.input];
  });
}

std::vector<execution_attempt_id> iteration_coordinator::tasks(bool only_heads) const {
  std::vector<execution_attempt_id> all;
  for (const auto& m : members_)
    if (!only_heads || m.vertex == head_) all.push_back(*m.task);
  return all;
}

}  // namespace millrace
