#include "millrace/actors/job_master.hpp"

#include <algorithm>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <map>
#include <set>
#include <utility>

#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/insistent_io.hpp"
#include "millrace/actors/io_executor_actor.hpp"
#include "millrace/actors/job_checkpoints.hpp"
#include "millrace/actors/job_description.hpp"
#include "millrace/actors/job_metrics.hpp"
#include "millrace/actors/job_outcome.hpp"
#include "millrace/actors/job_savepoints.hpp"
#include "millrace/actors/job_slots.hpp"
#include "millrace/actors/local_messages.hpp"
#include "millrace/actors/spawn_control.hpp"
#include "millrace/actors/task_manager_peers.hpp"
#include "millrace/actors/wire.hpp"
#include "millrace/checkpoint/restart_schedule.hpp"
#include "millrace/checkpoint/snapshot_directory.hpp"
#include "millrace/checkpoint/snapshot_origin.hpp"
#include "millrace/core/assert.hpp"
#include "millrace/core/kill_point.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/mutant.hpp"
#include "millrace/core/options.hpp"
#include "millrace/graph/execution_graph.hpp"
#include "millrace/graph/job_epoch.hpp"
#include "millrace/graph/slot_sharing.hpp"
#include "millrace/stream/iteration_coordinator.hpp"

namespace millrace {

namespace {

/// A task manager answers as soon as it has taken the deployment over, before it loads anything.
constexpr std::chrono::seconds deploy_timeout{30};
constexpr std::chrono::seconds free_slot_timeout{5};

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
}

class job_master {
 public:
  static inline const char* name = "millrace.job_master";

  explicit job_master(caf::event_based_actor* self) : self_(self) {}
  void init(job_master_options options);

  // From task managers.
  wire::slot_offer_answer on_offer(const wire::offer_slot& offer, const caf::actor& task_manager);
  void on_state_changed(wire::task_state_changed& change);
  void on_reports(const wire::task_reports& reports);
  void on_alignment_reached(const wire::alignment_reached& reached);
  void on_operator_event(const wire::operator_event& event);
  void on_iteration_reported(const wire::iteration_reported& reported);
  void on_acknowledged(wire::acknowledge_checkpoint& ack);
  void on_declined(const wire::decline_checkpoint& decline);
  void on_last_awaited(const wire::last_checkpoint_awaited& awaited);
  // From the resource manager.
  void on_slots_missing(const wire::slots_missing& missing);
  void on_task_manager_lost(const wire::task_manager_lost& lost);
  // From the dispatcher.
  wire::job_list on_list() const { return {{overview_of(*execution_, times())}}; }
  wire::job_details on_describe() const;
  caf::result<wire::checkpoint_list> on_list_checkpoints() const;
  caf::result<wire::checkpoint_taken> on_take_checkpoint();
  caf::result<wire::checkpoint_taken> on_take_savepoint(const wire::take_savepoint& request);
  caf::result<wire::checkpoint_taken> on_stop(const wire::stop_job& request);
  void on_cancel();
  caf::result<caf::message> on_kill(wire::kill_actor& request);
  // From itself.
  /// All tasks that are scheduled, if their slots are there.
  void deploy();
  void on_ask_iteration(const local::ask_iteration& which);
  /// The regions whose time has come, if all is there that they need.
  void restart();
  void on_checkpoint_timer(const local::checkpoint_timer& timer) { checkpoints_->on_timer(timer); }
  void on_io_done(const local::io_done& done) { io_->complete(done); }
  void on_try_again(const local::try_again& again) { insistent_->on_try_again(again); }
  /// After they have failed: from the checkpoint that the job goes back to.
  void renew_coordinators();
  /// Tasks were told to end long ago.
  void on_cancellation_timeout();
  job_coordinators& coordinators() { return *coordinators_; }

 private:
  std::int64_t now_ms() const;
  job_times times() const;
  bool has_ended() const { return graph::is_terminal(execution_->status()); }
  bool is_at_work() const {
    return execution_->status() == graph::job_status::running ||
           execution_->status() == graph::job_status::restarting;
  }
  /// Whether the attempt is the current one, and has not ended.
  bool is_live(const execution_attempt_id& task) const;
  const graph::job_vertex& vertex_of(const execution_attempt_id& task) const;

