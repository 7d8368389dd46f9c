#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "millrace/checkpoint/checkpoint_failure_manager.hpp"
#include "millrace/checkpoint/checkpoint_history.hpp"
#include "millrace/checkpoint/checkpoint_request_decider.hpp"
#include "millrace/checkpoint/checkpoint_settings.hpp"
#include "millrace/checkpoint/completed_checkpoints.hpp"
#include "millrace/checkpoint/pending_checkpoint.hpp"
#include "millrace/core/error.hpp"

namespace millrace {

/// What the job master is to do for its checkpoints. In this order.
struct checkpoint_decision {
  struct abort {
    checkpoint_id checkpoint;
    checkpoint_failure why = checkpoint_failure::expired;
    std::string message;
    std::vector<execution_attempt_id> tasks;  ///< Who knows of it, and is to be told.
    /// It was being stored: the storage may have it as complete, whatever it said. Nothing may be
    /// restarted until it certainly is not what a later master goes back to.
    bool may_be_complete = false;
  };

  /// Tell the tasks, and remove from the storage what is there of them.
  std::vector<abort> aborted;
  /// Have these metadata stored, then call on_stored.
  std::vector<checkpoint_id> store;
  /// Tell the tasks and the coordinators that this one is complete.
  std::optional<checkpoint_id> completed;
  std::vector<execution_attempt_id> completed_at;  ///< The tasks to tell.
  /// A savepoint is complete that nobody but those who asked for it is told of.
  std::optional<checkpoint_id> saved;
  /// Remove these from the storage: they are kept no longer.
  std::vector<checkpoint_id> discard;
  /// Make room for this one, then call on_begun or on_not_begun.
  std::optional<checkpoint_id> begin;
  /// Too many have failed: the job is to fail.
  std::optional<error> fail_job;
};

/// The checkpoints of a job, from the decision to take one until it is kept no longer (Flink's
/// CheckpointCoordinator). Plain: told what was observed and the time, in ms of a clock that never
/// goes back, it answers what to do. Owned by the job master.
///
/// Savepoints are checkpoints that somebody asked for. They begin at once, count neither as
/// failures nor among those that are kept, end no checkpoint and are ended by none, and nothing is
/// committed with them: a restart never goes back to one (as in Flink since 1.15). All but the
/// final one, behind which the job stops. A job whose settings say that it takes no checkpoints has
/// savepoints only (as in Flink).
///
/// Invariants: numbers only grow, over all restarts of the job; a completed checkpoint ends all
/// earlier ones that are under way; nothing is removed before a later one is stored; only tasks
/// that it waits for can contribute to a checkpoint.
class checkpoint_coordinator {
 public:
  checkpoint_coordinator(checkpoint_settings settings, graph::job_graph job, job_id id);

  /// The job goes on from a snapshot that was found: the next has a higher number. Before all else
  /// but recover(). `is_ours` if it counts as one of this job's, to be kept and removed like those;
  /// `finished` had emitted everything before.
  void restore(checkpoint_id from, bool is_ours, std::vector<graph::subtask_ref> finished);
  /// Another master of the job goes on, with the completed checkpoints of those before, ascending,
  /// of which `last_number` is the highest that was ever begun, and with `not_ours`, a user's
  /// savepoint, if that is later. Before all else. Those that are kept no longer, to be removed.
  std::vector<checkpoint_id> recover(const std::vector<checkpoint_id>& completed,
                                     checkpoint_id not_ours, std::uint64_t last_number);
  /// Who had emitted everything before the latest one, as its metadata say.
  void set_finished(std::vector<graph::subtask_ref> finished) { finished_ = std::move(finished); }
  /// What a restart goes back to; 0 for nothing.
  checkpoint_id latest() const noexcept { return std::max(kept_.latest(), not_ours_); }
  /// The one before the latest; 0 for nothing.
  checkpoint_id earlier() const noexcept;
  /// Whether operators have made output visible that only the latest one knows of.
  bool has_committers() const noexcept;
  /// The latest one is damaged: the one before is now what a restart goes back to. Requires that
  /// there is one, and that everything is restarted. Who had finished is for set_finished to say.
  void give_up_latest();
  const completed_checkpoints& kept() const noexcept { return kept_; }
  /// Whether the subtask had emitted everything before the latest one.
  bool had_finished(const graph::subtask_ref& subtask) const;

