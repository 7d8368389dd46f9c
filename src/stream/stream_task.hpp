#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "millrace/stream/barrier_aligner.hpp"
#include "millrace/stream/channel_recorder.hpp"
#include "millrace/stream/feedback_buffer.hpp"
#include "millrace/stream/input_gate.hpp"
#include "millrace/stream/input_watermarks.hpp"
#include "millrace/stream/operator_chain.hpp"

namespace millrace {

/// What step() says about the next one.
enum class task_progress : std::uint8_t {
  ready,     ///< There is more to do at once: step again after the mailbox had its turn.
  waiting,   ///< Nothing to do until an element, credit, I/O completion or timer arrives.
  finished,  ///< Everything was emitted and sent. close() it.
};

/// Where a task's time went, in nanoseconds since it was opened (Flink's busy, idle and
/// backPressured time).
struct task_times {
  std::uint64_t busy_ns = 0;
  std::uint64_t idle_ns = 0;
  std::uint64_t blocked_ns = 0;
};

/// The loop of one subtask as a plain state machine: events come in through the `on_…` methods,
/// step() does a bounded amount of work. Its actor only moves messages between it and the mailbox
/// (the idea is Hazelcast Jet's Tasklet). Not thread-safe; all calls from one actor.
///
/// The step never takes input while output waits for credit or an operator waits for I/O; that is
/// all there is to back pressure. Wake-ups of operators wait for credit, too, but not for I/O:
/// timeouts must end the waiting.
///
/// A task that is part of an iteration's loop answers the iteration's coordinator at the end of a
/// step. The loop's head takes what comes back whether or not it may send, and new input only when
/// little of that waits; its end and that of its event time come from the coordinator.
///
/// Checkpoints. A task takes its snapshot between two batches, once the barriers have come on its
/// inputs or, if it has none, the job master has triggered it: its operators emit what belongs
/// before the barrier, the barrier leaves, and the state of this moment is frozen. It is written
/// in slices, one at the end of each step, while processing goes on, and then handed on to be
/// stored. One is written at a time: at the next barrier the task waits until the one before is
/// written or aborted.
/// An unaligned snapshot is taken as soon as the first barrier arrives, also while output waits for
/// credit: the barrier overtakes what waits there, which becomes part of the snapshot, as does what
/// waits at the inputs, and what still comes on channels until their barrier does. The snapshot is
/// handed on when all that is there. Batches from a snapshot come before all others of their
/// channel when the task begins again. Watermarks are not kept: event time begins anew, as with all
/// checkpoints.
/// A task of a checkpointed job that has emitted everything does not end at once: it says so
/// downstream by `end_of_data`, goes on taking part in checkpoints, and ends when one is complete
/// that has seen it so, and those upstream have ended. So sinks can commit what came last. In a job
/// that takes no checkpoints only sources that are drained wait so, and who hears `end_of_data`:
/// for the savepoint that the job is stopped with.
///
/// A task that is restored from a checkpoint that has seen it so need not run: it opens its
/// operators but the source, so that they commit what the checkpoint allows, takes part in
/// checkpoints while they do, and ends. One that had ended before runs nothing.
///
/// Behind the barrier of a final savepoint a task does nothing: its sources are not asked, its
/// timers do not fire, and what comes waits. If the savepoint becomes complete, the task ends
/// without finishing its operators, whose state is in the savepoint; if not, it goes on.
///
/// Errors: any call may throw `operator_failure` or `failure`; the task is then to be closed. What
/// a completion of I/O throws comes out of the next step, which must follow the completion.
class stream_task {
 public:
  stream_task(const graph::job_graph& graph, const execution_attempt_id& who,
              std::shared_ptr<const job_program> program, task_services& services,
              const task_options& options);

  /// What the task begins with; before open().
  void restore(task_restore saved);
  void open();
  void close() noexcept;

  void on_element(std::uint32_t input_channel, element e);
  /// The receiver of an output channel has come and grants credit.
  void on_channel_open(std::uint32_t output_channel, std::uint64_t bytes);
  /// The receiver of an output channel has processed a batch.
  void on_credit(std::uint32_t output_channel, std::uint64_t charge);
  /// The job master has news for the members of an alignment group.
  void on_alignment_limit(const std::string& group, timestamp_ms limit);

  /// The coordinator of operator `operator_index` has sent it something. Behind a trigger it is not
  /// part of that checkpoint.
  void on_coordinator_event(std::uint32_t operator_index, byte_view event);
  /// The coordinator of the iteration that the task is part of has a question or a decision.
  /// Refused by a task that is part of none.
  void on_iteration_command(const iteration_command& command);

  /// The job master begins a checkpoint, of which no barrier will come here.
  void on_checkpoint_trigger(const barrier& cut);
  /// The whole job's checkpoint is stored.
  void on_checkpoint_complete(checkpoint_id checkpoint);
  /// There will be no such checkpoint.
  void on_checkpoint_aborted(checkpoint_id checkpoint);
  /// The job is to end: a source has nothing more to emit, and event time is over. Without effect
  /// on tasks that have inputs.
  void drain() noexcept { is_drained_ = awaits_last_ = true; }

  task_progress step();

  const execution_attempt_id& id() const noexcept { return who_; }
  operator_chain& chain() noexcept { return chain_; }
  const operator_chain& chain() const noexcept { return chain_; }
  const input_gate& gate() const noexcept { return gate_; }
  const input_watermarks& watermarks() const noexcept { return watermarks_; }
  task_times times() const noexcept;