  void start_checkpoints(const checkpoint_settings& settings);
  void start_savepoints();
  void make_coordinators();
  /// Reads what this master needs of the snapshot that the job goes on from, if there is one, and
  /// starts coordinators of it.
  void start_coordinators();
  void start_from(const snapshot_origin& found);
  void on_coordinator_failure(error why);
  void require_slots(std::uint32_t count);
  void drain_sources();
  /// Where tasks that are deployed now begin; nothing: afresh.
  std::optional<wire::restore_point> restore_point() const;
  bool had_finished(const graph::subtask_ref& subtask) const;
  error takes_no_checkpoints() const;
  void expect_restart();
  /// Whether a failure may come from a damaged checkpoint that there may be a way around.
  bool may_be_damage(const error& why) const {
    return is_damage(why.code) && checkpoints_ && checkpoints_->has_earlier();
  }
  /// Tasks cannot begin: reads the checkpoint that they were to begin from, and if it is damaged
  /// goes back to the one before. Until then nothing is restarted.
  void inspect_checkpoint(const error& failure);
  void on_inspected(checkpoint_id which, const status& found, const error& failure);
  /// Whether this master may number another attempt of every subtask.
  bool has_next_attempts() const;
  void take_last_if_all_wait();
  void on_task_progress(const execution_attempt_id& task, graph::execution_state state);
  /// Their next attempts begin where the last checkpoint was.
  void tell_coordinators_of_restart(std::uint32_t region);
  void tell_coordinators_of(const execution_attempt_id& task, graph::execution_state state);
  void send_to_task(const wire::coordinator_event& event);
  void deploy_when_complete();
  void deployment_failed(const std::vector<wire::task_deployment>& tasks, const error& why);
  void carry_out(const graph::execution_decision& decision);
  bool tell_savepoints(const graph::execution_decision& decision);
  void announce_status(const graph::execution_decision& decision);
  std::chrono::milliseconds cancellation_timeout() const;
  void cancel_tasks(const std::vector<execution_attempt_id>& tasks);
  /// Sends a message with the `tasks` of each task manager to it.
  template <class Message>
  void tell_hosts_of(const std::vector<execution_attempt_id>& tasks, const Message& message);
  void announce_limit(const std::string& group, timestamp_ms limit);
  void carry_out(std::size_t iteration, const iteration_coordinator::decision& decision);
  /// Nobody waits for attempts that have ended, however they did.
  void forget_ended_members();
  void end();
  void store_outcome();
  void report_end();
  void quit_if_done();