  /// All tasks run, for the first time or again.
  checkpoint_decision on_running(std::int64_t now_ms, std::uint64_t wall_ms);
  /// A task has failed, or all are to end: what is under way is given up, and nothing new begins
  /// until on_running. But what is being stored may become complete, and then it is what a restart
  /// goes back to: nothing may be restarted while is_storing().
  checkpoint_decision on_not_running(checkpoint_failure why, std::int64_t now_ms);
  /// A task has ended well.
  checkpoint_decision on_task_finished(const execution_attempt_id& task, std::int64_t now_ms,
                                       std::uint64_t wall_ms);
  /// Somebody wants one as soon as one may begin.
  checkpoint_decision on_request(std::int64_t now_ms, std::uint64_t wall_ms);
  /// Somebody wants a savepoint. It begins at once; not at all if not all tasks run.
  checkpoint_decision on_savepoint_request(checkpoint_kind kind, std::int64_t now_ms,
                                           std::uint64_t wall_ms);
  /// The job is about to stop: checkpoints that are under way are given up, but for savepoints, and
  /// none begins any more, until `resume` or a failure.
  checkpoint_decision hold(std::int64_t now_ms);
  checkpoint_decision resume(std::int64_t now_ms, std::uint64_t wall_ms);
  /// What `next_ms` said is due.
  checkpoint_decision on_time(std::int64_t now_ms, std::uint64_t wall_ms);

  /// There is room for it. The tasks of the plan's `trigger` are to be told, if the answer has
  /// not aborted it.
  void on_begun(checkpoint_id checkpoint, checkpoint_plan plan,
                std::map<std::string, std::vector<std::byte>> coordinators);
  /// There can be no such checkpoint.
  checkpoint_decision on_not_begun(checkpoint_id checkpoint, checkpoint_failure why,
                                   const std::string& message, std::int64_t now_ms);
  checkpoint_decision on_acknowledged(checkpoint_acknowledgement ack, std::int64_t now_ms);
  checkpoint_decision on_declined(const execution_attempt_id& task, checkpoint_id checkpoint,
                                  const std::string& message, std::int64_t now_ms);
  /// The metadata of `store` are stored, or why not.
  checkpoint_decision on_stored(checkpoint_id checkpoint, const status& how, std::int64_t now_ms,
                                std::uint64_t wall_ms);

  /// Null if it is not under way.
  const pending_checkpoint* pending(checkpoint_id checkpoint) const;
  /// Whether all tasks run, as far as it was told.
  bool is_running() const noexcept { return decider_.is_started(); }
  /// Whether the outcome of a checkpoint is open of which all state is there.
  bool is_storing() const;
  /// Requires that `store` has named it.
  checkpoint_metadata metadata_of(checkpoint_id checkpoint) const;
  const graph::job_graph& job() const noexcept { return job_; }
  const checkpoint_settings& settings() const noexcept { return settings_; }
  /// When to call on_time; nothing if there is no reason to.
  std::optional<std::int64_t> next_ms() const;
  /// The ended ones, and those under way, oldest first.
  std::vector<checkpoint_record> records(std::int64_t now_ms) const;
  /// What each subtask has done for one of `records`; nothing if it is none of them.
  std::optional<std::vector<subtask_checkpoint>> subtasks_of(checkpoint_id checkpoint) const;
  const checkpoint_history& history() const noexcept { return history_; }

 private:
  void begin_what_is_due(std::int64_t now_ms, std::uint64_t wall_ms, checkpoint_decision& decision);
  checkpoint_id begin(checkpoint_kind kind, std::int64_t now_ms, std::uint64_t wall_ms);
  void abort(checkpoint_id checkpoint, checkpoint_failure why, const std::string& message,
             std::int64_t now_ms, checkpoint_decision& decision);
  std::string name_of(const execution_attempt_id& task) const;
  std::string what_it_waits_for(const pending_checkpoint& checkpoint) const;

  checkpoint_settings settings_;
  graph::job_graph job_;
  job_id id_;
  checkpoint_request_decider decider_;
  checkpoint_failure_manager failures_;
  completed_checkpoints kept_;
  checkpoint_history history_;
  std::map<checkpoint_id, pending_checkpoint> pending_;
  checkpoint_id not_ours_;  // a snapshot that a restart goes back to, but that is not removed
  std::vector<graph::subtask_ref> finished_;  // before the latest one
  bool is_held_ = false;
  std::uint64_t last_number_ = 0;
};

}  // namespace millrace
