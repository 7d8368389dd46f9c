#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/core/byte_buffer.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/core/io.hpp"

namespace millrace {

/// What the job master gives to an operator's coordinator. Used only from the job master's actor.
class coordinator_context {
 public:
  virtual ~coordinator_context() = default;

  /// As plans, logs and errors show it.
  virtual const std::string& operator_name() const noexcept = 0;
  /// By which its state is found again.
  virtual const std::string& operator_uid() const noexcept = 0;
  /// Number of subtasks.
  virtual std::uint32_t parallelism() const noexcept = 0;
  /// Whether the job takes checkpoints.
  virtual bool is_checkpointed() const noexcept = 0;

  /// Sends an event to a subtask, whose on_coordinator_event gets those of its life in order.
  /// Dropped while the subtask is not between on_subtask_ready and on_subtask_failed.
  virtual void send_to_subtask(std::uint32_t subtask, std::vector<std::byte> event) = 0;
  /// The operator cannot go on: fails the job with the operator's name.
  virtual void fail(error why) = 0;
  /// Runs blocking work elsewhere; `done` is called back in the job master, never after close().
  virtual io_executor& io() noexcept = 0;
  /// For work that is given to io().
  virtual file_system& files() noexcept = 0;
  /// The only source of time.
  virtual const clock& time() const noexcept = 0;
  /// Calls on_wake at that time; the earliest request counts, and is over once it was called.
  virtual void wake_at(std::chrono::steady_clock::time_point when) = 0;
};

/// What speaks for all subtasks of an operator, in the job master (Flink's OperatorCoordinator).
/// Called only from there, one call at a time; may throw, which fails the job with the operator's
/// name. Its life:
///
///     restore?  start  ( on_… | snapshot )*  close
class operator_coordinator {
 public:
  virtual ~operator_coordinator() = default;

  /// What `snapshot` returned, of the checkpoint that the job starts from; before `start`.
  virtual status restore(byte_view snapshot) = 0;
  /// Before any subtask is ready.
  virtual void start() = 0;
  /// The subtask runs and hears events.
  virtual void on_subtask_ready(std::uint32_t subtask) = 0;
  /// The attempt has ended, however: what it has said so far it may say again.
  virtual void on_subtask_gone(std::uint32_t) {}
  /// The subtask is gone, and what it was told since its last checkpoint is forgotten. Another
  /// attempt goes on from `restored`; 0 if it starts afresh.
  virtual void on_subtask_failed(std::uint32_t subtask, checkpoint_id restored) = 0;
  /// What a subtask has sent.
  virtual void on_event(std::uint32_t subtask, byte_view event) = 0;
  /// The state as of this checkpoint: of what was sent to subtasks until now they hear before their
  /// barrier, and nothing else.
  virtual std::vector<std::byte> snapshot(checkpoint_id checkpoint) = 0;
  /// As for operators.
  virtual void on_checkpoint_complete(checkpoint_id) {}
  /// As for operators.
  virtual void on_checkpoint_aborted(checkpoint_id) {}
  /// A wake-up that was asked for is due.
  virtual void on_wake() {}
  /// Outstanding I/O is dropped.
  virtual void close() noexcept {}
};

}  // namespace millrace