 private:
  /// Batches that one step may process before the mailbox gets its turn again.
  static constexpr int batches_per_step = 8;
  /// Batches that come back to a head for each one that it takes from outside, while many do.
  static constexpr int feedback_batches_per_input = 16;

  ///     running -> finishing [-> awaiting_checkpoint] -> draining -> done
  ///     (restored) -> awaiting_checkpoint --------------> draining
  ///     running <-> stopped ----------------------------> draining
  ///     restored_finished ------------------------------> draining
  enum class phase : std::uint8_t {
    running,              ///< Input may come.
    stopped,              ///< The final savepoint has its state, but is not complete yet.
    finishing,            ///< All input has ended; operators emit the rest and wait for their I/O.
    awaiting_checkpoint,  ///< Everything was emitted, and is to become part of a checkpoint.
    restored_finished,    ///< It had ended before the job was restarted; its inputs have, too.
    draining,             ///< Batches wait for credit.
    done,
  };
  enum class activity : std::uint8_t { busy, idle, blocked };

  /// The task's part in the loop of an iteration.
  struct loop_member {
    explicit loop_member(graph::iteration_role what) : role(std::move(what)) {}

    graph::iteration_role role;
    std::vector<std::uint32_t> outside;         ///< Input channels that are not part of the loop.
    std::optional<iteration_command> question;  ///< Not yet answered.
    // The head's, else unused:
    std::vector<bool> is_feedback;  ///< By input channel.
    std::uint32_t feedback_input = 0;
    std::uint32_t open_feedback = 0;  ///< Channels that have not ended.
    std::unique_ptr<feedback_buffer> came_back;
    std::vector<std::uint64_t> elements_back;  ///< By input channel.
    int since_input = 0;           ///< Batches that came back since one from outside was taken.
    bool event_time_held = false;  ///< Outside it is over, in the loop it is not yet to be.
    bool event_time_may_end = false;
    bool may_end = false;
  };

  task_progress run();
  task_progress run_source();
  void end_of_source();
  task_progress run_inputs();
  task_progress finish();
  task_progress await_checkpoint();
  task_progress await_stop();
  task_progress wait_for_input();
  task_progress wait_with_snapshot();
  bool take_next();
  void take(input_gate::arrival next);
  void take_barrier(const input_gate::arrival& next);
  void refuse_records(const input_gate::arrival& next) const;
  bool have_inputs_closed() const;
  void pass_time(watermark_change change);
  void join_loop(const graph::job_graph& graph, const task_options& options);
  bool is_head() const noexcept { return loop_ && loop_->role.is_head; }
  void take_back(std::uint32_t channel, element e);
  bool take_next_at_head();
  void end_what_may_end();
  bool is_passive() const;
  void answer_coordinator(task_progress progress);
  void act(barrier_aligner::decision what, std::uint32_t channel = 0);
  void give_up_due(checkpoint_id checkpoint);
  /// Nothing is read before they are taken. False while they must wait.
  bool take_due_snapshots();
  /// The first that is due; false while it must wait.
  bool take_snapshot();
  /// Records what is on its way to the task, and hands the snapshot on when that is there.
  void record_channels(task_snapshot& taken, const std::vector<bool>& has_come);
  void hand_on_whole_snapshots();
  /// What is not aligned in time becomes unaligned.
  void mind_alignment_time();
  void write_snapshot();
  void check_output_channel(std::uint32_t channel) const;
  void account(activity what);

  execution_attempt_id who_;
  std::shared_ptr<const job_program> program_;  // keeps the code alive that the chain runs
  task_services& services_;
  operator_chain chain_;
  input_gate gate_;
  input_watermarks watermarks_;
  std::unique_ptr<loop_member> loop_;  // null if it is part of none
  barrier_aligner aligner_;
  channel_recorder recorder_;
  phase phase_ = phase::running;

  struct coordinator_event {
    std::uint32_t operator_index = 0;
    std::vector<std::byte> event;
  };
  struct due_snapshot {
    barrier_aligner::aligned_cut what;
    std::chrono::steady_clock::time_point overtakes_from;  ///< If aligned_at_first.
    std::vector<coordinator_event> events;  ///< That came since: they belong behind it.
  };
  void hear(const std::vector<coordinator_event>& events);

  bool awaits_last_;  // checkpoint, once it has emitted everything
  std::chrono::milliseconds alignment_max_;
  std::deque<due_snapshot> due_;          // to be taken as soon as may be, ascending
  std::optional<task_snapshot> writing_;  // taken, but its keyed state is not all written
  std::size_t slice_bytes_;               // of it that a step writes
  checkpoint_id last_prepared_;           // operators know of no later one
  checkpoint_id first_after_all_;         // whose snapshot was the first after everything
  bool is_last_complete_ = false;         // that one, or a later one, is
  checkpoint_id stopped_at_;              // the final savepoint that the task waits for
  bool is_stop_certain_ = false;          // it is complete
  bool is_drained_ = false;
  bool has_source_more_ = false;                  // than it was let emit
  subtask_ending ending_ = subtask_ending::none;  // as it was restored

  activity since_ = activity::idle;
  std::chrono::steady_clock::time_point since_when_{};
  task_times times_;
};

}  // namespace millrace
