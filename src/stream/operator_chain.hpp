#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "millrace/core/ids.hpp"
#include "millrace/graph/iterations.hpp"
#include "millrace/graph/job_graph.hpp"
#include "millrace/state/keyed_state_snapshot.hpp"
#include "millrace/stream/job_program.hpp"
#include "millrace/stream/task_services.hpp"
#include "millrace/stream/task_snapshot.hpp"
#include "millrace/stream/watermark_merge.hpp"

namespace millrace {

/// What one operator has done so far.
struct operator_counts {
  std::uint64_t rows_in = 0;
  std::uint64_t rows_out = 0;
};

/// What a step of ending a chain came to.
enum class finish_status : std::uint8_t {
  more,  ///< An operator has more to emit at once.
  busy,  ///< An operator waits for I/O.
  done,  ///< Everything was emitted and written.
};

/// The operators of one subtask of a job vertex, wired: a tree whose head is fed by the task and
/// whose leaves are sinks and exchanges. Owned by one stream_task and used only from it. Whatever
/// an operator throws leaves here as an `operator_failure` with its name.
class operator_chain {
 public:
  /// Throws `failure` if the program does not fit the graph.
  operator_chain(const graph::job_graph& graph, const execution_attempt_id& who,
                 const job_program& program, task_services& services, const task_options& options);
  ~operator_chain();
  operator_chain(const operator_chain&) = delete;
  operator_chain& operator=(const operator_chain&) = delete;

  /// What the operators begin with, by operator index; before open(). Throws `failure` if that
  /// does not fit.
  void restore(std::vector<std::optional<operator_snapshot>> saved);
  void open();
  /// Instead, if all operators had emitted everything as of the checkpoint that they begin with: as
  /// open(), so that they commit what that allows, but a source, which has nothing to read, is left
  /// closed and hears of nothing.
  void open_finished();
  void close() noexcept;
  /// Why an operator of it, open, can't be part of a savepoint; empty if all can.
  const std::string& savepoint_refusal() const noexcept { return savepoint_refusal_; }

  /// Null if the head is no source.
  source_operator* source() noexcept { return source_; }
  const source_operator* source() const noexcept { return source_; }
  poll_status poll();

  /// A batch for the head's logical input, decoded if it came from another node.
  void process(std::uint32_t input, const batch_ptr& rows);
  void end_input(std::uint32_t input);
  /// Event time of the head's inputs has moved, or stands still for now.
  void on_time(const watermark_change& change);
  /// Calls the operators whose wake-up is due at `now`.
  void wake_operators(std::chrono::steady_clock::time_point now);
  /// The members of an alignment group among the operators have a new limit.
  void on_alignment_limit(const std::string& group, timestamp_ms limit);
  /// The source has emitted everything.
  void on_source_end();
  /// `operator_index` must exist.
  void on_coordinator_event(std::uint32_t operator_index, byte_view event);
  /// Ends the operators from the head down, each only when those above it hold nothing back any
  /// more. A bounded amount of work: call again until it says `done`.
  finish_status finish_step();

  /// A barrier is about to leave: from the head down, each operator emits what belongs before it.
  /// While the barrier has to wait, timers and completions of I/O may bring up more of that: call
  /// it again, then those prepare again that have got rows since.
  void prepare_snapshot(checkpoint_id checkpoint);
  /// Whether an operator waits for I/O, and the barrier for it.
  bool holds_up_barrier() const noexcept;
  /// A snapshot of the state of now, by operator index: operator state at once, keyed state by
  /// write_snapshot, while records are processed. One at a time.
  std::vector<operator_snapshot> begin_snapshot(checkpoint_id checkpoint,
                                                snapshot_form form = snapshot_form::canonical);
  /// Writes about `bytes` of what is missing in `snapshot`; true when nothing is.
  bool write_snapshot(std::vector<operator_snapshot>& snapshot, std::size_t bytes);
  /// There will be no more of it.
  void abandon_snapshot() noexcept;
  void on_checkpoint_complete(checkpoint_id checkpoint);
  void on_checkpoint_aborted(checkpoint_id checkpoint);

