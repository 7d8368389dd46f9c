#include "millrace/actors/task_manager.hpp"

#include <algorithm>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/io_executor_actor.hpp"
#include "millrace/actors/local_messages.hpp"
#include "millrace/actors/spawn_control.hpp"
#include "millrace/actors/task_manager_copies.hpp"
#include "millrace/actors/task_manager_master.hpp"
#include "millrace/actors/task_manager_peers.hpp"
#include "millrace/actors/task_manager_programs.hpp"
#include "millrace/actors/task_manager_tasks.hpp"
#include "millrace/actors/wire.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/mutant.hpp"
#include "millrace/core/options.hpp"
#include "millrace/graph/slot_table.hpp"

namespace millrace {

namespace {

constexpr std::chrono::seconds offer_timeout{10};
constexpr std::chrono::seconds peer_dial_timeout{5};
constexpr std::chrono::seconds housekeeping_interval{1};

/// The state of a task manager: its slots and who has them, and the glue between its parts (the
/// link to the master, programs, tasks, peers).
class worker {
 public:
  static inline const char* name = "millrace.task_manager";

  explicit worker(caf::event_based_actor* self) : self_(self) {}
  void init(task_manager_options options);

  // From the resource manager.
  void on_allocate_slot(const wire::allocate_slot& request, const caf::actor& job_master);
  void on_heartbeat_answer(const wire::heartbeat_answer& a) { master_->on_heartbeat_answer(a); }
  // From job masters.
  caf::result<wire::ack> on_deploy_tasks(wire::deploy_tasks& request);
  void on_cancel_tasks(const wire::cancel_tasks& request);
  void on_alignment_limit(const wire::align_watermarks& l) { tasks_->on_alignment_limit(l); }
  void on_free_slot(const wire::free_slot& request);
  // From tasks, here and elsewhere.
  void on_state_changed(wire::task_state_changed& change);
  void on_report(local::task_reported& report) { tasks_->on_report(std::move(report.report)); }
  void on_command_iteration(const wire::command_iteration& c) { tasks_->on_command_iteration(c); }
  void on_trigger(const wire::trigger_checkpoint& t) { tasks_->on_trigger_checkpoint(t); }
  void on_target(const wire::savepoint_target& t) { tasks_->on_savepoint_target(t); }
  void on_drain(const wire::drain_sources& d) { tasks_->on_drain_sources(d); }
  void on_complete(const wire::checkpoint_complete& complete);
  void on_aborted(const wire::checkpoint_aborted& aborted);
  /// What a task has to say to the master of its job.
  template <class Message>
  void pass_on(const job_id& job, Message& message);
  void on_coordinator_event(const wire::coordinator_event& e) { tasks_->on_coordinator_event(e); }
  void on_open_channel(const wire::open_channel& request, const caf::actor& consumer);
  // From other task managers.
  void on_hello(const wire::peer_hello& hello, const caf::actor& peer);
  // From the surroundings.
  void on_dialed(const local::dialed& end);
  void on_io_done(const local::io_done& done) { io_->complete(done); }
  void on_timer(const local::timer& timer);
  void on_down(const caf::down_msg& down);
  caf::result<wire::ack> on_kill(const wire::kill_actor& request);
  void shut_down();

 private:
  std::int64_t now_ms() const;
  std::vector<wire::slot_status> slot_report() const;
  void on_registered();
  void on_master_lost(const std::string& reason);
  void offer(const wire::allocate_slot& request, const caf::actor& job_master);
  void on_offer_answered(const wire::allocate_slot& request, bool accepted);
  /// Frees the slot once its tasks are gone. `why`: unless the job's master wanted it.
  void close_allocation(const allocation_id& allocation, const std::optional<error>& why = {});
  void free_if_idle(const allocation_id& allocation);
  void tell_freed(const graph::slot_info& slot);
  void forget_if_over(const job_id& id);
  /// False for a master of an earlier epoch than the one that is known; what was there for one of
  /// an earlier epoch goes.
  bool make_way_for(const wire::allocate_slot& request);
  void give_up_job(const job_id& id);
  caf::actor master_of(const job_id& id) const;
  void tell_job_master(wire::task_state_changed change);
  void act_on_peers();
  void dial(const wire::peer_location& peer);
  caf::actor peer_actor(const resource_id& peer) const;
  void send_reports();
  void keep_house();
  void set_timer(local::timer_kind what, std::chrono::steady_clock::duration delay);
  void quit_if_done();

