#include "millrace/actors/task_manager.hpp"

#include <algorithm>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <chrono>
#include <utility>

#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/spawn_control.hpp"
#include "millrace/actors/task_manager_state.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/mutant.hpp"
#include "millrace/core/options.hpp"

namespace millrace {

namespace {

constexpr std::chrono::seconds peer_dial_timeout{5};
constexpr std::chrono::seconds housekeeping_interval{1};

}  // namespace

void task_manager::init(task_manager_options options) {
  options_ = std::move(options);
  io_ = std::make_unique<actor_io_executor>(*self_, options_.io);
  slots_.emplace(options_.slots);
  peer_table::options peering;
  peering.self = options_.resource;
  peering.hosts_master = options_.master != nullptr;
  peers_.emplace(peering);
  copies_.emplace(options_.copies, *io_, *options_.time);
  programs_.emplace(*self_, options_, *io_, [this] { return master_->gate(); });
  tasks_.emplace(
      *self_, options_, *programs_,
      task_roster::hooks{
          [this](wire::task_state_changed c) { tell_job_master(std::move(c)); },
          [this](const job_id& id, const allocation_id& allocation) {
            free_if_idle(allocation);
            forget_if_over(id);
            quit_if_done();
          },
          [this](const wire::peer_location& p) { peers_->want(p, options_.time->now()); },
          [this](const resource_id& p) { return peer_actor(p); }});
  master_.emplace(
      *self_, options_,
      master_link::hooks{[this] { return slot_report(); }, [this] { return copies_->kept_jobs(); },
                         [this] { return grants_seen_; }, [this] { on_registered(); },
                         [this](const std::string& reason) { on_master_lost(reason); }});
  master_->start();
  set_timer(local::timer_kind::housekeeping, housekeeping_interval);
}

std::int64_t task_manager::now_ms() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             options_.time->now().time_since_epoch())
      .count();
}

std::vector<wire::slot_status> task_manager::slot_report() const {
  std::vector<wire::slot_status> all;
  for (const auto& s : slots_->report()) all.push_back({s.index, s.allocation, s.job});
  return all;
}

// -- tasks ----------------------------------------------------------------------------------------

caf::result<wire::ack> task_manager::on_deploy_tasks(wire::deploy_tasks& request) {
  const auto refuse = [&](const error& why) {
    log_event(log_level::warn, "refused to deploy tasks",
              {{"job", to_string(request.job)}, {"reason", why.message}});
    return to_caf(why);
  };
  for (const auto& t : request.tasks)
    if (closing_.contains(t.allocation) || !slots_->active_slot(request.job, t.allocation))
      return refuse({errc::stale, "task " + to_string(t.task) +
                                      " was sent to a slot that is not the job's (any more)"});
  const auto job = request.job;
  const auto count = request.tasks.size();
  copies_->job_came(job);
  if (auto taken = tasks_->deploy(std::move(request)); !taken) return refuse(taken.error());
  log_event(log_level::info, "deploying tasks",
            {{"job", to_string(job)}, {"tasks", std::to_string(count)}});
  act_on_peers();
  if (!reporting_) {
    reporting_ = true;
    set_timer(local::timer_kind::reports, options_.config.get(options::metrics_update_interval));
  }
  return wire::ack{};
}

void task_manager::on_cancel_tasks(const wire::cancel_tasks& request) {
  for (const auto& task : request.tasks) tasks_->cancel(task);
}

void task_manager::on_state_changed(wire::task_state_changed& change) {
  tasks_->on_state_changed(std::move(change));
}

void task_manager::on_complete(const wire::checkpoint_complete& complete) {
  copies_->on_complete(complete);
  tasks_->on_checkpoint_complete(complete);
}

void task_manager::on_aborted(const wire::checkpoint_aborted& aborted) {
  copies_->on_aborted(aborted);
  tasks_->on_checkpoint_aborted(aborted);
}

void task_manager::tell_job_master(wire::task_state_changed change) {
  if (const auto master = master_of(change.task.job)) self_->send(master, std::move(change));
}

template <class Message>
void task_manager::pass_on(const job_id& job, Message& message) {
  if (const auto master = master_of(job)) self_->send(master, std::move(message));
}

void task_manager::on_open_channel(const wire::open_channel& request, const caf::actor& consumer) {
  if (!consumer) return;
  tasks_->on_open_channel(request, consumer);
}

/// What tasks answered since the last time goes to their job masters; then they are asked again.
void task_manager::send_reports() {
  for (auto& [id, reports] : tasks_->take_reports()) {
    if (const auto master = master_of(id))
      self_->send(master, wire::task_reports{options_.resource, id, std::move(reports)});
  }
  reporting_ = !tasks_->is_empty();
  if (!reporting_) return;
  tasks_->collect_reports();
  set_timer(local::timer_kind::reports, options_.config.get(options::metrics_update_interval));
}

