#pragma once

#include <caf/actor.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/result.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "millrace/actors/io_executor_actor.hpp"
#include "millrace/actors/local_messages.hpp"
#include "millrace/actors/task_manager.hpp"
#include "millrace/actors/task_manager_copies.hpp"
#include "millrace/actors/task_manager_master.hpp"
#include "millrace/actors/task_manager_peers.hpp"
#include "millrace/actors/task_manager_programs.hpp"
#include "millrace/actors/task_manager_tasks.hpp"
#include "millrace/actors/wire.hpp"
#include "millrace/graph/slot_table.hpp"

namespace millrace {

/// The state and the handlers of the actor that spawn_task_manager spawns: its slots and who has
/// them (task_manager_slots.cpp), and the glue between its parts, which are the link to the master,
/// programs, tasks and peers (task_manager.cpp).
class task_manager {
 public:
  static inline const char* name = "millrace.task_manager";

  explicit task_manager(caf::event_based_actor* self) : self_(self) {}
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

}  // namespace millrace
