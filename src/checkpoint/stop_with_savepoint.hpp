#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "millrace/core/error.hpp"
#include "millrace/core/ids.hpp"

namespace millrace {

/// What the job master is to do for a job that is to stop with a savepoint.
struct stop_decision {
  bool drain_sources = false;                 ///< Tell all sources to end.
  bool take_savepoint = false;                ///< The final one, at once.
  bool resume = false;                        ///< The job goes on: checkpoints are taken again.
  bool restart_all = false;                   ///< It goes on, from its last checkpoint, or this.
  bool forget = false;                        ///< Nor is a later master to stop the job.
  std::optional<result<std::string>> answer;  ///< For whoever asked: where the savepoint is.
};

/// Stopping a job with a savepoint, from the request to the end (Flink's
/// StopWithSavepointTerminationHandler). Plain: told what was observed, it answers what to do.
/// Owned by the job master.
///
///     idle --> [draining -->] saving --> stopping --> idle
///                   ^           ^            |  (a task fails)
///                   \-----------\-- recovering
///
/// Without draining, the job just goes on if the savepoint fails: its tasks have waited behind the
/// barrier. Sources that were drained have ended, so then the job is restarted from its last
/// checkpoint. If a task fails once the savepoint is complete, all are restarted from that, so that
/// nothing which was committed with it is emitted again, and the job is stopped anew as soon as all
/// run, with another savepoint: who has asked for the end gets it. (Flink's job goes on instead.)
/// The same if it fails while the savepoint is being stored: tasks end when they hear that it is
/// complete, so none may be left that goes on. And if the job's master dies then: the next one
/// begins in `recovering`.
class stop_with_savepoint {
 public:
  bool is_under_way() const noexcept { return phase_ != phase::idle; }
  bool is_drained() const noexcept { return is_drained_; }
  /// The savepoint by which the job's tasks end, or have ended; empty if they do not.
  const std::string& saved_at() const noexcept;

  /// Requires that none is under way.
  stop_decision on_request(bool drain);
  /// The master before has died when the savepoint there was complete. Before all else.
  void recover(bool drain, std::string location);
  /// All tasks that run have emitted everything.
  stop_decision on_all_await_last();
  /// The savepoint is complete, and lies there. Where the one lies that it takes the place of, from
  /// before a restart, to be removed: nobody will be told of it. Empty if there is none.
  std::string on_saved(std::string location);
  stop_decision on_not_saved(const error& why);
  /// A task has failed, or the job as a whole. The outcome of the savepoint `may_be_open`: its
  /// metadata are being stored.
  stop_decision on_failure(bool may_be_open);
  /// All tasks run, for the first time or again.
  stop_decision on_running();
  /// All tasks have ended well: what is not saved by now never will be.
  void on_all_finished();
  /// The same, and now the outcome may be told.
  stop_decision on_finished();
  /// It ended otherwise: it was cancelled, or has failed.
  stop_decision on_ended(const error& why);

 private:
  enum class phase : std::uint8_t {
    idle,
    draining,    ///< Sources have been told to end; what they have emitted is on its way.
    saving,      ///< The savepoint is under way.
    stopping,    ///< It is complete, and tasks end.
    recovering,  ///< A task failed then; all are restarted, from it if it is complete.
    too_late,    ///< The job has finished by itself.
  };

  stop_decision begin();
  stop_decision recover_from_failure();
  stop_decision give_up(error why);
  /// For messages: the one that a job which had to be restarted was to stop with.
  std::string of_earlier_savepoint() const;

  phase phase_ = phase::idle;
  bool is_drained_ = false;
  std::string location_;  // of the savepoint that is complete
};

}  // namespace millrace
