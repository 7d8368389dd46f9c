#include "millrace/actors/resource_manager.hpp"

#include <algorithm>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/heartbeat_monitor.hpp"
#include "millrace/actors/local_messages.hpp"
#include "millrace/actors/spawn_control.hpp"
#include "millrace/actors/wire.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/mutant.hpp"
#include "millrace/graph/slot_matcher.hpp"

namespace millrace {

namespace {

class resource_manager {
 public:
  static inline const char* name = "millrace.resource_manager";

  explicit resource_manager(caf::event_based_actor* self) : self_(self) {}
  void init(resource_manager_options options);

  // From task managers.
  caf::result<wire::registration> on_register(const wire::register_task_manager& request,
                                              const caf::actor& handle);
  wire::heartbeat_answer on_heartbeat(const wire::heartbeat& beat);
  void on_slot_freed(const wire::slot_freed& freed);
  // From job masters.
  void on_require_slots(const wire::require_slots& request, const caf::actor& job_master);
  caf::result<caf::message> on_kill(const wire::kill_actor& request);
  // From clients.
  wire::node_list on_list_nodes() const;
  // From the surroundings.
  void on_tick();
  void on_down(const caf::down_msg& down);

 private:
  struct task_manager {
    caf::actor handle;
    std::string address;
    std::uint64_t pid = 0;
    std::uint64_t registration = 0;
  };
  struct job {
    caf::actor master;
    std::uint64_t epoch = 0;  ///< Of the master.
    std::string name;
    std::uint32_t needed = 0;             ///< 0: it is ending, and only wants to hear of losses.
    std::set<allocation_id> allocations;  ///< Asked for and not given back, granted or not.
    std::optional<wire::slots_missing> told;
    /// It has refused a slot: ask for another one later, lest the two go round in circles.
    std::chrono::steady_clock::time_point ask_again_at{};
  };
  struct granted {
    job_id job;
    resource_id task_manager;
    std::uint64_t number = 0;  ///< Of its allocate_slot; 0 if it was held at the registration.
    bool confirmed = false;
  };

  std::chrono::steady_clock::time_point now() const { return self_->clock().now(); }
  std::int64_t now_ms() const;
  void lose(const resource_id& id, const std::string& reason);
  void remove(const resource_id& id, const std::string& reason);
  void compare(const wire::heartbeat& beat);
  void forget(const allocation_id& allocation);
  void renew(const job_id& id, const allocation_id& old);
  void ask_for_missing(const job_id& id, job& j);
  /// Its master is gone: it asks for nothing any more, and what was granted is not asked for anew.
  void withdraw(const job_id& id);
  /// Gives out what can be given, and tells those who must wait.
  void match();
  void tell_waiting();
  /// Sees to it that on_tick() runs when somebody's time is up, and each heartbeat interval anyway.
  void set_tick();

