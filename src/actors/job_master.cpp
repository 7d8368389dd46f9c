#include "millrace/actors/job_master.hpp"

#include <algorithm>
#include <caf/stateful_actor.hpp>
#include <utility>

#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/job_master_state.hpp"
#include "millrace/actors/spawn_control.hpp"
#include "millrace/core/assert.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/mutant.hpp"
#include "millrace/core/options.hpp"
#include "millrace/graph/job_epoch.hpp"
#include "millrace/graph/slot_sharing.hpp"

namespace millrace {

namespace {

/// Task managers go by what this job master goes by, whatever their own files say: one that took no
/// part in checkpoints, or stored them elsewhere, would lose records.
void pin_checkpoint_settings(graph::job_graph& graph, const configuration& config) {
  const auto pin = [&](const option_info& option) {
    std::erase_if(graph.configuration, [&](const auto& set) { return set.first == option.key; });
    if (auto value = config.text_of(option); !value.empty())
      graph.configuration.emplace_back(option.key, std::move(value));
  };
  pin(options::checkpointing_interval);
  pin(options::checkpoints_directory);
  pin(options::checkpoint_memory_threshold);
  pin(options::aligned_checkpoint_timeout);
  // A cluster may name the backend for its task managers only; their checkpoints are full ones
  // then.
  if (config.has(options::state_backend_type)) pin(options::state_backend_type);
}

}  // namespace

void job_master::init(job_master_options options) {
  options_ = std::move(options);
  start_wall_ms_ = options_.submitted_wall_ms;
  const auto age_ms =
      options_.resources.time->wall_ms() - static_cast<std::int64_t>(start_wall_ms_);
  start_ms_ = now_ms() - std::max<std::int64_t>(age_ms, 0);  // earlier masters included
  slots_.emplace(graph::assign_slots(options_.graph));
  const auto settings = checkpoint_settings_of(options_.config);  // the dispatcher has looked
  const bool has_snapshots = settings && options_.graph.mode == graph::runtime_mode::streaming;
  const bool is_checkpointed = has_snapshots && settings->is_enabled();
  auto strategy = make_restart_strategy(options_.config, is_checkpointed, options_.seed);
  const auto response = strategy->description() == "none" ? graph::failure_response::fail_job
                                                          : graph::failure_response::restart_region;
  restarts_.emplace(std::move(strategy));
  pin_checkpoint_settings(options_.graph, options_.config);
  execution_.emplace(std::move(options_.graph), options_.job, now_ms(), response,
                     graph::first_attempt_of(options_.from.epoch));
  io_ = std::make_unique<actor_io_executor>(*self_, options_.resources.io);
  insistent_.emplace(*self_, *io_);
  if (has_snapshots) start_checkpoints(*settings);
  make_coordinators();
  log_event(log_level::info, "job started",
            {{"job", to_string(options_.job)},
             {"name", execution_->plan().name},
             {"epoch", std::to_string(options_.from.epoch)},
             {"slots", std::to_string(slots_->needed())}});
  const auto loops = graph::find_iterations(execution_->plan());
  MILLRACE_ASSERT(loops, "the job's graph was checked");
  for (const auto& loop : *loops) iterations_.emplace_back(execution_->plan(), loop);
  carry_out(execution_->start(now_ms()));
  waiting_for_ = std::to_string(slots_->needed()) + " slots needed";
  require_slots(slots_->needed());
  start_coordinators();
}

void job_master::require_slots(std::uint32_t count) {
  self_->send(
      options_.resource_manager,
      wire::require_slots{options_.job, execution_->plan().name, count, options_.from.epoch},
      caf::actor(self_));
}

std::int64_t job_master::now_ms() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             self_->clock().now().time_since_epoch())
      .count();
}

job_times job_master::times() const {
  const auto until = has_ended() ? end_ms_ : now_ms();
  return {start_wall_ms_, static_cast<std::uint64_t>(until - start_ms_)};
}

/// Until the store has how the job ended, the next master would run it again; and who sees that it
/// has ended may stop the process.
graph::job_status job_master::shown_status() const {
  const auto status = execution_->status();
  if (!graph::is_terminal(status) || is_end_reported_) return status;
  switch (status) {
    case graph::job_status::canceled:
      return graph::job_status::cancelling;
    case graph::job_status::failed:
      return graph::job_status::failing;
    default:
      return graph::job_status::running;
  }
}

wire::job_list job_master::on_list() const {
  auto shown = overview_of(*execution_, times());
  shown.status = shown_status();
  return {{std::move(shown)}};
}