  caf::event_based_actor* self_;
  job_master_options options_;
  std::optional<graph::execution_graph> execution_;
  std::optional<job_slots> slots_;
  std::map<resource_id, caf::actor> task_managers_;
  std::map<resource_id, std::uint64_t> lost_;  // registrations
  job_metrics metrics_;
  alignment_coordinator alignment_;
  std::vector<iteration_coordinator> iterations_;
  std::map<graph::subtask_ref, accumulator_map> accumulators_;  // of the latest attempts
  std::unique_ptr<actor_io_executor> io_;  // of the coordinators and the checkpoints
  std::optional<insistent_io> insistent_;
  std::optional<job_coordinators> coordinators_;
  std::optional<job_checkpoints> checkpoints_;  // nothing if the job takes none
  std::optional<job_savepoints> savepoints_;    // the same
  std::optional<snapshot_origin> origin_;       // nothing if the job starts afresh
  std::optional<restart_schedule> restarts_;
  std::set<execution_attempt_id> await_last_;  // have emitted everything
  std::string waiting_for_;
  bool needs_no_slots_ = false;  // and the resource manager knows
  bool cancellation_timer_ = false;
  std::uint64_t start_wall_ms_ = 0;
  std::int64_t start_ms_ = 0;
  std::int64_t end_ms_ = 0;
  std::size_t slots_to_free_ = 0;
  bool are_coordinators_broken_ = false;
  bool is_inspecting_ = false;
  bool is_outcome_stored_ = false;
  bool is_end_reported_ = false;
};

void job_master::init(job_master_options options) {
  options_ = std::move(options);
  start_wall_ms_ = options_.submitted_wall_ms;
  const auto age_ms =
      options_.resources.time->wall_ms() - static_cast<std::int64_t>(start_wall_ms_);
  start_ms_ = now_ms() - std::max<std::int64_t>(age_ms, 0);  // earlier masters included
  slots_.emplace(graph::assign_slots(options_.graph));
  const auto settings = checkpoint_settings_of(options_.config);  // the dispatcher has looked
  const bool is_checkpointed =
      settings && settings->is_enabled() && options_.graph.mode == graph::runtime_mode::streaming;
  auto strategy = make_restart_strategy(options_.config, is_checkpointed, options_.seed);
  const auto response = strategy->description() == "none" ? graph::failure_response::fail_job
                                                          : graph::failure_response::restart_region;
  restarts_.emplace(std::move(strategy));
  pin_checkpoint_settings(options_.graph, options_.config);
  execution_.emplace(std::move(options_.graph), options_.job, now_ms(), response,
                     graph::first_attempt_of(options_.from.epoch));
  io_ = std::make_unique<actor_io_executor>(*self_, options_.resources.io);
  insistent_.emplace(*self_, *io_);
  if (is_checkpointed) start_checkpoints(*settings);
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

// -- operator coordinators ------------------------------------------------------------------------

void job_master::make_coordinators() {
  coordinators_.emplace(*self_, *io_, options_.job, execution_->plan(), options_.library,
                        checkpoints_.has_value(), options_.resources,
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
        // What a user has named may never be there.
        if (!*found && is_latest) return tl::unexpected(found->error());
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
  // Those that were made for a restart: each failure counts, and is followed by a pause.
  if (!decision.has_failed && is_at_work()) {
    expect_restart();
    restart();
  }
}

void job_master::renew_coordinators() {
  if (!std::exchange(are_coordinators_broken_, false) || !is_at_work()) return;
  make_coordinators();
  start_coordinators();
}

std::int64_t job_master::now_ms() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             self_->clock().now().time_since_epoch())
      .count();
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
    if (!has_ended())
      restart();
    else if (is_outcome_stored_ && !is_end_reported_)
      report_end();
  };
  checkpoints_.emplace(*self_, *io_, std::move(options), std::move(hooks));
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

job_times job_master::times() const {
  const auto until = has_ended() ? end_ms_ : now_ms();
  return {start_wall_ms_, static_cast<std::uint64_t>(until - start_ms_)};
}

wire::job_details job_master::on_describe() const {
  auto details = details_of(*execution_, metrics_, times(), waiting_for_);
  details.restarts = restarts_->restarts();
  if (checkpoints_) details.last_checkpoint = checkpoints_->last_completed();
  return details;
}

bool job_master::is_live(const execution_attempt_id& task) const {
  const auto* e = execution_->find(task);
  return e != nullptr && !graph::is_terminal(e->state());
}

const graph::job_vertex& job_master::vertex_of(const execution_attempt_id& task) const {
  return execution_->plan().vertices[task.vertex];
}

// -- slots and deployment -------------------------------------------------------------------------

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
  if (!slots_->is_complete() || !coordinators_->is_ready()) return;
  if (execution_->status() == graph::job_status::restarting) return restart();
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
  for (const auto& task : tasks) {
    const auto* e = execution_->find(task.task);
    if (e == nullptr) continue;
    if (e->state() == graph::execution_state::deploying ||
        e->state() == graph::execution_state::canceling)
      carry_out(execution_->on_task_state(
          task.task, graph::execution_state::failed,
          error{why.code, "it could not be deployed: " + why.message}, now_ms()));
  }
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
  slots_->remove(lost.resource);  // The resource manager looks for others by itself.
  const error why{errc::task_manager_lost,
                  "task manager " + lost.address + " was lost (" + lost.reason + ")"};
  carry_out(execution_->on_task_manager_lost(lost.resource, why, now_ms()));
}

// -- tasks ----------------------------------------------------------------------------------------

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
  if (graph::is_terminal(change.state)) {
    metrics_.finish(change.report);
    accumulators_[{task.vertex, task.subtask}] = std::move(change.accumulators);
  }
  if (checkpoints_) on_task_progress(task, change.state);
  carry_out(decision);
  tell_coordinators_of(task, change.state);
  if (change.state != graph::execution_state::running) return;
  for (std::size_t i = 0; i < iterations_.size(); ++i)
    carry_out(i, iterations_[i].on_running(task));
}

