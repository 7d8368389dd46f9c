#pragma once

#include <caf/event_based_actor.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "millrace/actors/insistent_io.hpp"
#include "millrace/actors/io_executor_actor.hpp"
#include "millrace/actors/job_checkpoints.hpp"
#include "millrace/actors/job_description.hpp"
#include "millrace/actors/job_master.hpp"
#include "millrace/actors/job_metrics.hpp"
#include "millrace/actors/job_savepoints.hpp"
#include "millrace/actors/job_slots.hpp"
#include "millrace/actors/local_messages.hpp"
#include "millrace/actors/wire.hpp"
#include "millrace/checkpoint/restart_schedule.hpp"
#include "millrace/checkpoint/snapshot_origin.hpp"
#include "millrace/graph/execution_graph.hpp"
#include "millrace/stream/iteration_coordinator.hpp"

namespace millrace {

/// Within which a task manager says that it has given a slot back.
inline constexpr std::chrono::seconds free_slot_timeout{5};

/// The state and the handlers of the actor that spawn_job_master spawns. Its parts: life and
/// restarts (job_master.cpp), slots and tasks (job_master_tasks.cpp), what is read from snapshots,
/// and taken (job_master_snapshots.cpp), and its end (job_master_end.cpp).
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
  wire::job_list on_list() const;
  wire::job_details on_describe() const;
  caf::result<wire::checkpoint_list> on_list_checkpoints() const;
  caf::result<wire::checkpoint_details> on_describe_checkpoint(
      const wire::describe_checkpoint& request) const;
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

  /// That of the job, but for one that has ended and may not be told yet.
  graph::job_status shown_status() const;
  wire::job_details details() const;
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
  /// Whether the job takes checkpoints by itself; else there are savepoints only.
  bool is_checkpointed() const { return checkpoints_ && checkpoints_->settings().is_enabled(); }
  error takes_no_checkpoints() const;
  /// Whether a savepoint can be asked for at all.
  status check_savepoints() const;
  void expect_restart(const error& cause);
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
  void give_up_slot(const graph::slot_assignment& slot);
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
  std::optional<job_checkpoints> checkpoints_;  // nothing in batch mode
  std::optional<job_savepoints> savepoints_;    // the same
  /// Why there can be no savepoint while they run.
  std::map<execution_attempt_id, std::string> savepoint_refusals_;
  std::optional<snapshot_origin> origin_;  // nothing if the job starts afresh
  std::optional<restart_schedule> restarts_;
  std::optional<error> last_failure_;          // that a restart follows, or has followed
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
  std::function<void()> look_again_;  // at a damaged checkpoint, when nothing is being stored
  bool is_outcome_begun_ = false;
  bool is_outcome_stored_ = false;
  bool is_end_reported_ = false;
};

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

}  // namespace millrace