wire::job_details job_master::on_describe() const {
  auto shown = details();
  shown.overview.status = shown_status();
  return shown;
}

wire::job_details job_master::details() const {
  const auto failing = is_at_work() ? insistent_->failing() : std::nullopt;
  auto details = details_of(*execution_, metrics_, times(), failing ? *failing : waiting_for_);
  details.restarts = restarts_->restarts();
  details.last_failure = last_failure_;
  if (savepoints_ && execution_->status() == graph::job_status::finished)
    details.savepoint = savepoints_->stopped_with();
  if (checkpoints_) details.last_checkpoint = checkpoints_->last_completed();
  if (execution_->status() == graph::job_status::finished)
    details.accumulators = merged(accumulators_);
  return details;
}

bool job_master::is_live(const execution_attempt_id& task) const {
  const auto* e = execution_->find(task);
  return e != nullptr && !graph::is_terminal(e->state());
}

const graph::job_vertex& job_master::vertex_of(const execution_attempt_id& task) const {
  return execution_->plan().vertices[task.vertex];
}

void job_master::carry_out(const graph::execution_decision& decision) {
  cancel_tasks(decision.cancel);
  forget_ended_members();
  announce_status(decision);
  const bool restart_all = tell_savepoints(decision);
  if (checkpoints_ && (decision.has_failed || !is_at_work()))
    checkpoints_->on_not_running(is_at_work() ? checkpoint_failure::task_failed
                                 : execution_->status() == graph::job_status::finished
                                     ? checkpoint_failure::job_finished
                                     : checkpoint_failure::stopped);
  if (decision.has_failed) {
    const auto& root = execution_->root_cause();
    expect_restart(root ? root->cause : error{errc::internal, "a task failed for no known reason"});
  }
  for (const auto region : decision.restartable)
    if (!MILLRACE_MUTANT(failure_ignored)) restarts_->add(region);
  if (!decision.restartable.empty()) restart();
  if (decision.status && graph::is_terminal(*decision.status)) end();
  if (restart_all)
    carry_out(execution_->on_global_failure(
        {errc::stale, "a task failed while the job was being stopped"}, now_ms()));
}

/// Before checkpoints hear of it. Whether regions that have not failed must begin anew, too.
bool job_master::tell_savepoints(const graph::execution_decision& decision) {
  if (!savepoints_) return false;
  const auto now = execution_->status();
  if (now == graph::job_status::finished) savepoints_->on_all_finished();
  if (!is_at_work() && now != graph::job_status::finished)
    savepoints_->on_ended(
        {errc::cancelled, "the job ends: it is " + std::string(graph::to_string(now))});
  return decision.has_failed && savepoints_->on_failure() && is_at_work();
}

/// A region has failed: is the job to go on at all?
void job_master::expect_restart(const error& cause) {
  if (is_inspecting_) return;
  const bool is_fatal = !is_retryable(cause.code);
  const bool is_curable = is_fatal && may_be_damage(cause);
  if ((!is_fatal || is_curable) && restarts_->on_failure(now_ms())) {
    last_failure_ = cause_of_end(*execution_);
    if (is_curable) inspect_checkpoint(cause);
    return;
  }
  log_event(log_level::error, "job is not restarted",
            {{"job", to_string(options_.job)},
             {"strategy", restarts_->description()},
             {"reason", is_fatal ? "the failure would come again" : "no restart is left"}});
  carry_out(execution_->on_fail(cause, now_ms()));
}

bool job_master::has_next_attempts() const {
  for (const auto& region : execution_->regions())
    for (const auto& subtask : region)
      if (!graph::has_next_attempt(execution_->vertex(subtask).current().id().attempt))
        return false;
  return true;
}

