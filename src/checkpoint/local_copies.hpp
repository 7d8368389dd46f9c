#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/graph/pipelined_regions.hpp"

namespace millrace {

/// A job that a task manager has copies of.
struct copied_job {
  job_id job;
  /// Whose copies, ascending.
  std::vector<graph::subtask_ref> subtasks;

  /// The slots that these subtasks were in, as a slot has one of each vertex at most.
  std::uint32_t slots() const;
};

/// Second copies of the state files of checkpoints, on a disk of the task manager's own machine, so
/// that a task that restarts here need not read its state over the network (Flink's
/// TaskLocalStateStore and TaskExecutorLocalStateStoresManager):
///
///     <directory>/<job id>/chk-<n>/<file>
///     <directory>/<job id>/shared/<n>/<file>
///
/// A copy has the bytes of its original, and the name that that has below the job's directory among
/// the checkpoints. Nobody depends on it: whoever reads it compares lengths and checksums with the
/// checkpoint's metadata, as for the original, and reads that one instead if anything is wrong. So
/// copies are not synced, may be cut off, and may be gone at any time; what fails here is logged,
/// and nobody hears of it.
///
/// Safe to use from any thread. Only what is said to block does.
class local_copies {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  /// How long copies are kept of a job that is not here, and of which nobody has said that it has
  /// ended: long enough for a job to get another master, and for this machine to be given tasks.
  static constexpr std::chrono::minutes idle_max{10};

  /// `directory` is this task manager's alone; made if missing.
  local_copies(std::shared_ptr<file_system> disk, std::string directory);

  /// Looks for what a process before this one has left in the directory: copies of jobs that have
  /// not come back yet. Once, before all else. Blocks.
  void recover(time_point now);

  // -- jobs --------------------------------------------------------------------------------------

  /// Tasks of the job are to run here.
  void job_came(const job_id& job);
  /// None do any more. It may come back, unless it has ended.
  void job_left(const job_id& job, bool has_ended, time_point now);
  /// Whether tidy() has something to do.
  bool is_untidy(time_point now) const;
  /// Removes what is left of jobs that have ended, or have stayed away for too long. Blocks.
  void tidy(time_point now);

  // -- checkpoints -------------------------------------------------------------------------------

  /// A checkpoint of the job, if it gets complete, consists of these copies (as job_copies::name_of
  /// says) among others.
  void need(const job_id& job, checkpoint_id checkpoint, const std::vector<std::string>& names);
  /// The checkpoint is complete: removes what neither it nor a later one needs. Blocks.
  void confirm(const job_id& job, checkpoint_id checkpoint);
  /// There will be no such checkpoint: removes what it alone has. Blocks.
  void abort(const job_id& job, checkpoint_id checkpoint);

  /// The jobs whose copies are here, as far as they were of complete checkpoints when that was
  /// looked at last.
  std::vector<copied_job> jobs() const;
  copied_job copies_of(const job_id& job) const;

  // -- for job_copies ----------------------------------------------------------------------------

  file_system& disk() const noexcept { return *disk_; }
  std::string directory_of(const job_id& job) const;
  /// Whether something may be written for a job, which is not removed until end_write().
  bool begin_write(const job_id& job);
  void end_write(const job_id& job);
  /// How it went to write a copy. The first of several failures is logged.
  void note_write(const status& done);

 private:
  struct known_job {
    bool is_here = false;
    bool has_ended = false;
    bool is_being_removed = false;
    time_point idle_since{};
    std::uint32_t writers = 0;
    std::map<checkpoint_id, std::set<std::string>> needed;
    std::set<graph::subtask_ref> subtasks;

    bool is_over(time_point now) const;
  };

  template <class IsWanted>
  std::vector<std::string> keep_only(const job_id& job, IsWanted&& is_wanted);

  std::shared_ptr<file_system> disk_;
  std::string directory_;
  mutable std::mutex mutex_;  // of what follows
  std::map<job_id, known_job> jobs_;
  bool is_failing_ = false;
};

}  // namespace millrace
