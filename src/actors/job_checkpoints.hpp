#pragma once

#include <caf/fwd.hpp>
#include <caf/response_promise.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/actors/insistent_io.hpp"
#include "millrace/actors/local_messages.hpp"
#include "millrace/actors/messages.hpp"
#include "millrace/actors/storage_queue.hpp"
#include "millrace/checkpoint/checkpoint_coordinator.hpp"
#include "millrace/checkpoint/checkpoint_storage.hpp"
#include "millrace/checkpoint/job_store.hpp"
#include "millrace/checkpoint/snapshot_origin.hpp"
#include "millrace/core/io.hpp"

namespace millrace {

/// Carries out what the checkpoint_coordinator decides: tells tasks, has things stored and removed
/// (job_checkpoints_storage.cpp), keeps the timer. Part of the job master's actor: called only from
/// there.
class job_checkpoints {
 public:
  /// What it needs of its job master.
  struct hooks {
    std::function<result<checkpoint_plan>()> plan;
    std::function<void(const std::vector<execution_attempt_id>&, const barrier&)> trigger;
    /// Where the state of a savepoint goes; before the trigger.
    std::function<void(const std::vector<execution_attempt_id>&, checkpoint_id, const std::string&)>
        target;
    std::function<void(const std::vector<execution_attempt_id>&, checkpoint_id)> complete;
    std::function<void(const std::vector<execution_attempt_id>&, checkpoint_id)> abort;
    /// The snapshots of the operator coordinators, by uid of the operator.
    std::function<result<std::map<std::string, std::vector<std::byte>>>(checkpoint_id)>
        snapshot_coordinators;
    std::function<void(const error&)> fail_job;
    /// The storage has nothing to do any more.
    std::function<void()> on_idle;
    /// A later master has begun an epoch of the job: this one is to end, and to touch nothing.
    std::function<void(const error&)> on_replaced;
  };
  struct options {
    job_id job;
    graph::job_graph graph;
    checkpoint_settings settings;
    std::shared_ptr<checkpoint_storage> storage;
    std::shared_ptr<file_system> files;  ///< Of savepoints, and of the snapshot it starts from.
    std::shared_ptr<const clock> time;   ///< For the wall clock only.
    std::shared_ptr<job_store> store;    ///< What the next master will go on from.
    job_ledger from;                     ///< What this one goes on from.
  };

  /// `io` and `insistent` must outlive it.
  job_checkpoints(caf::event_based_actor& self, io_executor& io, insistent_io& insistent,
                  options opts, hooks h);

  /// The job starts from there. Before all else.
  void restore(const snapshot_origin& from);
  /// All tasks run, also: still.
  void on_running();
  /// A task has failed, or the job ends.
  void on_not_running(checkpoint_failure why);
  /// Whether a checkpoint was aborted because it waited for the task.
  bool on_task_finished(const execution_attempt_id& task);
  /// Every task that runs has emitted everything.
  void on_all_await_last();
  void on_acknowledged(wire::acknowledge_checkpoint& ack);
  void on_declined(const wire::decline_checkpoint& decline);
  void on_timer(const local::checkpoint_timer& timer);

  /// Where tasks that are deployed now begin; nothing: afresh.
  std::optional<wire::restore_point> restore_from() const;
  checkpoint_id latest() const noexcept { return coordinator_.latest(); }
  /// Whether there is another one before the latest.
  bool has_earlier() const noexcept { return static_cast<bool>(coordinator_.earlier()); }
  /// The latest one is damaged: from now on what was completed before is gone back to, here and by
  /// later masters. Its files stay, for who looks into it, until the job or its master ends. An
  /// error if there is none before, or if sinks may have committed since, which would be committed
  /// again: then the job must fail with it.
  status give_up_latest(const error& why);
  /// Who had emitted everything before the one that the job goes on from.
  void set_finished(std::vector<graph::subtask_ref> subtasks) {
    coordinator_.set_finished(std::move(subtasks));
  }
  /// Whether the subtask had emitted everything before the checkpoint that a restart goes back to.
  bool had_finished(const graph::subtask_ref& subtask) const {
    return coordinator_.had_finished(subtask);
  }
  /// Whether it is known what a restart goes back to, and a later master would go back to the same.
  bool is_settled() const { return !coordinator_.is_storing() && withdrawals_ == 0; }
  bool is_idle() const noexcept { return storage_work_.is_idle(); }
  /// The job has ended so: removes what is not to be kept.
  void end(graph::job_status how);