// -- peers ----------------------------------------------------------------------------------------

caf::actor task_manager::peer_actor(const resource_id& peer) const {
  if (peer == options_.resource) return caf::actor(self_);
  const auto found = peer_actors_.find(peer);
  return found == peer_actors_.end() ? caf::actor() : found->second;
}

void task_manager::act_on_peers() {
  for (const auto& todo : peers_->act(options_.time->now())) {
    switch (todo.kind) {
      case peer_table::action_kind::dial:
        dial(todo.peer);
        break;
      case peer_table::action_kind::greet_master:
        self_->send(master_->gate(), wire::peer_hello{options_.resource, true}, caf::actor(self_));
        break;
      case peer_table::action_kind::give_up:
        tasks_->peer_lost(todo.peer.resource, todo.cause);
        break;
    }
  }
  if (const auto next = peers_->next_action()) {
    const auto delay = std::max(*next - options_.time->now(),
                                std::chrono::steady_clock::duration(std::chrono::milliseconds(1)));
    set_timer(local::timer_kind::peers, delay);
  }
}

void task_manager::dial(const wire::peer_location& peer) {
  if (options_.connector == nullptr) {
    peers_->dialed(peer.resource, error{errc::protocol, "this process has no network"},
                   options_.time->now());
    return;
  }
  options_.connector->dial(
      peer.host, peer.port, peer_dial_timeout,
      [self = self_->address(), wanted = peer.resource](result<transport::peer> outcome) {
        if (auto alive = caf::actor_cast<caf::actor>(self))
          caf::anon_send(alive, local::dialed{wanted, std::move(outcome)});
      });
}

void task_manager::on_dialed(const local::dialed& end) {
  if (!end.wanted) return master_->on_dialed(end);
  std::optional<error> failed;
  if (!end.outcome) {
    failed = end.outcome.error();
  } else if (end.outcome->id != end.wanted) {
    failed = error{errc::unreachable, "another task manager listens there now"};
  } else if (!end.outcome->actor) {
    failed = error{errc::protocol, "it has nothing to offer"};
  }
  const bool is_wanted = peers_->dialed(end.wanted, failed, options_.time->now());
  // A connection that nobody uses would be in the way of every later dial.
  if (end.outcome && (failed || !is_wanted)) options_.connector->drop(end.outcome->node);
  if (!is_wanted) return;
  if (!failed)
    self_->send(caf::actor_cast<caf::actor>(end.outcome->actor),
                wire::peer_hello{options_.resource, true}, caf::actor(self_));
  act_on_peers();
}

void task_manager::on_hello(const wire::peer_hello& hello, const caf::actor& peer) {
  if (!peer) return;
  if (hello.wants_answer && !MILLRACE_MUTANT(hello_not_answered))
    self_->send(peer, wire::peer_hello{options_.resource, false}, caf::actor(self_));
  auto& known = peer_actors_[hello.resource];
  if (known == peer) return;
  if (known) self_->demonitor(known);
  known = peer;
  self_->monitor(peer);
  peers_->greeted(hello.resource);
  log_event(log_level::info, "connected to a task manager",
            {{"resource", to_string(hello.resource)}});
  tasks_->start_what_can();
}

// -- surroundings ---------------------------------------------------------------------------------

void task_manager::on_down(const caf::down_msg& down) {
  if (tasks_->on_down(down.source, caf::to_string(down.reason))) return;
  if (master_->on_down(down.source)) return;
  for (const auto& [id, master] : job_masters_) {
    if (master.handle.address() != down.source) continue;
    const auto lost = id;
    log_event(log_level::warn, "lost a job master", {{"job", to_string(lost)}});
    give_up_job(lost);
    return forget_if_over(lost);
  }
  for (const auto& [id, actor] : peer_actors_) {
    if (actor.address() != down.source) continue;
    const auto lost = id;
    peer_actors_.erase(lost);
    auto where = peers_->lost(lost);
    const error why{errc::task_manager_lost,
                    "lost connection to task manager " +
                        (where && where->port != 0 ? address_of(*where) : to_string(lost))};
    log_event(log_level::warn, "lost a task manager", {{"reason", why.message}});
    return tasks_->peer_lost(lost, why);
  }
}

void task_manager::on_timer(const local::timer& timer) {
  if (timer.what == local::timer_kind::master) return master_->on_timer(timer.generation);
  if (timers_[timer.what] != timer.generation) return;
  switch (timer.what) {
    case local::timer_kind::peers:
      return act_on_peers();
    case local::timer_kind::reports:
      return send_reports();
    case local::timer_kind::housekeeping:
      return keep_house();
    case local::timer_kind::master:
      return;
  }
}

