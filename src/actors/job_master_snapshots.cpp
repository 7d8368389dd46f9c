#include <algorithm>
#include <utility>

#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/job_master_state.hpp"
#include "millrace/checkpoint/snapshot_directory.hpp"
#include "millrace/core/kill_point.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/mutant.hpp"
#include "millrace/core/options.hpp"

namespace millrace {

void job_master::make_coordinators() {
  coordinators_.emplace(*self_, *io_, options_.job, execution_->plan(), options_.library,
                        is_checkpointed(), options_.resources,
                        job_coordinators::callbacks{
                            [this] { deploy_when_complete(); },
                            [this](error why) { on_coordinator_failure(std::move(why)); },
                            [this](const wire::coordinator_event& event) { send_to_task(event); }});
}

void job_master::start_coordinators() {
  auto settings = origin_settings_of(options_.config);
  // What the job has of its own is later than what it was started from.
  const auto latest = checkpoints_ ? checkpoints_->restore_from() : std::nullopt;
  if (latest) {
    settings.path = latest->location;
    settings.allow_non_restored = true;  // asked when the job was started
  }
  if (settings.path.empty()) return coordinators_->start({});
  auto found = std::make_shared<result<snapshot_origin>>();
  insistent_->run(
      "restore job " + to_string(options_.job),
      // A copy of the graph: the job master may be gone when this runs.
      [found, settings, is_latest = latest.has_value(), files = options_.resources.files,
       graph = execution_->plan()]() -> status {
        *found = load_origin(*files, settings, graph);
        // What a user has named may never be there; but a storage that fails may work again.
        if (!*found && (is_latest || found->error().code == errc::io))
          return tl::unexpected(found->error());
        return {};
      },
      [this, found, is_latest = latest.has_value()](const status&) {
        if (!is_at_work()) return;
        auto outcome = *found ? status() : tl::unexpected(found->error());
        if (!outcome && is_latest && may_be_damage(outcome.error())) {
          outcome = checkpoints_->give_up_latest(outcome.error());
          if (outcome) return start_coordinators();
        }
        if (!outcome) return carry_out(execution_->on_fail(outcome.error(), now_ms()));
        pass(kill_point::origin_loaded);
        if (!is_latest) return start_from(**found);
        checkpoints_->set_finished(std::move((*found)->finished));
        coordinators_->start(std::move((*found)->coordinators));
      });
}

void job_master::start_from(const snapshot_origin& found) {
  log_event(log_level::info, "job starts from a snapshot",
            {{"job", to_string(options_.job)},
             {"checkpoint", std::to_string(found.checkpoint.number)},
             {"location", found.location}});
  origin_ = found;
  if (checkpoints_) checkpoints_->restore(*origin_);
  coordinators_->start(std::exchange(origin_->coordinators, {}));
}

/// As with tasks: what may pass is a reason to restart, and all that they speak for goes with them.
void job_master::on_coordinator_failure(error why) {
  if (!is_retryable(why.code)) return carry_out(execution_->on_fail(std::move(why), now_ms()));
  are_coordinators_broken_ = true;
  coordinators_->close();
  const auto decision = execution_->on_global_failure(why, now_ms());
  carry_out(decision);
  // Those that were made for a restart: each failure counts, and is followed by a pause. What had
  // led to the restart is no reason not to try again.
  if (!decision.has_failed && is_at_work()) {
    expect_restart(why);
    restart();
  }
}

void job_master::renew_coordinators() {
  if (!are_coordinators_broken_ || !is_at_work()) return;
  // Asked for before the pause of a failure that came since.
  if (const auto due = restarts_->due_ms(); due && *due > now_ms()) return restart();
  are_coordinators_broken_ = false;
  restarts_->on_preparation();
  make_coordinators();
  start_coordinators();
}

void job_master::start_checkpoints(const checkpoint_settings& settings) {
  job_checkpoints::options options{
      options_.job,
      execution_->plan(),
      settings,
      std::make_shared<file_checkpoint_storage>(options_.resources.files,
                                                settings.directory_of(options_.job),
                                                settings.memory_threshold_bytes),
      options_.resources.files,
      options_.resources.time,
      options_.store,
      options_.from};
  job_checkpoints::hooks hooks;
  hooks.plan = [this] { return plan_checkpoint(*execution_); };
  hooks.trigger = [this](const auto& tasks, const barrier& cut) {
    tell_hosts_of(tasks, wire::trigger_checkpoint{cut, {}});
  };
  hooks.target = [this](const auto& tasks, checkpoint_id id, const std::string& location) {
    tell_hosts_of(tasks, wire::savepoint_target{id, location, {}});
  };
  hooks.complete = [this](const auto& tasks, checkpoint_id id) {
    coordinators_->on_checkpoint_complete(id);
    tell_hosts_of(tasks, wire::checkpoint_complete{id, {}});
  };
  hooks.abort = [this](const auto& tasks, checkpoint_id id) {
    coordinators_->on_checkpoint_aborted(id);
    tell_hosts_of(tasks, wire::checkpoint_aborted{id, {}});
  };
  hooks.snapshot_coordinators = [this](checkpoint_id id) { return coordinators_->snapshot(id); };
  hooks.fail_job = [this](const error& why) {
    carry_out(execution_->on_global_failure(why, now_ms()));
  };
  hooks.on_idle = [this] {
    if (is_at_work() && look_again_) {
      is_inspecting_ = false;
      std::exchange(look_again_, nullptr)();
    } else if (!has_ended())
      restart();
    else if (!is_outcome_begun_)
      store_outcome();
    else if (is_outcome_stored_ && !is_end_reported_)
      report_end();
  };
  hooks.on_replaced = [this](const error& why) {
    log_event(log_level::error, "this master of the job ends",
              {{"job", to_string(options_.job)}, {"reason", why.message}});
    self_->quit(to_caf(why));
  };
  checkpoints_.emplace(*self_, *io_, *insistent_, std::move(options), std::move(hooks));
  start_savepoints();
}

void job_master::start_savepoints() {
  job_savepoints::hooks hooks;
  hooks.drain_sources = [this] { drain_sources(); };
  hooks.restart_all = [this](const error& why) {
    carry_out(execution_->on_global_failure(why, now_ms()));
  };
  hooks.on_resumed = [this] { take_last_if_all_wait(); };
  savepoints_.emplace(*self_, *checkpoints_, options_.config.get(options::savepoints_directory),
                      std::move(hooks));
  const auto& completed = options_.from.checkpoints;
  if (completed.empty() || !completed.back().stop) return;
  const auto& last = completed.back();
  log_event(log_level::info, "the job was being stopped, and is stopped anew",
            {{"job", to_string(options_.job)},
             {"savepoint", last.location},
             {"drained", last.stop->is_drained ? "yes" : "no"}});
  savepoints_->recover(last.location, *last.stop);
}

void job_master::drain_sources() {
  std::vector<execution_attempt_id> sources;
  for (const auto& vertex : execution_->plan().vertices)
    for (std::uint32_t i = 0; vertex.is_source && i < vertex.parallelism; ++i)
      if (const auto& e = execution_->vertex({vertex.id, i}).current(); is_live(e.id()))
        sources.push_back(e.id());
  tell_hosts_of(sources, wire::drain_sources{});
}

std::optional<wire::restore_point> job_master::restore_point() const {
  if (checkpoints_) return checkpoints_->restore_from();
  if (!origin_) return std::nullopt;
  return wire::restore_point{origin_->checkpoint, origin_->location};
}

bool job_master::had_finished(const graph::subtask_ref& subtask) const {
  if (checkpoints_) return checkpoints_->had_finished(subtask);
  return origin_ && std::find(origin_->finished.begin(), origin_->finished.end(), subtask) !=
                        origin_->finished.end();
}

void job_master::inspect_checkpoint(const error& failure) {
  is_inspecting_ = true;
  const auto point = *checkpoints_->restore_from();
  auto found = std::make_shared<status>();
  io_->submit([found, files = options_.resources.files,
               location = point.location] { *found = check_snapshot(*files, location); },
              [this, found, which = point.checkpoint, failure] {
                is_inspecting_ = false;
                if (is_at_work()) on_inspected(which, *found, failure);
              });
}

void job_master::on_inspected(checkpoint_id which, const status& found, const error& failure) {
  if (found) return carry_out(execution_->on_fail(failure, now_ms()));  // it is something else
  if (!is_damage(found.error().code) || checkpoints_->latest() != which) return restart();
  if (!checkpoints_->is_settled()) {
    // What is being stored may take its place.
    is_inspecting_ = true;
    look_again_ = [this, which, found, failure] { on_inspected(which, found, failure); };
    return;
  }
  if (const auto done = checkpoints_->give_up_latest(found.error()); !done) {
    execution_->explain_failure(done.error());  // the task could not say what to do
    return carry_out(execution_->on_fail(done.error(), now_ms()));
  }
  // All regions, and what speaks for operators: what they have done since does not count any more.
  are_coordinators_broken_ = true;
  coordinators_->close();
  is_inspecting_ = true;  // this failure was counted
  carry_out(execution_->on_global_failure(found.error(), now_ms()));
  is_inspecting_ = false;
  restart();
}

/// After the decision was carried out: if it ends the job, they are closed and hear nothing. What a
/// failed task leaves behind is told when it is restarted: only then is known from where.
void job_master::tell_coordinators_of(const execution_attempt_id& task,
                                      graph::execution_state state) {
  if (state == graph::execution_state::initializing) {
    // One that had emitted everything before the checkpoint hears no events, and is given no
    // splits.
    if (!had_finished({task.vertex, task.subtask})) coordinators_->on_task_ready(task);
  } else if (graph::is_terminal(state)) {
    coordinators_->on_task_gone(task);
  }
}

void job_master::tell_coordinators_of_restart(std::uint32_t region) {
  if (MILLRACE_MUTANT(lost_splits_forgotten)) return;
  const auto point = restore_point();
  const auto from = point ? point->checkpoint : checkpoint_id{};
  for (const auto& subtask : execution_->regions().at(region))
    coordinators_->on_task_failed(execution_->vertex(subtask).current().id(), from);
}

void job_master::on_operator_event(const wire::operator_event& event) {
  const auto* e = execution_->find(event.task);
  if (e != nullptr && !graph::is_terminal(e->state())) coordinators_->on_event(event);
}

void job_master::send_to_task(const wire::coordinator_event& event) {
  const auto* e = execution_->find(event.task);
  if (e == nullptr || !e->slot()) return;
  const auto tm = task_managers_.find(e->slot()->task_manager);
  if (tm != task_managers_.end()) self_->send(tm->second, event);
}

void job_master::on_acknowledged(wire::acknowledge_checkpoint& ack) {
  if (checkpoints_ && is_live(ack.what.task)) checkpoints_->on_acknowledged(ack);
}

void job_master::on_declined(const wire::decline_checkpoint& decline) {
  if (checkpoints_ && is_live(decline.task)) checkpoints_->on_declined(decline);
}

void job_master::on_last_awaited(const wire::last_checkpoint_awaited& awaited) {
  if (!checkpoints_ || !is_live(awaited.task)) return;
  await_last_.insert(awaited.task);
  take_last_if_all_wait();
}

void job_master::take_last_if_all_wait() {
  std::erase_if(await_last_, [this](const auto& task) { return !is_live(task); });
  const auto counts = execution_->state_counts();
  if (!await_last_.empty() &&
      await_last_.size() == counts[static_cast<std::size_t>(graph::execution_state::running)] &&
      !savepoints_->on_all_await_last())
    checkpoints_->on_all_await_last();
}

caf::result<wire::checkpoint_list> job_master::on_list_checkpoints() const {
  if (checkpoints_) return checkpoints_->list();
  wire::checkpoint_list none;
  none.job = options_.job;
  return none;
}

caf::result<wire::checkpoint_details> job_master::on_describe_checkpoint(
    const wire::describe_checkpoint& request) const {
  if (!checkpoints_) return to_caf(no_such_checkpoint(options_.job, request.checkpoint, {}));
  auto found = checkpoints_->describe(request.checkpoint, execution_->plan());
  if (!found) return to_caf(found.error());
  return *std::move(found);
}

error job_master::takes_no_checkpoints() const {
  return {errc::invalid_argument, "job '" + execution_->plan().name +
                                      "' takes no checkpoints: set " +
                                      std::string(options::checkpointing_interval.key)};
}

status job_master::check_savepoints() const {
  const auto subject = "job '" + execution_->plan().name + "' ";
  if (!savepoints_)
    return fail(errc::invalid_argument, subject + "runs in batch mode: it takes no savepoints");
  for (const auto& [task, why] : savepoint_refusals_)
    if (is_live(task))
      return fail(errc::invalid_argument, subject + "can take no savepoint: " + why);
  return {};
}

caf::result<wire::checkpoint_taken> job_master::on_take_savepoint(
    const wire::take_savepoint& request) {
  if (const auto can = check_savepoints(); !can) return to_caf(can.error());
  return savepoints_->take(request.directory);
}

caf::result<wire::checkpoint_taken> job_master::on_stop(const wire::stop_job& request) {
  if (const auto can = check_savepoints(); !can) return to_caf(can.error());
  auto answer = savepoints_->stop(request.directory, request.drain);
  // They may have emitted everything before they are told to.
  if (request.drain) take_last_if_all_wait();
  return answer;
}

caf::result<wire::checkpoint_taken> job_master::on_take_checkpoint() {
  if (!is_checkpointed()) return to_caf(takes_no_checkpoints());
  if (!slots_->is_complete())
    return to_caf({errc::invalid_argument, "job '" + execution_->plan().name +
                                               "' can take no checkpoint now: it waits for " +
                                               waiting_for_});
  auto promise = self_->make_response_promise();
  const caf::result<wire::checkpoint_taken> answer = promise;
  checkpoints_->take(std::move(promise));
  return answer;
}

}  // namespace millrace
