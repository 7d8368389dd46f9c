#include <algorithm>
#include <utility>

#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/job_master_state.hpp"
#include "millrace/actors/task_manager_peers.hpp"
#include "millrace/core/kill_point.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/mutant.hpp"

namespace millrace {

namespace {

/// A task manager answers as soon as it has taken the deployment over, before it loads anything.
constexpr std::chrono::seconds deploy_timeout{30};

}  // namespace

wire::slot_offer_answer job_master::on_offer(const wire::offer_slot& offer,
                                             const caf::actor& task_manager) {
  if (!task_manager || offer.job != options_.job || !is_at_work()) return {false};
  // The loss of the task manager may be known here before what it has sent until then.
  if (const auto lost = lost_.find(offer.resource);
      lost != lost_.end() && offer.registration <= lost->second)
    return {false};
  if (!slots_->accept(offer)) return {false};
  task_managers_[offer.resource] = task_manager;
  // Not at once: the task manager is to hear first that the slot is ours.
  deploy_when_complete();
  return {true};
}

void job_master::deploy_when_complete() {
  if (slots_->is_complete()) self_->send(self_, local::deploy{});
}

void job_master::deploy() {
  if (execution_->status() == graph::job_status::restarting) return restart();
  if (!slots_->is_complete() || !coordinators_->is_ready()) return;
  auto messages = slots_->deployments(*execution_);
  if (execution_->status() != graph::job_status::running || messages.empty()) return;
  waiting_for_.clear();
  const auto from = restore_point();
  log_event(log_level::info, "deploying job",
            {{"job", to_string(options_.job)},
             {"task managers", std::to_string(messages.size())},
             {"checkpoint", from ? std::to_string(from->checkpoint.number) : "none"}});
  for (auto& [resource, message] : messages) {
    if (!MILLRACE_MUTANT(restore_left_out)) message.restore = from;
    std::string address;
    for (const auto& task : message.tasks) {
      const auto& slot = slots_->slot_of({task.task.vertex, task.task.subtask});
      address = address_of(slot.where);
      execution_->on_deploy(task.task, {slot.allocation, resource, address}, now_ms());
    }
    auto tasks = message.tasks;
    self_->request(task_managers_.at(resource), deploy_timeout, std::move(message))
        .then([](const wire::ack&) {},
              [this, tasks = std::move(tasks), address](const caf::error& e) {
                auto why = from_caf(e);
                if (why.code == errc::timeout)
                  why.message = "task manager " + address + " did not answer within " +
                                std::to_string(deploy_timeout.count()) + " s";
                deployment_failed(tasks, why);
              });
  }
  pass(kill_point::tasks_deployed);
}

void job_master::deployment_failed(const std::vector<wire::task_deployment>& tasks,
                                   const error& why) {
  // Those that have gone on, or whose task manager was lost meanwhile, are left alone.
  const auto is_meant = [this](const wire::task_deployment& task) {
    const auto* e = execution_->find(task.task);
    return e != nullptr && (e->state() == graph::execution_state::deploying ||
                            e->state() == graph::execution_state::canceling);
  };
  // It has them, perhaps, and does not know that they are given up.
  if (why.code == errc::timeout) {
    std::vector<execution_attempt_id> late;
    for (const auto& task : tasks)
      if (is_meant(task)) late.push_back(task.task);
    cancel_tasks(late);
  }
  for (const auto& task : tasks) {
    if (!is_meant(task)) continue;
    if (const auto& slot = execution_->find(task.task)->slot(); why.code == errc::stale && slot)
      give_up_slot(*slot);
    carry_out(execution_->on_task_state(task.task, graph::execution_state::failed,
                                        error{why.code, "it could not be deployed: " + why.message},
                                        now_ms()));
  }
}

/// A task manager that did not hear in time that its offer was accepted has given the slot back, or
/// does so now: the resource manager looks for another one.
void job_master::give_up_slot(const graph::slot_assignment& slot) {
  const auto tm = task_managers_.find(slot.task_manager);
  if (!slots_->remove(slot.slot) || tm == task_managers_.end()) return;
  self_->request(tm->second, free_slot_timeout, wire::free_slot{options_.job, slot.slot, true})
      .then([] {}, [](const caf::error&) {});
}

void job_master::on_slots_missing(const wire::slots_missing& missing) {
  if (slots_->is_complete() || !is_at_work()) return;
  waiting_for_ = text_of(missing);
  if (missing.timed_out)
    return carry_out(execution_->on_fail({errc::no_slots, missing.message}, now_ms()));
  log_event(log_level::info, "job waits for slots",
            {{"job", to_string(options_.job)}, {"slots", waiting_for_}});
}

void job_master::on_task_manager_lost(const wire::task_manager_lost& lost) {
  task_managers_.erase(lost.resource);
  lost_[lost.resource] = lost.registration;
  slots_->remove_all_of(lost.resource);  // The resource manager looks for others by itself.
  const error why{errc::task_manager_lost,
                  "task manager " + lost.address + " was lost (" + lost.reason + ")"};
  carry_out(execution_->on_task_manager_lost(lost.resource, why, now_ms()));
}

void job_master::on_state_changed(wire::task_state_changed& change) {
  const auto& task = change.task;
  auto why = std::move(change.cause);
  if (execution_->find(task) == nullptr) return;
  if (why && !change.failed_operator.empty() && change.failed_operator != vertex_of(task).name)
    why->message = "in '" + change.failed_operator + "': " + why->message;
  const auto decision = execution_->on_task_state(task, change.state, why, now_ms());
  if (decision.ignored) return;
  log_task_event(log_level::info, graph::to_string(change.state), task, vertex_of(task).name,
                 vertex_of(task).parallelism);
  if (change.state == graph::execution_state::failed && why)
    log_event(log_level::warn, "a task has failed",
              {{"task", to_string(task)}, {"reason", why->message}});
  if (graph::is_terminal(change.state)) {
    metrics_.finish(change.report);
    accumulators_[{task.vertex, task.subtask}] = std::move(change.accumulators);
  }
  if (!change.savepoint_refusal.empty())
    savepoint_refusals_[task] = std::move(change.savepoint_refusal);
  if (graph::is_terminal(change.state)) savepoint_refusals_.erase(task);
  if (checkpoints_) on_task_progress(task, change.state);
  carry_out(decision);
  tell_coordinators_of(task, change.state);
  if (change.state != graph::execution_state::running) return;
  for (std::size_t i = 0; i < iterations_.size(); ++i)
    carry_out(i, iterations_[i].on_running(task));
}

void job_master::on_task_progress(const execution_attempt_id& task, graph::execution_state state) {
  if (state == graph::execution_state::finished) {
    const bool had_announced_it = await_last_.erase(task) != 0;
    const bool aborts_one = checkpoints_->on_task_finished(task);
    if (!had_announced_it || aborts_one) take_last_if_all_wait();
  }
  const auto counts = execution_->state_counts();
  std::uint32_t others = 0;
  for (const auto count : counts) others += count;
  others -= counts[static_cast<std::size_t>(graph::execution_state::running)];
  others -= counts[static_cast<std::size_t>(graph::execution_state::finished)];
  if (others != 0 || execution_->status() != graph::job_status::running) return;
  checkpoints_->on_running();
  savepoints_->on_running();
}

void job_master::on_reports(const wire::task_reports& reports) {
  for (const auto& report : reports.reports) {
    const auto* e = execution_->find(report.task);
    if (e != nullptr && !graph::is_terminal(e->state()))
      metrics_.update(report, self_->clock().now());
  }
}

void job_master::on_alignment_reached(const wire::alignment_reached& reached) {
  const auto* e = execution_->find(reached.task);
  if (e == nullptr || graph::is_terminal(e->state())) return;
  const auto& report = reached.report;
  if (const auto limit = alignment_.on_report(reached.task, reached.operator_index, report))
    announce_limit(report.group, *limit);
}

void job_master::on_iteration_reported(const wire::iteration_reported& reported) {
  const auto* e = execution_->find(reported.task);
  if (e == nullptr || graph::is_terminal(e->state())) return;
  for (std::size_t i = 0; i < iterations_.size(); ++i)
    carry_out(i, iterations_[i].on_report(reported.task, reported.report));
}

void job_master::on_ask_iteration(const local::ask_iteration& which) {
  if (!has_ended()) carry_out(which.iteration, iterations_.at(which.iteration).on_retry());
}

void job_master::carry_out(std::size_t iteration, const iteration_coordinator::decision& decision) {
  for (const auto& order : decision.orders)
    tell_hosts_of(order.tasks, wire::command_iteration{order.command, {}});
  if (decision.retry_after)
    self_->delayed_send(self_, *decision.retry_after, local::ask_iteration{iteration});
}

void job_master::announce_limit(const std::string& group, timestamp_ms limit) {
  tell_hosts_of(alignment_.members_of(group), wire::align_watermarks{group, limit, {}});
}

void job_master::forget_ended_members() {
  const auto has_ended = [this](const execution_attempt_id& task) {
    const auto* e = execution_->find(task);
    return e == nullptr || graph::is_terminal(e->state());
  };
  for (const auto& [group, limit] : alignment_.forget(has_ended)) announce_limit(group, limit);
}

caf::result<caf::message> job_master::on_kill(wire::kill_actor& request) {
  auto& task = request.task;
  const auto& vertices = execution_->plan().vertices;
  if (task.vertex < vertices.size() && task.subtask < vertices[task.vertex].parallelism) {
    const auto& e = execution_->vertex({task.vertex, task.subtask}).current();
    const auto tm = e.slot() ? task_managers_.find(e.slot()->task_manager) : task_managers_.end();
    if (tm != task_managers_.end() && !graph::is_terminal(e.state())) {
      task = e.id();
      return self_->delegate(tm->second, std::move(request));
    }
  }
  return to_caf({errc::not_found, "job " + to_string(options_.job) + " has no subtask " +
                                      std::to_string(task.subtask) + " of vertex " +
                                      std::to_string(task.vertex) + " that runs"});
}

}  // namespace millrace