void task_manager::keep_house() {
  for (const auto& stuck : tasks_->housekeeping()) {
    log_event(log_level::error, "a task is stuck", {{"reason", stuck.message}});
    if (options_.on_fatal) options_.on_fatal(stuck);
  }
  for (const auto& s : slots_->expire(now_ms())) {
    tell_freed(s);
    forget_if_over(s.job);
  }
  copies_->keep_house();
  set_timer(local::timer_kind::housekeeping, housekeeping_interval);
}

void task_manager::set_timer(local::timer_kind what, std::chrono::steady_clock::duration delay) {
  self_->delayed_send(self_, delay, local::timer{what, ++timers_[what]});
}

caf::result<wire::ack> task_manager::on_kill(const wire::kill_actor& request) {
  if (!options_.config.get(options::chaos_enabled))
    return to_caf({errc::invalid_config,
                   "task manager " + options_.host + ":" + std::to_string(options_.port) +
                       " is not in tests: " + std::string(options::chaos_enabled.key) +
                       " is not set there"});
  if (request.target == wire::chaos_target::task_manager) {
    self_->quit(caf::exit_reason::kill);
  } else if (!tasks_->kill(request.task)) {
    return to_caf(
        {errc::not_found, "task " + to_string(request.task) + " does not run (any more)"});
  }
  return wire::ack{};
}

void task_manager::shut_down() {
  stopping_ = true;
  tasks_->cancel_all({errc::task_manager_lost, "its task manager is shutting down"});
  quit_if_done();
}

void task_manager::quit_if_done() {
  if (!stopping_ || !tasks_->is_empty()) return;
  master_->stop();
  self_->quit();
}

namespace {

caf::behavior task_manager_behavior(caf::stateful_actor<task_manager>* self,
                                    task_manager_options options) {
  auto& state = self->state;
  self->set_down_handler([&state](caf::down_msg& down) { state.on_down(down); });
  ignore_the_unexpected(*self);
  state.init(std::move(options));
  return {
      [&state](const wire::heartbeat_answer& answer) { state.on_heartbeat_answer(answer); },
      [&state](const wire::allocate_slot& request, const caf::actor& job_master) {
        state.on_allocate_slot(request, job_master);
      },
      [&state](wire::deploy_tasks& request) { return state.on_deploy_tasks(request); },
      [&state](const wire::cancel_tasks& request) { state.on_cancel_tasks(request); },
      [&state](const wire::align_watermarks& limit) { state.on_alignment_limit(limit); },
      [&state](const wire::command_iteration& command) { state.on_command_iteration(command); },
      [&state](wire::iteration_reported& reported) { state.pass_on(reported.task.job, reported); },
      [&state](const wire::trigger_checkpoint& trigger) { state.on_trigger(trigger); },
      [&state](const wire::savepoint_target& target) { state.on_target(target); },
      [&state](const wire::drain_sources& drain) { state.on_drain(drain); },
      [&state](const wire::checkpoint_complete& complete) { state.on_complete(complete); },
      [&state](const wire::checkpoint_aborted& aborted) { state.on_aborted(aborted); },
      [&state](wire::acknowledge_checkpoint& ack) { state.pass_on(ack.what.task.job, ack); },
      [&state](wire::decline_checkpoint& no) { state.pass_on(no.task.job, no); },
      [&state](wire::last_checkpoint_awaited& last) { state.pass_on(last.task.job, last); },
      [&state](wire::operator_event& event) { state.pass_on(event.task.job, event); },
      [&state](const wire::coordinator_event& event) { state.on_coordinator_event(event); },
      [&state](wire::alignment_reached& reached) { state.pass_on(reached.task.job, reached); },
      [&state](const wire::free_slot& request) { state.on_free_slot(request); },
      [&state](wire::task_state_changed& change) { state.on_state_changed(change); },
      [&state](local::task_reported& report) { state.on_report(report); },
      [&state](const wire::kill_actor& request) { return state.on_kill(request); },
      [&state](const wire::open_channel& request, const caf::actor& consumer) {
        state.on_open_channel(request, consumer);
      },
      [&state](const wire::peer_hello& hello, const caf::actor& peer) {
        state.on_hello(hello, peer);
      },
      [&state](const local::dialed& end) { state.on_dialed(end); },
      [&state](const local::io_done& done) { state.on_io_done(done); },
      [&state](const local::timer& timer) { state.on_timer(timer); },
      [&state](local::shut_down) { state.shut_down(); },
  };
}

}  // namespace

caf::actor spawn_task_manager(caf::actor_system& system, task_manager_options options) {
  return spawn_control(system, task_manager_behavior, std::move(options));
}

void stop_task_manager(const caf::actor& task_manager) {
  caf::anon_send(task_manager, local::shut_down{});
}

}  // namespace millrace