  /// Sends all partly filled batches.
  void flush();
  bool is_busy() const noexcept;
  bool is_blocked() const noexcept;
  /// Whether an operator waits for I/O to go on with records that it was given.
  bool holds_records() const noexcept;
  /// Whether an operator still commits what a completed checkpoint allows.
  bool is_committing() const noexcept;
  /// wake_operators for those that commit; the others hear of nothing.
  void wake_committing(std::chrono::steady_clock::time_point now);
  /// The same for those that wait for I/O, too.
  void wake_busy(std::chrono::steady_clock::time_point now);
  /// While `held`, no wake-up comes to the operators that are part of an iteration's loop.
  void hold_loop_timers(bool held);
  /// Throws what a completion of I/O has thrown since the last call.
  void rethrow_io_failure();

  /// Exchanges of this subtask in the order of their edges; output channels are numbered through.
  std::vector<std::unique_ptr<exchange>>& exchanges() noexcept { return exchanges_; }
  const std::vector<std::unique_ptr<exchange>>& exchanges() const noexcept { return exchanges_; }
  exchange& exchange_of_channel(std::uint32_t channel, std::uint32_t& index_in_exchange);
  /// Sends a barrier on all channels, behind everything that was emitted; an unaligned one ahead of
  /// what waits for credit, which is appended to `overtaken`, save where the order is to be kept.
  void send_barrier(const barrier& cut, in_flight_batches& overtaken);
  /// What was on its way as of the checkpoint leaves again, before all else. Throws `failure` if it
  /// does not fit.
  void send_again(const in_flight_batch& overtaken);
  /// Throws `failure` if that is not what the head's logical input takes.
  void check_input_type(std::uint32_t input, const batch& rows) const;
  std::uint32_t output_channel_count() const noexcept;
  /// Elements of all kinds that have left, by output channel.
  std::vector<std::uint64_t> elements_sent() const;

  std::size_t size() const noexcept { return links_.size(); }
  operator_counts counts(std::size_t index) const noexcept;
  /// The last watermark that the operator has passed on.
  timestamp_ms output_watermark(std::size_t index) const noexcept;
  const runtime_context& runtime(std::size_t index) const noexcept;
  accumulator_map accumulators() const;

 private:
  class link;
  static constexpr auto never = std::chrono::steady_clock::time_point::max();

  void make_operators(const graph::job_graph& graph, const graph::job_vertex& vertex,
                      const execution_attempt_id& who, const job_program& program,
                      const task_options& options);
  void make_exchanges(const graph::job_graph& graph, const execution_attempt_id& who,
                      const job_program& program, const task_options& options);
  void wake_at(std::chrono::steady_clock::time_point when);
  void wake(link& which, std::chrono::steady_clock::time_point now);
  bool is_in_loop(std::size_t index) const noexcept { return loop_ && loop_->has_operator[index]; }

  std::vector<std::unique_ptr<link>> links_;  // by operator index of the vertex, head first
  std::vector<std::unique_ptr<exchange>> exchanges_;
  struct exchange_traits {
    bool keeps_order = false;  // barriers, too, stay behind what came before
    const record_type* type = nullptr;
  };
  std::vector<exchange_traits> traits_;  // by exchange
  std::vector<std::unique_ptr<batch_router>> routers_;
  std::vector<std::uint32_t> exchange_of_channel_;
  std::vector<std::uint32_t> first_channel_;  // by exchange
  std::vector<const record_type*> head_types_;
  task_services& services_;
  batch_limits batches_;
  std::chrono::milliseconds auto_watermark_interval_;
  bool is_checkpointed_;
  spill_options spilling_;
  source_operator* source_ = nullptr;
  /// No operator's wake-up is before this.
  std::chrono::steady_clock::time_point next_wake_ = never;
  std::optional<graph::iteration_role> loop_;  // of a vertex that is part of one
  bool loop_timers_held_ = false;
  std::size_t written_ = 0;   // operators whose keyed state is in the snapshot under way
  std::size_t finished_ = 0;  // operators whose finish() is through
  bool input_ended_ = false;  // the operator in turn was told that its input has ended
  bool open_ = false;
  std::string savepoint_refusal_;
};

}  // namespace millrace