  /// One is to begin as soon as may be; the promise is kept when it has ended.
  void take(caf::response_promise promise);
  /// A savepoint is to begin at once, in a directory of its own below `parent`. `done` is called
  /// when it is complete, or has failed; it may be within this call.
  using savepoint_done = std::function<void(result<checkpoint_record>)>;
  void take_savepoint(checkpoint_kind kind, std::string parent, savepoint_done done);
  /// Removes a complete savepoint that nobody was told of, and nobody goes back to any more.
  void remove_superseded(const std::string& location);
  const checkpoint_settings& settings() const noexcept { return coordinator_.settings(); }
  /// As checkpoint_coordinator.
  bool is_running() const noexcept { return coordinator_.is_running(); }
  void hold();
  void resume();
  /// From now on final savepoints are those of this stop: it is noted with them, so that the next
  /// master goes on with it.
  void note_stop(job_stop stop) { stop_ = std::move(stop); }
  /// The job goes on after all. `then` is called when no later master would stop it any more.
  void forget_stop(std::function<void()> then);
  wire::checkpoint_list list() const;
  /// `not_found`, with the numbers there are, if it is not among those of `list`.
  result<wire::checkpoint_details> describe(checkpoint_id checkpoint,
                                            const graph::job_graph& graph) const;
  std::optional<checkpoint_record> last_completed() const;

 private:
  struct waiter {
    caf::response_promise promise;
    checkpoint_id checkpoint;  // 0 until one begins
  };

  /// A snapshot that does not lie among the job's checkpoints: a savepoint, or one that the job was
  /// started from.
  struct place {
    std::string location{};                 // empty until it is made
    std::optional<snapshot_owner> owner{};  // nothing until it is complete
    std::string parent{};
    savepoint_done done{};  // until it has ended
    checkpoint_kind kind = checkpoint_kind::checkpoint;
    std::optional<job_stop> stop{};  // that it is noted with
  };

  struct wanted_savepoint {
    checkpoint_kind kind = checkpoint_kind::savepoint;
    std::string parent;
    savepoint_done done;
  };

  void carry_out(const checkpoint_decision& decision);
  void begin(checkpoint_id checkpoint);
  storage_queue::work completion_of(checkpoint_id checkpoint) const;
  storage_queue::work removal_of(checkpoint_id checkpoint);
  storage_queue::work removal_of(const checkpoint_pointer& left) const;
  storage_queue::work withdrawal_of(checkpoint_id checkpoint) const;
  void recover_files(std::vector<checkpoint_id> completed);
  void remove_leftovers(checkpoint_id last);
  void remove_left(const checkpoint_pointer& left);
  void remove_unfinished(const begun_savepoint& begun);
  void discard(checkpoint_id checkpoint);
  void withdraw(checkpoint_id checkpoint);
  void remove_all_but_kept(graph::job_status how);
  /// For work that the job can do without.
  std::function<void(const status&)> or_warn(std::string what) const;
  std::string location_of(checkpoint_id checkpoint) const;
  checkpoint_record record_of(checkpoint_id checkpoint) const;
  void forget_old_places();
  void begun(checkpoint_id checkpoint, const status& how);
  /// Takes over what one is wanted for that is given up, to be taken anew.
  void want_again(checkpoint_id savepoint, std::vector<wanted_savepoint>& again);
  void answer(checkpoint_id checkpoint, const std::optional<error>& failure);
  void set_timer();
  checkpoint_record with_location(checkpoint_record record) const;
  std::int64_t now_ms() const;
  std::uint64_t wall_ms() const;

  caf::event_based_actor& self_;
  job_id job_;
  std::shared_ptr<checkpoint_storage> storage_;
  std::shared_ptr<job_store> store_;
  std::uint64_t epoch_;
  std::shared_ptr<file_system> files_;
  std::shared_ptr<const clock> time_;
  hooks hooks_;
  checkpoint_coordinator coordinator_;
  storage_queue storage_work_;
  std::uint32_t withdrawals_ = 0;  // of that, to be done yet
  std::vector<waiter> waiters_;
  std::map<checkpoint_id, place> places_;
  std::optional<job_stop> stop_;
  std::optional<std::int64_t> timer_ms_;
  std::uint64_t timer_generation_ = 0;
};

}  // namespace millrace
