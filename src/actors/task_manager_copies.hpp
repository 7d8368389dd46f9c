#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "millrace/actors/messages.hpp"
#include "millrace/checkpoint/local_copies.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/core/io.hpp"

namespace millrace {

/// What a task manager's actor does about the local copies of state: tells them what it hears, and
/// has them tidied up where that may block. Does nothing if there are none to be kept.
class task_manager_copies {
 public:
  /// `io` outlives it.
  task_manager_copies(std::shared_ptr<local_copies> copies, io_executor& io, const clock& time);

  void job_came(const job_id& job);
  /// `has_ended`: and its master has said so.
  void job_left(const job_id& job, bool has_ended);
  void on_complete(const wire::checkpoint_complete& complete);
  void on_aborted(const wire::checkpoint_aborted& aborted);
  /// To be called now and then.
  void keep_house();

  /// For the registration, and for the offer of a slot.
  std::vector<wire::kept_job> kept_jobs() const;
  std::vector<graph::subtask_ref> kept_of(const job_id& job) const;

 private:
  /// Off the actor's thread.
  void run(std::function<void(local_copies&)> what);

  std::shared_ptr<local_copies> copies_;  // or null
  io_executor& io_;
  const clock& time_;
};

}  // namespace millrace
