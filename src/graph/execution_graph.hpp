#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/core/error.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/graph/execution.hpp"
#include "millrace/graph/job_graph.hpp"
#include "millrace/graph/job_status.hpp"
#include "millrace/graph/pipelined_regions.hpp"

namespace millrace::graph {

/// What the first failure of a task makes of the job.
enum class failure_response : std::uint8_t {
  fail_job,        ///< All tasks are canceled, the job fails.
  restart_region,  ///< The tasks of its pipelined region are canceled, then run again.
};

/// What the job master must do after it told the execution graph something.
struct execution_decision {
  bool ignored = false;                      ///< Stale or meaningless: nothing changed.
  std::vector<execution_attempt_id> cancel;  ///< Tell their task managers to stop these.
  std::optional<job_status> status;          ///< The job's status, if it changed.
  bool has_failed = false;                   ///< A region that was running is to be restarted.
  std::vector<std::uint32_t> restartable;  ///< Regions that stand still: `reset_for_restart`, soon.
};

/// A failure as the user reads it.
struct failure_record {
  error cause;  ///< "operator 'X' (subtask 2/4, attempt 0) on task manager h:6122: message"
  std::optional<execution_attempt_id> attempt;  ///< Nothing if no single task is to blame.
  std::int64_t at_ms = 0;
};

struct status_change {
  job_status status;
  std::int64_t at_ms;

  bool operator==(const status_change&) const = default;
};

/// A job graph at work: every subtask with its attempts, and the job's status (Flink's
/// ExecutionGraph). Pure: told what was observed and the time, it answers what to do. Owned by one
/// job master.
///
/// Invariants: the status is terminal only if every execution is (suspended excepted); the root
/// cause is the first failure, later ones don't replace it; messages about any but the current
/// attempt of a subtask change nothing.
class execution_graph {
 public:
  /// `graph` must have passed `check_job_graph` or come from `build_job_graph`. Times are ms of the
  /// injected clock. Attempts are numbered from `first_attempt`.
  execution_graph(job_graph graph, job_id id, std::int64_t now_ms,
                  failure_response response = failure_response::fail_job,
                  std::uint32_t first_attempt = 0);

  const job_id& id() const noexcept { return id_; }
  const job_graph& plan() const noexcept { return graph_; }
  job_status status() const noexcept { return history_.back().status; }

  /// From created to now, oldest first.
  const std::vector<status_change>& status_history() const noexcept { return history_; }

  /// The first failure since the job last ran undisturbed; nothing if there was none.
  const std::optional<failure_record>& root_cause() const noexcept { return root_cause_; }
  /// What is known of the root cause by now, in place of what was said of it first.
  void explain_failure(error why) {
    if (root_cause_) root_cause_->cause = std::move(why);
  }

  const std::vector<pipelined_region>& regions() const noexcept { return regions_; }

  /// `subtask` must exist.
  const execution_vertex& vertex(subtask_ref subtask) const;

  /// The execution, if this is the current attempt of a subtask of this job.
  const execution* find(const execution_attempt_id& attempt) const noexcept;

  /// How many current executions are in each state, by the state's number.
  std::array<std::uint32_t, execution_state_count> state_counts() const;

  /// created -> running; every execution is scheduled.
  execution_decision start(std::int64_t now_ms);

  /// A slot is there and the task manager is about to be told. Ignored unless scheduled.
  execution_decision on_deploy(const execution_attempt_id& attempt, slot_assignment slot,
                               std::int64_t now_ms);

  /// A task manager reports a new state; `why` belongs to failed.
  execution_decision on_task_state(const execution_attempt_id& attempt, execution_state state,
                                   const std::optional<error>& why, std::int64_t now_ms);

  /// Ignored for attempts that are not current.
  void on_metrics(const execution_attempt_id& attempt, const task_metrics& metrics);

  /// Everything that ran there is gone: fails for this reason without waiting for reports.
  execution_decision on_task_manager_lost(const resource_id& task_manager, const error& why,
                                          std::int64_t now_ms);

  /// Somebody wants the job to end. Ignored if it has ended or is being cancelled.
  execution_decision on_cancel(std::int64_t now_ms);

  /// The job cannot go on, for a reason that is no single task's: no slots, a restart that is not
  /// allowed. Ignored if it has ended or is ending.
  execution_decision on_fail(const error& why, std::int64_t now_ms);

  /// The job as a whole has failed, through no single task, and may be restarted: as if every
  /// region had. on_fail if nothing is ever restarted.
  execution_decision on_global_failure(const error& why, std::int64_t now_ms);

  /// This master is no longer responsible for the job; its tasks are somebody else's to stop.
  execution_decision on_suspend(std::int64_t now_ms);

  /// Schedules the next attempt of every subtask of a region that was reported as restartable. The
  /// job runs again when no other region waits.
  execution_decision reset_for_restart(std::uint32_t region, std::int64_t now_ms);

 private:
  struct region_progress {
    std::uint32_t live = 0;   ///< Executions that are not terminal.
    bool restarting = false;  ///< Failed; is being canceled, or waits for its restart.
  };

  execution_vertex& at(subtask_ref subtask);
  execution* current(const execution_attempt_id& attempt) noexcept;
  std::uint32_t region_of(const execution_attempt_id& attempt) const;

  void switch_status(job_status status, std::int64_t now_ms, execution_decision& decision);
  void end_execution(execution& e, execution_state state, std::int64_t now_ms);
  void fail_execution(execution& e, const error& why, std::int64_t now_ms);
  void cancel_execution(execution& e, std::int64_t now_ms, execution_decision& decision);
  void cancel_all(std::int64_t now_ms, execution_decision& decision);
  void note_failure(const execution& e, const error& why, std::int64_t now_ms);
  void respond_to_failure(const execution_attempt_id& attempt, std::int64_t now_ms,
                          execution_decision& decision);
  void restart(std::uint32_t region, std::int64_t now_ms, execution_decision& decision);
  void settle(std::uint32_t region, std::int64_t now_ms, execution_decision& decision);

  job_graph graph_;
  job_id id_;
  failure_response response_;
  std::vector<std::vector<execution_vertex>> vertices_;  ///< By vertex, then subtask.
  std::vector<pipelined_region> regions_;
  std::vector<std::vector<std::uint32_t>> region_of_;  ///< By vertex, then subtask.
  std::vector<region_progress> progress_;              ///< By region.
  std::uint32_t live_ = 0;                             ///< Executions that are not terminal.
  std::vector<status_change> history_;
  std::optional<failure_record> root_cause_;
};

}  // namespace millrace::graph
