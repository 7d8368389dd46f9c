#include "millrace/actors/job_master.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <map>
#include <set>
#include <utility>

#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/job_description.hpp"
#include "millrace/actors/job_metrics.hpp"
#include "millrace/actors/job_slots.hpp"
#include "millrace/actors/local_messages.hpp"
#include "millrace/actors/spawn_control.hpp"
#include "millrace/actors/task_manager_peers.hpp"
#include "millrace/actors/wire.hpp"
#include "millrace/core/assert.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/mutant.hpp"
#include "millrace/graph/execution_graph.hpp"
#include "millrace/graph/slot_sharing.hpp"
#include "millrace/stream/iteration_coordinator.hpp"

namespace millrace {

namespace {

/// A task manager answers as soon as it has taken the deployment over, before it loads anything.
constexpr std::chrono::seconds deploy_timeout{30};
constexpr std::chrono::seconds free_slot_timeout{5};

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
  // From the resource manager.
  void on_slots_missing(const wire::slots_missing& missing);
  void on_task_manager_lost(const wire::task_manager_lost& lost);
  // From the dispatcher.
  wire::job_list on_list() const { return {{overview_of(*execution_, times())}}; }
  wire::job_details on_describe() const;
  void on_cancel();
  // From itself.
  void deploy();
  void on_ask_iteration(const local::ask_iteration& which);
  /// Tasks were told to end long ago.
  void on_cancellation_timeout();
  job_coordinators& coordinators() { return *coordinators_; }

 private:
  std::int64_t now_ms() const;
  job_times times() const;
  bool has_ended() const { return graph::is_terminal(execution_->status()); }
  const graph::job_vertex& vertex_of(const execution_attempt_id& task) const;

  /// All slots are there and the coordinators have started.
  void deploy_when_complete();
  void deployment_failed(const std::vector<wire::task_deployment>& tasks, const error& why);
  void carry_out(const graph::execution_decision& decision);
  void tell_coordinators_of(const execution_attempt_id& task, graph::execution_state state);
  void send_to_task(const wire::coordinator_event& event);
  void cancel_tasks(const std::vector<execution_attempt_id>& tasks);
  /// Sends a message with the `tasks` of each task manager to it.
  template <class Message>
  void tell_hosts_of(const std::vector<execution_attempt_id>& tasks, const Message& message);
  void announce_limit(const std::string& group, timestamp_ms limit);
  void carry_out(std::size_t iteration, const iteration_coordinator::decision& decision);
  /// Nobody waits for attempts that have ended, however they did.
  void forget_ended_members();
  void end();
  void quit_if_rid_of_slots();

