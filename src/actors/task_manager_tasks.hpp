#pragma once

#include <caf/actor.hpp>
#include <caf/fwd.hpp>
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

#include "millrace/actors/local_messages.hpp"
#include "millrace/actors/messages.hpp"
#include "millrace/actors/task_manager.hpp"
#include "millrace/actors/task_manager_channels.hpp"
#include "millrace/actors/task_manager_programs.hpp"

namespace millrace {

/// The tasks of one task manager, from their deployment to their end. A task starts as soon as the
/// program of its job is here and all task managers that host its producers are connected.
///
/// Part of the task manager's actor: called only from there.
class task_roster {
 public:
  struct hooks {
    /// A task has changed its state; the job master is to hear of it.
    std::function<void(wire::task_state_changed)> on_change;
    /// A task of this allocation is gone.
    std::function<void(const job_id&, const allocation_id&)> on_end;
    /// A connection to this task manager is needed.
    std::function<void(const wire::peer_location&)> want_peer;
    /// The actor of a connected task manager (our own too), or null.
    std::function<caf::actor(const resource_id&)> peer;
  };

  /// `options` and `programs` must outlive the roster.
  task_roster(caf::event_based_actor& self, const task_manager_options& options,
              program_store& programs, hooks h);
  ~task_roster();

  /// Takes over tasks whose slots have been found good. Errors refuse all of them: `invalid_graph`,
  /// `stale` for an attempt that is here already. What goes wrong later is reported task by task.
  status deploy(wire::deploy_tasks request);
  /// More task managers are connected: starts what waited for them.
  void start_what_can();
  /// Fails every task that exchanges records with this task manager.
  void peer_lost(const resource_id& peer, const error& why);

  void cancel(const execution_attempt_id& task);
  /// Ends the actor of a task as a defect would; false if it does not run.
  bool kill(const execution_attempt_id& task);
  /// Cancels all tasks of a job, an allocation, or of everybody. `why` is told to the job's master
  /// if it was not the master that wanted it.
  void cancel_job(const job_id& job);
  void cancel_allocation(const allocation_id& allocation, const std::optional<error>& why = {});
  void cancel_all(const error& why);
  /// The job is over on this node: whoever still waits for its tasks waits in vain.
  void forget_job(const job_id& job);

  void on_state_changed(wire::task_state_changed change);
  /// Whether it was a task that went down.
  bool on_down(const caf::actor_addr& who, const std::string& reason);
  void on_open_channel(const wire::open_channel& request, const caf::actor& consumer);

  /// Hands a limit on to those of its tasks that are here.
  void on_alignment_limit(const wire::align_watermarks& limit) { pass_on(limit); }

  /// For the task that it names, if it runs here.
  void on_command_iteration(const wire::command_iteration& command);
  void on_coordinator_event(const wire::coordinator_event& event);

  /// Hands news of a checkpoint on to those of its tasks that are here.
  void on_trigger_checkpoint(const wire::trigger_checkpoint& trigger) { pass_on(trigger); }
  void on_savepoint_target(const wire::savepoint_target& target) { pass_on(target); }
  void on_drain_sources(const wire::drain_sources& drain) { pass_on(drain); }
  void on_checkpoint_complete(const wire::checkpoint_complete& complete) { pass_on(complete); }
  void on_checkpoint_aborted(const wire::checkpoint_aborted& aborted) { pass_on(aborted); }

  /// Asks all tasks for their reports.
  void collect_reports();
  void on_report(wire::task_report report);
  /// What came in since the last call, by job.
  std::map<job_id, std::vector<wire::task_report>> take_reports();

  /// Drops requests for channels that nobody came for. The error of a task that was cancelled too
  /// long ago and is still here, if any; reported once per task.
  std::vector<error> housekeeping();

  bool has_tasks_of(const job_id& job) const;
  bool has_tasks_in(const allocation_id& allocation) const;
  bool is_empty() const noexcept { return tasks_.empty(); }

 private:
  struct deployment;
  struct task;
  struct open_request {
    wire::open_channel what;
    caf::actor consumer;
  };

  /// To each task that a message names.
  template <class Message>
  void pass_on(const Message& message);
  void start(const execution_attempt_id& id, task& t);
  /// Whether tasks of earlier masters of its job are still here: those end first.
  bool waits_for_earlier_epoch(const execution_attempt_id& id) const;
  void end(const execution_attempt_id& id, wire::task_state_changed change);
  void end_unstarted(const execution_attempt_id& id, graph::execution_state state,
                     std::optional<error> cause);
  void cancel(const execution_attempt_id& id, task& t, const std::optional<error>& why);
  template <class Condition>
  void cancel_where(Condition&& condition, const std::optional<error>& why);
  void find_peers(const deployment& d, const execution_attempt_id& id, task& t);
  void program_is_here(const std::shared_ptr<deployment>& d,
                       const result<program_store::program>& program);
  std::chrono::steady_clock::time_point now() const;

  caf::event_based_actor& self_;
  const task_manager_options& options_;
  program_store& programs_;
  hooks hooks_;
  std::map<execution_attempt_id, task> tasks_;
  std::map<caf::actor_addr, execution_attempt_id> by_address_;
  pending_channels<open_request> waiting_channels_;
  std::map<job_id, std::vector<wire::task_report>> reports_;
};

}  // namespace millrace
