#pragma once

#include <caf/fwd.hpp>
#include <caf/response_promise.hpp>
#include <caf/result.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "millrace/actors/job_checkpoints.hpp"
#include "millrace/actors/messages.hpp"
#include "millrace/checkpoint/stop_with_savepoint.hpp"

namespace millrace {

/// Answers requests for savepoints of a job, and stops it with one as stop_with_savepoint decides.
/// Part of the job master's actor: called only from there.
class job_savepoints {
 public:
  /// What it needs of its job master.
  struct hooks {
    std::function<void()> drain_sources;
    /// The job is to go on from its last checkpoint.
    std::function<void(const error&)> restart_all;
    /// Checkpoints are taken again.
    std::function<void()> on_resumed;
  };

  /// `checkpoints` outlives it.
  job_savepoints(caf::event_based_actor& self, job_checkpoints& checkpoints,
                 std::string default_directory, hooks h);

  /// An earlier master was stopping the job, and has died when the savepoint there was complete.
  /// Before all else.
  void recover(const std::string& location, const job_stop& stop);

  caf::result<wire::checkpoint_taken> take(const std::string& directory);
  /// Joins a stop that an earlier master was asked for, if it is of the same kind.
  caf::result<wire::checkpoint_taken> stop(const std::string& directory, bool drain);

  /// Whether the last checkpoint is none to be taken but this one's savepoint.
  bool on_all_await_last();
  /// A task has failed; checkpoints are not told yet. Whether all are to be restarted.
  bool on_failure();
  /// All tasks run, also: still; checkpoints have been told.
  void on_running();
  /// All tasks have ended well; checkpoints are not told yet.
  void on_all_finished();
  /// The job has finished, and whoever asks finds it so.
  void on_finished();
  /// Where the savepoint is that the job has been stopped with, until on_finished; empty if it was
  /// not.
  const std::string& stopped_with() const noexcept { return stop_.saved_at(); }
  /// It ends otherwise; checkpoints are not told yet. Whoever has asked for the stop is answered
  /// when it is known what has become of the savepoint.
  void on_ended(const error& why);

 private:
  /// Nothing if nobody said where savepoints are to be.
  result<std::string> directory_of(const std::string& given) const;
  void take_final();
  void on_final_taken(result<checkpoint_record> done);
  /// Tells whoever has asked for the stop, if that was asked of this master.
  void answer(const result<std::string>& outcome, bool forgets);
  void carry_out(const stop_decision& decision);

  caf::event_based_actor& self_;
  job_checkpoints& checkpoints_;
  std::string default_directory_;
  hooks hooks_;
  stop_with_savepoint stop_;
  std::string stop_directory_;
  std::optional<checkpoint_record> final_;
  bool is_final_open_ = false;                   // asked for, and not answered
  std::optional<error> ended_;                   // why, while that is so
  std::vector<caf::response_promise> stoppers_;  // none if an earlier master was asked
};

}  // namespace millrace