  caf::event_based_actor* self_;
  task_manager_options options_;
  std::unique_ptr<actor_io_executor> io_;
  std::optional<graph::slot_table> slots_;
  std::optional<master_link> master_;
  std::optional<program_store> programs_;
  std::optional<task_manager_copies> copies_;
  std::optional<task_roster> tasks_;
  std::optional<peer_table> peers_;
  std::map<resource_id, caf::actor> peer_actors_;
  struct known_job_master {
    caf::actor handle;
    std::uint64_t epoch = 0;
  };
  std::map<job_id, known_job_master> job_masters_;
  std::set<job_id> ended_jobs_;                        // whose masters have said so
  std::set<allocation_id> closing_;                    // to be freed when their tasks are gone
  std::map<local::timer_kind, std::uint64_t> timers_;  // generation of the latest one
  std::vector<std::pair<wire::allocate_slot, caf::actor>> early_;  // before the registration
  std::uint64_t grants_seen_ = 0;
  std::vector<graph::slot_info> freed_early_;  // the registration may say that they are taken
  bool reporting_ = false;
  bool stopping_ = false;
};

void worker::init(task_manager_options options) {
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

std::int64_t worker::now_ms() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             options_.time->now().time_since_epoch())
      .count();
}

std::vector<wire::slot_status> worker::slot_report() const {
  std::vector<wire::slot_status> all;
  for (const auto& s : slots_->report()) all.push_back({s.index, s.allocation, s.job});
  return all;
}

// -- slots ----------------------------------------------------------------------------------------

void worker::on_allocate_slot(const wire::allocate_slot& request, const caf::actor& job_master) {
  if (stopping_ || !job_master) return;
  if (!master_->is_registered()) {
    // The resource manager gives slots out before its answer to our registration has arrived.
    early_.emplace_back(request, job_master);
    return;
  }
  if (request.master_epoch != master_->epoch()) return;
  grants_seen_ = request.number;
  if (!make_way_for(request)) return;
  const auto offer_ms = std::chrono::duration_cast<std::chrono::milliseconds>(offer_timeout);
  auto promised = slots_->allocate(request.job, request.allocation, now_ms() + 2 * offer_ms.count(),
                                   request.slot);
  if (!promised) {
    // The resource manager's view is out of date; the next heartbeat tells it how things are.
    log_event(log_level::warn, "cannot allocate a slot",
              {{"job", to_string(request.job)}, {"reason", promised.error().message}});
    return;
  }
  if (job_masters_.try_emplace(request.job, known_job_master{job_master, request.epoch}).second)
    self_->monitor(job_master);
  log_event(log_level::info, "offering a slot",
            {{"job", to_string(request.job)}, {"slot", std::to_string(request.slot)}});
  offer(request, job_master);
}

bool worker::make_way_for(const wire::allocate_slot& request) {
  const auto known = job_masters_.find(request.job);
  if (known == job_masters_.end() || known->second.epoch == request.epoch) return true;
  if (request.epoch < known->second.epoch) return false;
  self_->demonitor(known->second.handle);
  job_masters_.erase(known);
  give_up_job(request.job);
  return true;
}

void worker::give_up_job(const job_id& id) {
  for (const auto& s : slots_->report())
    if (s.state != graph::slot_state::free && s.job == id) close_allocation(s.allocation);
  tasks_->cancel_job(id);
}

caf::actor worker::master_of(const job_id& id) const {
  const auto found = job_masters_.find(id);
  return found == job_masters_.end() ? caf::actor() : found->second.handle;
}

void worker::offer(const wire::allocate_slot& request, const caf::actor& job_master) {
  wire::offer_slot offer;
  offer.job = request.job;
  offer.allocation = request.allocation;
  offer.resource = options_.resource;
  offer.host = options_.host;
  offer.port = options_.port;
  offer.registration = request.registration;
  offer.kept = copies_->kept_of(request.job);
  self_->request(job_master, offer_timeout, std::move(offer), caf::actor(self_))
      .then([this,
             request](const wire::slot_offer_answer& a) { on_offer_answered(request, a.accepted); },
            [this, request](const caf::error&) { on_offer_answered(request, false); });
}

void worker::on_offer_answered(const wire::allocate_slot& request, bool accepted) {
  if (accepted && slots_->activate(request.job, request.allocation)) return;
  close_allocation(request.allocation);
}

void worker::close_allocation(const allocation_id& allocation, const std::optional<error>& why) {
  closing_.insert(allocation);
  tasks_->cancel_allocation(allocation, why);
  free_if_idle(allocation);
}

void worker::free_if_idle(const allocation_id& allocation) {
  if (!closing_.contains(allocation) || tasks_->has_tasks_in(allocation)) return;
  closing_.erase(allocation);
  if (MILLRACE_MUTANT(slot_kept)) return;
  const auto slot = slots_->release(allocation);
  if (!slot) return;
  log_event(log_level::info, "freed a slot",
            {{"job", to_string(slot->job)}, {"slot", std::to_string(slot->index)}});
  tell_freed(*slot);
  forget_if_over(slot->job);
}

void worker::tell_freed(const graph::slot_info& slot) {
  if (!master_->is_registered()) return freed_early_.push_back(slot);
  self_->send(master_->resource_manager(),
              wire::slot_freed{options_.resource, master_->epoch(), slot.index, slot.allocation});
}

/// A job without slots and tasks is over, as far as this node is concerned.
void worker::forget_if_over(const job_id& id) {
  if (tasks_->has_tasks_of(id)) return;
  for (const auto& s : slots_->report())
    if (s.state != graph::slot_state::free && s.job == id) return;
  if (!MILLRACE_MUTANT(program_kept)) programs_->release(id);
  tasks_->forget_job(id);
  copies_->job_left(id, ended_jobs_.erase(id) != 0);
  if (const auto found = job_masters_.find(id); found != job_masters_.end()) {
    self_->demonitor(found->second.handle);
    job_masters_.erase(found);
  }
}

void worker::on_free_slot(const wire::free_slot& request) {
  // The resource manager may say so of a job that only gets another master.
  if (const auto master = master_of(request.job); master && self_->current_sender() == master)
    ended_jobs_.insert(request.job);
  for (const auto& s : slots_->report()) {
    if (s.state != graph::slot_state::free && s.allocation == request.allocation &&
        s.job == request.job)
      return close_allocation(request.allocation);
  }
}

void worker::on_registered() {
  peers_->set_master(master_->resource());
  for (const auto& slot : std::exchange(freed_early_, {})) tell_freed(slot);
  for (const auto& [request, job_master] : std::exchange(early_, {}))
    on_allocate_slot(request, job_master);
}

void worker::on_master_lost(const std::string& reason) {
  // Whoever takes over, or finds itself alone, gives the work out anew.
  early_.clear();
  grants_seen_ = 0;
  const error why{errc::master_lost, "its task manager has lost the master (" + reason + ")"};
  for (const auto& s : slots_->report())
    if (s.state != graph::slot_state::free) close_allocation(s.allocation, why);
}

// -- tasks ----------------------------------------------------------------------------------------

caf::result<wire::ack> worker::on_deploy_tasks(wire::deploy_tasks& request) {
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

void worker::on_cancel_tasks(const wire::cancel_tasks& request) {
  for (const auto& task : request.tasks) tasks_->cancel(task);
}

void worker::on_state_changed(wire::task_state_changed& change) {
  tasks_->on_state_changed(std::move(change));
}

void worker::on_complete(const wire::checkpoint_complete& complete) {
  copies_->on_complete(complete);
  tasks_->on_checkpoint_complete(complete);
}

void worker::on_aborted(const wire::checkpoint_aborted& aborted) {
  copies_->on_aborted(aborted);
  tasks_->on_checkpoint_aborted(aborted);
}

void worker::tell_job_master(wire::task_state_changed change) {
  if (const auto master = master_of(change.task.job)) self_->send(master, std::move(change));
}

template <class Message>
void worker::pass_on(const job_id& job, Message& message) {
  if (const auto master = master_of(job)) self_->send(master, std::move(message));
}

void worker::on_open_channel(const wire::open_channel& request, const caf::actor& consumer) {
  if (!consumer) return;
  tasks_->on_open_channel(request, consumer);
}

/// What tasks answered since the last time goes to their job masters; then they are asked again.
void worker::send_reports() {
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

caf::actor worker::peer_actor(const resource_id& peer) const {
  if (peer == options_.resource) return caf::actor(self_);
  const auto found = peer_actors_.find(peer);
  return found == peer_actors_.end() ? caf::actor() : found->second;
}

void worker::act_on_peers() {
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

void worker::dial(const wire::peer_location& peer) {
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

void worker::on_dialed(const local::dialed& end) {
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

void worker::on_hello(const wire::peer_hello& hello, const caf::actor& peer) {
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

void worker::on_down(const caf::down_msg& down) {
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

void worker::on_timer(const local::timer& timer) {
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

void worker::keep_house() {
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

void worker::set_timer(local::timer_kind what, std::chrono::steady_clock::duration delay) {
  self_->delayed_send(self_, delay, local::timer{what, ++timers_[what]});
}

caf::result<wire::ack> worker::on_kill(const wire::kill_actor& request) {
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

void worker::shut_down() {
  stopping_ = true;
  tasks_->cancel_all({errc::task_manager_lost, "its task manager is shutting down"});
  quit_if_done();
}

void worker::quit_if_done() {
  if (!stopping_ || !tasks_->is_empty()) return;
  master_->stop();
  self_->quit();
}

caf::behavior task_manager_behavior(caf::stateful_actor<worker>* self,
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