/// After the decision was carried out: if it ends the job, they are closed and hear nothing. What a
/// failed task leaves behind is told when it is restarted: only then is known from where.
void job_master::tell_coordinators_of(const execution_attempt_id& task,
                                      graph::execution_state state) {
  if (state == graph::execution_state::initializing) {
    // One that had ended before the checkpoint hears no events, and is given no splits.
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
  if (others == 0 && execution_->status() == graph::job_status::running) checkpoints_->on_running();
}

void job_master::on_acknowledged(wire::acknowledge_checkpoint& ack) {
  if (checkpoints_ && (is_live(ack.what.task) || MILLRACE_MUTANT(stale_acknowledgement_counts)))
    checkpoints_->on_acknowledged(ack);
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

error job_master::takes_no_checkpoints() const {
  return {errc::invalid_argument, "job '" + execution_->plan().name +
                                      "' takes no checkpoints: set " +
                                      std::string(options::checkpointing_interval.key)};
}

caf::result<wire::checkpoint_taken> job_master::on_take_savepoint(
    const wire::take_savepoint& request) {
  return savepoints_ ? savepoints_->take(request.directory) : to_caf(takes_no_checkpoints());
}

caf::result<wire::checkpoint_taken> job_master::on_stop(const wire::stop_job& request) {
  if (!savepoints_) return to_caf(takes_no_checkpoints());
  auto answer = savepoints_->stop(request.directory, request.drain);
  // They may have emitted everything before they are told to.
  if (request.drain) take_last_if_all_wait();
  return answer;
}

caf::result<wire::checkpoint_taken> job_master::on_take_checkpoint() {
  if (!checkpoints_) return to_caf(takes_no_checkpoints());
  auto promise = self_->make_response_promise();
  const caf::result<wire::checkpoint_taken> answer = promise;
  checkpoints_->take(std::move(promise));
  return answer;
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

void job_master::on_cancel() {
  log_event(log_level::info, "cancelling job", {{"job", to_string(options_.job)}});
  if (MILLRACE_MUTANT(cancel_ignored)) return;
  carry_out(execution_->on_cancel(now_ms()));
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

void job_master::on_cancellation_timeout() {
  if (has_ended()) return;
  // Without an answer for so long they are as good as gone; a task manager with a task that does
  // not end stops itself.
  std::set<resource_id> silent;
  for (const auto& vertex : execution_->plan().vertices)
    for (std::uint32_t i = 0; i < vertex.parallelism; ++i) {
      const auto& e = execution_->vertex({vertex.id, i}).current();
      if (e.slot() && !graph::is_terminal(e.state())) silent.insert(e.slot()->task_manager);
    }
  const error why{errc::timeout, "its tasks did not end within " +
                                     std::to_string(cancellation_timeout().count()) +
                                     " ms after they were cancelled"};
  log_event(log_level::warn, "gave up waiting for tasks to end",
            {{"job", to_string(options_.job)}, {"reason", why.message}});
  for (const auto& resource : silent)
    carry_out(execution_->on_task_manager_lost(resource, why, now_ms()));
}

// -- carrying out ---------------------------------------------------------------------------------

void job_master::carry_out(const graph::execution_decision& decision) {
  cancel_tasks(decision.cancel);
  forget_ended_members();
  announce_status(decision);
  const bool restart_all = tell_savepoints(decision);
  if (checkpoints_ && (decision.has_failed || !is_at_work()))
    checkpoints_->on_not_running(is_at_work() ? checkpoint_failure::task_failed
                                              : checkpoint_failure::stopped);
  if (decision.has_failed && !MILLRACE_MUTANT(failure_ignored)) expect_restart();
  for (const auto region : decision.restartable) restarts_->add(region);
  if (!decision.restartable.empty()) restart();
  if (decision.status && graph::is_terminal(*decision.status)) end();
  if (restart_all)
    carry_out(execution_->on_global_failure(
        {errc::stale, "a task failed while the job was being stopped"}, now_ms()));
}

/// Before checkpoints hear of it. Whether regions that have not failed must begin anew, too.
bool job_master::tell_savepoints(const graph::execution_decision& decision) {
  if (!savepoints_) return false;
  const auto status = execution_->status();
  if (!is_at_work() && status != graph::job_status::finished)
    savepoints_->on_ended(
        {errc::cancelled, "the job ends: it is " + std::string(graph::to_string(status))});
  return decision.has_failed && savepoints_->on_failure() && is_at_work();
}

/// A region has failed: is the job to go on at all?
void job_master::expect_restart() {
  if (is_inspecting_) return;
  const auto& cause = execution_->root_cause();
  const bool is_fatal = cause && !is_retryable(cause->cause.code);
  const bool is_curable = is_fatal && may_be_damage(cause->cause);
  if ((!is_fatal || is_curable) && restarts_->on_failure(now_ms())) {
    if (is_curable) inspect_checkpoint(cause->cause);
    return;
  }
  log_event(log_level::error, "job is not restarted",
            {{"job", to_string(options_.job)},
             {"strategy", restarts_->description()},
             {"reason", is_fatal ? "the failure would come again" : "no restart is left"}});
  carry_out(execution_->on_fail(
      cause ? cause->cause : error{errc::internal, "a task failed for no known reason"}, now_ms()));
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
  if (const auto done = checkpoints_->give_up_latest(found.error()); !done)
    return carry_out(execution_->on_fail(done.error(), now_ms()));
  // All regions, and what speaks for operators: what they have done since does not count any more.
  are_coordinators_broken_ = true;
  coordinators_->close();
  is_inspecting_ = true;  // this failure was counted
  carry_out(execution_->on_global_failure(found.error(), now_ms()));
  is_inspecting_ = false;
  restart();
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
  const auto regions = restarts_->take(now_ms());
  log_event(log_level::info, "restarting",
            {{"job", to_string(options_.job)}, {"regions", std::to_string(regions.size())}});
  std::optional<graph::job_status> status;
  for (const auto region : regions) {
    tell_coordinators_of_restart(region);
    if (const auto decision = execution_->reset_for_restart(region, now_ms()); decision.status)
      status = decision.status;
  }
  graph::execution_decision all;
  all.status = status;
  announce_status(all);
  deploy();
}

void job_master::announce_status(const graph::execution_decision& decision) {
  if (!decision.status) return;
  log_event(log_level::info, "job status",
            {{"job", to_string(options_.job)},
             {"status", std::string(graph::to_string(*decision.status))}});
  self_->send(options_.dispatcher, wire::job_status_changed{options_.job, *decision.status});
  if (is_at_work()) return;
  coordinators_->close();
  waiting_for_.clear();
  if (!std::exchange(needs_no_slots_, true)) require_slots(0);
  if (!has_ended() && !std::exchange(cancellation_timer_, true))
    self_->delayed_send(self_, cancellation_timeout(), local::cancellation_overdue{});
}

std::chrono::milliseconds job_master::cancellation_timeout() const {
  return options_.config.get(options::task_cancellation_timeout);
}

void job_master::cancel_tasks(const std::vector<execution_attempt_id>& tasks) {
  tell_hosts_of(tasks, wire::cancel_tasks{});
}

template <class Message>
void job_master::tell_hosts_of(const std::vector<execution_attempt_id>& tasks,
                               const Message& message) {
  std::map<resource_id, Message> messages;
  for (const auto& task : tasks) {
    const auto* e = execution_->find(task);
    if (e != nullptr && e->slot())
      messages.try_emplace(e->slot()->task_manager, message).first->second.tasks.push_back(task);
  }
  for (auto& [resource, one] : messages) {
    const auto tm = task_managers_.find(resource);
    if (tm != task_managers_.end()) self_->send(tm->second, std::move(one));
  }
}

void job_master::end() {
  end_ms_ = now_ms();
  // With requests, since they would take our going down for a loss if they heard of it first.
  for (const auto& slot : slots_->take_all()) {
    const auto tm = task_managers_.find(slot.where.resource);
    if (tm == task_managers_.end()) continue;
    ++slots_to_free_;
    const auto done = [this] {
      --slots_to_free_;
      quit_if_done();
    };
    self_->request(tm->second, free_slot_timeout, wire::free_slot{options_.job, slot.allocation})
        .then([done] { done(); }, [done](const caf::error&) { done(); });
  }
  store_outcome();
}

/// Before anything is removed that the job could be run again from.
void job_master::store_outcome() {
  insistent_->run(
      "store the result of job " + to_string(options_.job),
      [store = options_.store, job = options_.job, epoch = options_.from.epoch,
       outcome = encode_outcome({result_of(*execution_, times(), accumulators_), on_describe()})] {
        return store->put_result(job, epoch, outcome);
      },
      [this](const status& how) {
        // Another master has taken the job over: how it ends is not ours to say.
        if (!how && how.error().code == errc::stale) return self_->quit();
        is_outcome_stored_ = true;
        // Who hears that the job has ended may stop the process: nothing is left to be removed
        // then.
        if (checkpoints_)
          checkpoints_->end(execution_->status());
        else
          report_end();
      });
}

void job_master::report_end() {
  is_end_reported_ = true;
  auto result = result_of(*execution_, times(), accumulators_);
  log_event(result.cause && result.status == graph::job_status::failed ? log_level::error
                                                                       : log_level::info,
            "job ended",
            {{"job", to_string(options_.job)},
             {"status", std::string(graph::to_string(result.status))},
             {"cause", result.cause ? result.cause->message : "none"}});
  self_->send(options_.dispatcher, std::move(result), on_describe());
  // Whoever hears that it has stopped finds it finished.
  if (savepoints_ && execution_->status() == graph::job_status::finished)
    savepoints_->on_finished();
  quit_if_done();
}

void job_master::quit_if_done() {
  if (slots_to_free_ == 0 && is_end_reported_) self_->quit();
}

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
