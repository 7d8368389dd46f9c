#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "millrace/core/file_system.hpp"
#include "millrace/core/io.hpp"
#include "millrace/state/state_backend.hpp"
#include "millrace/stream/exchange.hpp"
#include "millrace/stream/iteration_protocol.hpp"
#include "millrace/stream/operator.hpp"
#include "millrace/stream/task_snapshot.hpp"
#include "millrace/stream/watermark_alignment.hpp"

namespace millrace {

/// What a task needs of the world and of its actor. Injected: the actor gives the real ones, a
/// simulation and unit tests give others.
class task_services : public element_port {
 public:
  /// Returns the charge of a processed batch to the sender of input channel `channel`.
  virtual void return_credit(std::uint32_t channel, std::uint64_t charge) = 0;
  virtual io_executor& io() noexcept = 0;
  virtual file_system& files() noexcept = 0;
  virtual const clock& time() const noexcept = 0;
  /// Calls `stream_task::step` once `time().now()` has reached `when`.
  virtual void wake_at(std::chrono::steady_clock::time_point when) = 0;
  /// Sends an event to the coordinator of operator `operator_index` of the chain.
  virtual void send_to_coordinator(std::uint32_t operator_index, std::vector<std::byte> event) = 0;
  /// Tells the job master how far operator `operator_index` of the chain is.
  virtual void report_alignment(std::uint32_t operator_index, const alignment_report& report) = 0;
  /// Answers the coordinator of the iteration that the task is part of.
  virtual void report_iteration(const iteration_report& report) = 0;
  /// Has a snapshot stored, and then acknowledged to the job master.
  virtual void acknowledge_checkpoint(task_snapshot snapshot) = 0;
  /// Tells the job master that the task has emitted everything and waits for a checkpoint to end.
  virtual void await_last_checkpoint() = 0;
};

/// What the configuration decides.
struct task_options {
  batch_limits batches;
  std::uint64_t record_bytes_max = 8 * 1024 * 1024;
  std::shared_ptr<state_backend> state{};  ///< Null for the hashmap backend.
  std::chrono::milliseconds auto_watermark_interval{200};
  spill_options spilling{};
  bool is_checkpointed = false;  ///< The job takes checkpoints.
  /// From the first barrier of a checkpoint that is `aligned_at_first` until it is unaligned here.
  std::chrono::milliseconds alignment_max{0};
  /// Of a snapshot, as many bytes are written in one step: processing waits for them.
  std::size_t snapshot_slice_bytes = std::size_t{256} << 10;
};

}  // namespace millrace