  caf::event_based_actor* self_;
  job_master_options options_;
  std::optional<graph::execution_graph> execution_;
  std::optional<job_slots> slots_;
  std::optional<job_coordinators> coordinators_;
  std::map<resource_id, caf::actor> task_managers_;
  std::map<resource_id, std::uint64_t> lost_;  // registrations, as long as slots are taken
  job_metrics metrics_;
  alignment_coordinator alignment_;
  std::vector<iteration_coordinator> iterations_;
  accumulator_map accumulators_;
  std::string waiting_for_;
  bool deployed_ = false;
  bool needs_no_slots_ = false;  // and the resource manager knows
  bool cancellation_timer_ = false;
  std::uint64_t start_wall_ms_ = 0;
  std::int64_t start_ms_ = 0;
  std::int64_t end_ms_ = 0;
  std::size_t slots_to_free_ = 0;
};

void job_master::init(job_master_options options) {
  options_ = std::move(options);
  start_ms_ = now_ms();
  start_wall_ms_ = static_cast<std::uint64_t>(options_.resources.time->wall_ms());
  slots_.emplace(graph::assign_slots(options_.graph));
  execution_.emplace(std::move(options_.graph), options_.job, start_ms_);
  log_event(log_level::info, "job started",
            {{"job", to_string(options_.job)},
             {"name", execution_->plan().name},
             {"slots", std::to_string(slots_->needed())}});
  const auto loops = graph::find_iterations(execution_->plan());
  MILLRACE_ASSERT(loops, "the job's graph was checked");
  for (const auto& loop : *loops) iterations_.emplace_back(execution_->plan(), loop);
  carry_out(execution_->start(start_ms_));
  waiting_for_ = std::to_string(slots_->needed()) + " slots needed";
  self_->send(options_.resource_manager,
              wire::require_slots{options_.job, execution_->plan().name, slots_->needed()},
              caf::actor(self_));
  coordinators_.emplace(
      *self_, options_.job, execution_->plan(), options_.library, options_.resources,
      job_coordinators::callbacks{
          [this] { deploy_when_complete(); },
          [this](error why) { carry_out(execution_->on_fail(std::move(why), now_ms())); },
          [this](const wire::coordinator_event& event) { send_to_task(event); }});
  coordinators_->start();
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

wire::job_details job_master::on_describe() const {
  return details_of(*execution_, metrics_, times(), waiting_for_);
}

const graph::job_vertex& job_master::vertex_of(const execution_attempt_id& task) const {
  return execution_->plan().vertices[task.vertex];
}

// -- slots and deployment -------------------------------------------------------------------------

wire::slot_offer_answer job_master::on_offer(const wire::offer_slot& offer,
                                             const caf::actor& task_manager) {
  if (!task_manager || offer.job != options_.job ||
      execution_->status() != graph::job_status::running)
    return {false};
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
  if (slots_->is_complete() && !deployed_) self_->send(self_, local::deploy{});
}

void job_master::deploy() {
  if (deployed_ || !slots_->is_complete() || !coordinators_->is_ready() ||
      execution_->status() != graph::job_status::running)
    return;
  deployed_ = true;
  lost_.clear();
  waiting_for_.clear();
  log_event(
      log_level::info, "deploying job",
      {{"job", to_string(options_.job)}, {"task managers", std::to_string(task_managers_.size())}});
  for (auto& [resource, message] : slots_->deployments(*execution_)) {
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
  if (deployed_ || execution_->status() != graph::job_status::running) return;
  waiting_for_ = text_of(missing);
  if (missing.timed_out)
    return carry_out(execution_->on_fail({errc::no_slots, missing.message}, now_ms()));
  log_event(log_level::info, "job waits for slots",
            {{"job", to_string(options_.job)}, {"slots", waiting_for_}});
}

void job_master::on_task_manager_lost(const wire::task_manager_lost& lost) {
  task_managers_.erase(lost.resource);
  const error why{errc::task_manager_lost,
                  "task manager " + lost.address + " was lost (" + lost.reason + ")"};
  if (deployed_)
    carry_out(execution_->on_task_manager_lost(lost.resource, why, now_ms()));
  else {
    lost_[lost.resource] = lost.registration;
    slots_->remove(lost.resource);  // The resource manager looks for others by itself.
  }
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
    merge_into(accumulators_, change.accumulators);
  }
  carry_out(decision);
  tell_coordinators_of(task, change.state);
  if (change.state != graph::execution_state::running) return;
  for (std::size_t i = 0; i < iterations_.size(); ++i)
    carry_out(i, iterations_[i].on_running(task));
}

/// After the decision was carried out: if it ends the job, they are closed and hear nothing.
void job_master::tell_coordinators_of(const execution_attempt_id& task,
                                      graph::execution_state state) {
  switch (state) {
    case graph::execution_state::initializing:
      return coordinators_->on_task_ready(task);
    case graph::execution_state::finished:
      return coordinators_->on_task_finished(task);
    case graph::execution_state::canceled:
    case graph::execution_state::failed:
      return coordinators_->on_task_failed(task, {});
    default:
      return;
  }
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
                                     std::to_string(options_.cancellation_timeout.count()) +
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
  if (!decision.status) return;
  log_event(log_level::info, "job status",
            {{"job", to_string(options_.job)},
             {"status", std::string(graph::to_string(*decision.status))}});
  self_->send(options_.dispatcher, wire::job_status_changed{options_.job, *decision.status});
  if (*decision.status == graph::job_status::running) return;
  coordinators_->close();
  waiting_for_.clear();
  if (!std::exchange(needs_no_slots_, true))
    self_->send(options_.resource_manager,
                wire::require_slots{options_.job, execution_->plan().name, 0}, caf::actor(self_));
  if (has_ended()) {
    end();
  } else if (!std::exchange(cancellation_timer_, true)) {
    self_->delayed_send(self_, options_.cancellation_timeout, local::cancellation_overdue{});
  }
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
  wire::job_result result;
  result.job = options_.job;
  result.name = execution_->plan().name;
  result.status = execution_->status();
  result.cause = cause_of_end(*execution_);
  result.accumulators = accumulators_;
  result.duration_ms = times().duration_ms;
  log_event(result.cause && result.status == graph::job_status::failed ? log_level::error
                                                                       : log_level::info,
            "job ended",
            {{"job", to_string(options_.job)},
             {"status", std::string(graph::to_string(result.status))},
             {"cause", result.cause ? result.cause->message : "none"}});
  self_->send(options_.dispatcher, std::move(result), on_describe());

  // With requests, since they would take our going down for a loss if they heard of it first.
  for (const auto& slot : slots_->take_all()) {
    const auto tm = task_managers_.find(slot.where.resource);
    if (tm == task_managers_.end()) continue;
    ++slots_to_free_;
    const auto done = [this] {
      --slots_to_free_;
      quit_if_rid_of_slots();
    };
    self_->request(tm->second, free_slot_timeout, wire::free_slot{options_.job, slot.allocation})
        .then([done] { done(); }, [done](const caf::error&) { done(); });
  }
  quit_if_rid_of_slots();
}

void job_master::quit_if_rid_of_slots() {
  if (slots_to_free_ == 0) self_->quit();
}

caf::behavior job_master_behavior(caf::stateful_actor<job_master>* self,
                                  job_master_options options) {
  auto& state = self->state;
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
      [&state](const wire::cancel&) { state.on_cancel(); },
      [&state](local::deploy) { state.deploy(); },
      [&state](const local::io_done& done) { state.coordinators().on_io_done(done); },
      [&state](const local::wake& wake) { state.coordinators().on_wake(wake); },
      [&state](const local::ask_iteration& which) { state.on_ask_iteration(which); },
      [&state](local::cancellation_overdue) { state.on_cancellation_timeout(); },
  };
}

}  // namespace

caf::actor spawn_job_master(caf::actor_system& system, job_master_options options) {
  return spawn_control(system, job_master_behavior, std::move(options));
}

}  // namespace millrace