void job_master::restart() {
  if (execution_->status() != graph::job_status::restarting) return;
  const auto due = restarts_->due_ms();
  if (!due || is_inspecting_) return;
  if (const auto now = now_ms(); *due > now) {
    self_->delayed_send(self_, std::chrono::milliseconds(*due - now), local::restart_due{});
    return;
  }
  // What is being stored may become what the job goes back to.
  if (!slots_->is_complete()) return;
  if (checkpoints_ && !checkpoints_->is_settled() && !MILLRACE_MUTANT(restart_while_storing))
    return;
  // Not within a call of theirs.
  if (are_coordinators_broken_) return self_->send(self_, local::renew_coordinators{});
  if (!coordinators_->is_ready()) return;
  if (!has_next_attempts())
    return self_->quit(to_caf({errc::stale, "the attempts of its epoch are used up"}));
  restarts_->on_preparation();
  for (const auto region : std::vector(restarts_->waiting())) tell_coordinators_of_restart(region);
  // One of them has failed: everything begins anew when others are there.
  if (!coordinators_->is_ready()) return;
  const auto regions = restarts_->take(now_ms());
  log_event(log_level::info, "restarting",
            {{"job", to_string(options_.job)}, {"regions", std::to_string(regions.size())}});
  std::optional<graph::job_status> became;
  for (const auto region : regions) {
    if (const auto decision = execution_->reset_for_restart(region, now_ms()); decision.status)
      became = decision.status;
  }
  graph::execution_decision all;
  all.status = became;
  announce_status(all);
  deploy();
}

void job_master::announce_status(const graph::execution_decision& decision) {
  if (!decision.status) return;
  log_event(log_level::info, "job status",
            {{"job", to_string(options_.job)},
             {"status", std::string(graph::to_string(*decision.status))}});
  self_->send(options_.dispatcher, wire::job_status_changed{options_.job, shown_status()});
  if (is_at_work()) return;
  coordinators_->close();
  waiting_for_.clear();
  if (!std::exchange(needs_no_slots_, true)) require_slots(0);
  if (!has_ended() && !std::exchange(cancellation_timer_, true))
    self_->delayed_send(self_, cancellation_timeout(), local::cancellation_overdue{});
}

namespace {

caf::behavior job_master_behavior(caf::stateful_actor<job_master>* self,
                                  job_master_options options) {
  auto& state = self->state;
  // Without the dispatcher it would be a zombie: the next one starts a master of its own.
  self->set_down_handler([self](const caf::down_msg& down) { self->quit(down.reason); });
  self->monitor(options.dispatcher);
  ignore_the_unexpected(*self);
  state.init(std::move(options));
  return {
      [&state](const wire::offer_slot& offer, const caf::actor& task_manager) {
        return state.on_offer(offer, task_manager);
      },
      [&state](wire::task_state_changed& change) { state.on_state_changed(change); },
      [&state](const wire::task_reports& reports) { state.on_reports(reports); },
      [&state](const wire::alignment_reached& reached) { state.on_alignment_reached(reached); },
      [&state](const wire::operator_event& event) { state.on_operator_event(event); },
      [&state](const wire::iteration_reported& reported) { state.on_iteration_reported(reported); },
      [&state](const wire::slots_missing& missing) { state.on_slots_missing(missing); },
      [&state](const wire::task_manager_lost& lost) { state.on_task_manager_lost(lost); },
      [&state](const wire::list_jobs&) { return state.on_list(); },
      [&state](const wire::describe_job&) { return state.on_describe(); },
      [&state](wire::acknowledge_checkpoint& ack) { state.on_acknowledged(ack); },
      [&state](const wire::decline_checkpoint& decline) { state.on_declined(decline); },
      [&state](const wire::last_checkpoint_awaited& awaited) { state.on_last_awaited(awaited); },
      [&state](const wire::list_checkpoints&) { return state.on_list_checkpoints(); },
      [&state](const wire::describe_checkpoint& which) {
        return state.on_describe_checkpoint(which);
      },
      [&state](const wire::take_checkpoint&) { return state.on_take_checkpoint(); },
      [&state](const wire::take_savepoint& request) { return state.on_take_savepoint(request); },
      [&state](const wire::stop_job& request) { return state.on_stop(request); },
      [&state](const wire::cancel&) { state.on_cancel(); },
      [&state](local::deploy) { state.deploy(); },
      [&state](const local::wake& wake) { state.coordinators().on_wake(wake); },
      [&state](const local::ask_iteration& which) { state.on_ask_iteration(which); },
      [&state](local::restart_due) { state.restart(); },
      [&state](const local::checkpoint_timer& timer) { state.on_checkpoint_timer(timer); },
      [&state](wire::kill_actor& request) { return state.on_kill(request); },
      [&state](local::renew_coordinators) { state.renew_coordinators(); },
      [&state](const local::try_again& again) { state.on_try_again(again); },
      [&state](const local::io_done& done) { state.on_io_done(done); },
      [&state](local::cancellation_overdue) { state.on_cancellation_timeout(); },
  };
}

}  // namespace

caf::actor spawn_job_master(caf::actor_system& system, job_master_options options) {
  return spawn_control(system, job_master_behavior, std::move(options));
}

}  // namespace millrace