  caf::event_based_actor* self_;
  resource_manager_options options_;
  std::mt19937_64 random_;
  std::uint64_t epoch_ = 0;
  graph::slot_matcher matcher_;
  std::optional<heartbeat_monitor> heartbeats_;
  std::chrono::steady_clock::time_point tick_at_{};  // of the one tick that counts
  std::map<resource_id, task_manager> task_managers_;
  std::uint64_t registrations_ = 0;
  std::uint64_t grants_ = 0;
  std::map<job_id, job> jobs_;
  std::map<allocation_id, granted> granted_;
};

void resource_manager::init(resource_manager_options options) {
  options_ = std::move(options);
  random_.seed(options_.seed);
  epoch_ = random_() | 1;
  heartbeats_.emplace(options_.heartbeat_interval, options_.heartbeat_timeout);
  set_tick();
}

std::int64_t resource_manager::now_ms() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(now().time_since_epoch()).count();
}

void resource_manager::set_tick() {
  auto due = now() + options_.heartbeat_interval;
  if (const auto loss = heartbeats_->next_loss()) due = std::min(due, *loss);
  if (const auto deadline = matcher_.next_deadline_ms())
    due =
        std::min(due, std::chrono::steady_clock::time_point(std::chrono::milliseconds(*deadline)));
  if (tick_at_ > now() && tick_at_ <= due) return;
  tick_at_ = due;
  self_->delayed_send(self_, std::max(due - now(), std::chrono::steady_clock::duration::zero()),
                      local::tick{});
}

// -- task managers --------------------------------------------------------------------------------

caf::result<wire::registration> resource_manager::on_register(
    const wire::register_task_manager& request, const caf::actor& handle) {
  if (!handle) return to_caf({errc::protocol, "a task manager registered without its handle"});
  const auto& id = request.resource;
  if (task_managers_.contains(id)) remove(id, "it has registered again");
  if (MILLRACE_MUTANT(registration_lost) && task_managers_.size() == 1)
    return wire::registration{epoch_,
                              static_cast<std::uint64_t>(options_.heartbeat_interval.count()),
                              static_cast<std::uint64_t>(options_.heartbeat_timeout.count())};
  task_manager& tm = task_managers_[id];
  tm = {handle, request.host + ":" + std::to_string(request.port), request.pid, ++registrations_};
  self_->monitor(handle);
  heartbeats_->heard(id, now());

  std::vector<graph::slot_info> slots;
  for (const auto& slot : request.slots) {
    const bool is_free = !slot.allocation;
    slots.push_back({slot.slot, is_free ? graph::slot_state::free : graph::slot_state::active,
                     slot.job, slot.allocation});
    if (is_free) continue;
    // Whoever had it was told that it is lost, or belongs to another life of this master.
    granted_[slot.allocation] = {slot.job, id, 0, true};
    self_->send(handle, wire::free_slot{slot.job, slot.allocation, false});
  }
  std::map<job_id, std::uint32_t> had;
  for (const auto& kept : request.kept) had[kept.job] = kept.slots;
  matcher_.add_task_manager(id, tm.address, slots, std::move(had));
  log_event(log_level::info, "task manager registered",
            {{"address", tm.address},
             {"resource", to_string(id)},
             {"slots", std::to_string(slots.size())}});
  match();
  return wire::registration{epoch_, static_cast<std::uint64_t>(options_.heartbeat_interval.count()),
                            static_cast<std::uint64_t>(options_.heartbeat_timeout.count())};
}

wire::heartbeat_answer resource_manager::on_heartbeat(const wire::heartbeat& beat) {
  if (beat.master_epoch != epoch_ || !task_managers_.contains(beat.resource))
    return {beat.master_epoch == epoch_ ? 0 : epoch_, beat.sequence};
  heartbeats_->heard(beat.resource, now());
  compare(beat);
  return {epoch_, beat.sequence};
}

/// Takes the task manager's word for what it holds, except of grants that are still on their way.
void resource_manager::compare(const wire::heartbeat& beat) {
  const auto& id = beat.resource;
  std::set<allocation_id> held;
  for (const auto& slot : beat.slots)
    if (slot.allocation) held.insert(slot.allocation);
  std::vector<allocation_id> gone;
  for (auto& [allocation, grant] : granted_) {
    if (grant.task_manager != id) continue;
    if (held.contains(allocation)) {
      grant.confirmed = true;
      matcher_.confirm(id, allocation);
    } else if (beat.grants_seen >= grant.number) {
      gone.push_back(allocation);
    }
  }
  for (const auto& allocation : gone) {
    if (granted_.at(allocation).confirmed) {
      matcher_.release(id, allocation);
      forget(allocation);
    } else {
      const auto job_id = granted_.at(allocation).job;
      matcher_.reject(id, allocation);  // Back into the queue.
      renew(job_id, allocation);
    }
  }
  if (!gone.empty()) match();
}

void resource_manager::on_slot_freed(const wire::slot_freed& freed) {
  if (freed.master_epoch != epoch_ || !task_managers_.contains(freed.resource)) return;
  const auto found = granted_.find(freed.allocation);
  if (found == granted_.end() || found->second.task_manager != freed.resource) return;
  matcher_.release(freed.resource, freed.allocation);
  if (const auto j = jobs_.find(found->second.job); !found->second.confirmed && j != jobs_.end())
    j->second.ask_again_at = now() + options_.heartbeat_interval;
  forget(freed.allocation);
  match();
}

void resource_manager::forget(const allocation_id& allocation) {
  const auto found = granted_.find(allocation);
  if (found == granted_.end()) return;
  if (const auto j = jobs_.find(found->second.job); j != jobs_.end())
    j->second.allocations.erase(allocation);
  granted_.erase(found);
}

/// A slot that was granted and never taken is asked for anew, under another id: the task manager
/// may yet speak of the old one.
void resource_manager::renew(const job_id& id, const allocation_id& old) {
  granted_.erase(old);
  const auto j = jobs_.find(id);
  if (j == jobs_.end() || j->second.allocations.erase(old) == 0) return;
  const auto fresh = make_id<allocation_id>(random_);
  j->second.allocations.insert(fresh);
  matcher_.rename(id, old, fresh);
}

void resource_manager::lose(const resource_id& id, const std::string& reason) {
  const auto tm = task_managers_.at(id);
  log_event(log_level::warn, "lost a task manager",
            {{"address", tm.address}, {"resource", to_string(id)}, {"reason", reason}});
  remove(id, reason);
  match();
}

void resource_manager::remove(const resource_id& id, const std::string& reason) {
  const auto tm = task_managers_.at(id);
  self_->demonitor(tm.handle);
  heartbeats_->forget(id);
  task_managers_.erase(id);
  const auto what = matcher_.remove_task_manager(id);
  for (const auto& grant : what.lost) forget(grant.allocation);
  for (const auto& grant : what.requeued) renew(grant.job, grant.allocation);
  for (const auto& [job_id, j] : jobs_)
    if (!MILLRACE_MUTANT(loss_not_told))
      self_->send(j.master, wire::task_manager_lost{id, tm.address, reason, tm.registration});
}

// -- jobs -----------------------------------------------------------------------------------------

void resource_manager::on_require_slots(const wire::require_slots& request,
                                        const caf::actor& job_master) {
  if (!job_master) return;
  job& j = jobs_[request.job];
  if (request.epoch < j.epoch) return;
  if (j.master != job_master) {
    // The one before may not be known to be down yet. What it had, task managers give back.
    if (j.master) self_->demonitor(j.master);
    withdraw(request.job);
    j = {};
    self_->monitor(job_master);
  }
  j.master = job_master;
  j.epoch = request.epoch;
  j.name = request.name;
  j.needed = request.slots;
  j.told.reset();
  j.ask_again_at = {};
  if (j.needed == 0) {
    j.allocations.clear();
    matcher_.withdraw(request.job);
    matcher_.forget(request.job);
  }
  match();
}

void resource_manager::ask_for_missing(const job_id& id, job& j) {
  if (now() < j.ask_again_at) return;
  std::vector<allocation_id> added;
  while (j.allocations.size() < j.needed) {
    added.push_back(make_id<allocation_id>(random_));
    j.allocations.insert(added.back());
  }
  if (!added.empty())
    matcher_.request(id, j.name, added, now_ms(), now_ms() + options_.slot_request_timeout.count());
}

void resource_manager::withdraw(const job_id& id) {
  matcher_.withdraw(id);
  for (auto& [allocation, grant] : granted_) {
    if (grant.job != id) continue;
    grant.confirmed = true;
    matcher_.confirm(grant.task_manager, allocation);
  }
}

void resource_manager::match() {
  for (auto& [id, j] : jobs_) ask_for_missing(id, j);
  for (const auto& grant : matcher_.match()) {
    const auto& tm = task_managers_.at(grant.task_manager);
    granted_[grant.allocation] = {grant.job, grant.task_manager, ++grants_};
    log_event(log_level::debug, "granted a slot",
              {{"job", to_string(grant.job)},
               {"address", tm.address},
               {"slot", std::to_string(grant.slot)}});
    self_->send(tm.handle,
                wire::allocate_slot{epoch_, grant.slot, grant.allocation, grant.job, grants_,
                                    tm.registration, jobs_.at(grant.job).epoch},
                jobs_.at(grant.job).master);
  }
  tell_waiting();
  set_tick();
}

void resource_manager::tell_waiting() {
  for (auto& [id, j] : jobs_) {
    if (matcher_.pending_count(id) == 0) {
      j.told.reset();
      continue;
    }
    wire::slots_missing missing;
    missing.job = id;
    missing.needed = j.needed;
    missing.free = matcher_.free_count();
    missing.registered = matcher_.registered_count();
    if (j.told && j.told->needed == missing.needed && j.told->free == missing.free &&
        j.told->registered == missing.registered)
      continue;
    j.told = missing;
    self_->send(j.master, std::move(missing));
  }
}

// -- surroundings ---------------------------------------------------------------------------------

wire::node_list resource_manager::on_list_nodes() const {
  wire::node_list list;
  for (const auto& tm : matcher_.task_managers()) {
    const auto silence = heartbeats_->silence(tm.id, now());
    list.nodes.push_back({tm.id, tm.address, tm.slots, tm.free, task_managers_.at(tm.id).pid,
                          static_cast<std::uint64_t>(silence.count())});
  }
  return list;
}

caf::result<caf::message> resource_manager::on_kill(const wire::kill_actor& request) {
  for (const auto& [id, tm] : task_managers_)
    if (tm.address == request.task_manager) {
      // Not delegated: a node takes nothing from a third one. Who dies gives no answer.
      self_->send(tm.handle, request);
      return caf::make_message(wire::ack{});
    }
  return to_caf({errc::not_found, "no task manager is registered that has the address '" +
                                      request.task_manager + "'; `millrace nodes` lists them"});
}

void resource_manager::on_tick() {
  if (now() < tick_at_) return;  // An earlier one has taken its place.
  for (const auto& id : heartbeats_->lost(now())) {
    const auto node = task_managers_.at(id).handle.node();
    lose(id, "no heartbeat for " + std::to_string(options_.heartbeat_timeout.count()) + " ms");
    // What it still says is not to be heard, and both sides are to notice.
    if (options_.drop_connection && node != self_->node()) options_.drop_connection(node);
  }
  for (const auto& failure : matcher_.expire(now_ms())) {
    const auto found = jobs_.find(failure.job);
    if (found == jobs_.end()) continue;
    self_->send(found->second.master,
                wire::slots_missing{failure.job, found->second.needed, matcher_.free_count(),
                                    matcher_.registered_count(), true, failure.why.message});
  }
  match();
}

void resource_manager::on_down(const caf::down_msg& down) {
  for (const auto& [id, tm] : task_managers_)
    if (tm.handle.address() == down.source) return lose(resource_id(id), "connection lost");
  for (const auto& [id, j] : jobs_) {
    if (j.master.address() != down.source) continue;
    const auto gone = id;
    jobs_.erase(gone);
    withdraw(gone);
    return match();
  }
}

caf::behavior resource_manager_behavior(caf::stateful_actor<resource_manager>* self,
                                        resource_manager_options options) {
  auto& state = self->state;
  self->set_down_handler([&state](caf::down_msg& down) { state.on_down(down); });
  ignore_the_unexpected(*self);
  state.init(std::move(options));
  return {
      [&state](const wire::register_task_manager& request, const caf::actor& task_manager) {
        return state.on_register(request, task_manager);
      },
      [&state](const wire::heartbeat& beat) { return state.on_heartbeat(beat); },
      [&state](const wire::slot_freed& freed) { state.on_slot_freed(freed); },
      [&state](const wire::require_slots& request, const caf::actor& job_master) {
        state.on_require_slots(request, job_master);
      },
      [&state](const wire::list_nodes&) { return state.on_list_nodes(); },
      [&state](const wire::kill_actor& request) { return state.on_kill(request); },
      [&state](local::tick) { state.on_tick(); },
  };
}

}  // namespace

caf::actor spawn_resource_manager(caf::actor_system& system, resource_manager_options options) {
  return spawn_control(system, resource_manager_behavior, std::move(options));
}

}  // namespace millrace
