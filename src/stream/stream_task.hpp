#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

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
/// Errors: any call may throw `operator_failure` or `failure`; the task is then to be closed. What
/// a completion of I/O throws comes out of the next step, which must follow the completion.
class stream_task {
 public:
  stream_task(const graph::job_graph& graph, const execution_attempt_id& who,
              std::shared_ptr<const job_program> program, task_services& services,
              const task_options& options);

  void open();
  void close() noexcept;

  void on_element(std::uint32_t input_channel, element e);
  /// The receiver of an output channel has come and grants credit.
  void on_channel_open(std::uint32_t output_channel, std::uint64_t bytes);
  /// The receiver of an output channel has processed a batch.
  void on_credit(std::uint32_t output_channel, std::uint64_t charge);
  /// The job master has news for the members of an alignment group.
  void on_alignment_limit(const std::string& group, timestamp_ms limit);

  /// The coordinator of operator `operator_index` has sent it something.
  void on_coordinator_event(std::uint32_t operator_index, byte_view event);
  /// The coordinator of the iteration that the task is part of has a question or a decision.
  /// Refused by a task that is part of none.
  void on_iteration_command(const iteration_command& command);

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

  enum class phase : std::uint8_t {
    running,    ///< Input may come.
    finishing,  ///< All input has ended; operators emit the rest and wait for their I/O.
    draining,   ///< Everything was emitted; batches wait for credit.
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
  task_progress run_inputs();
  task_progress finish();
  task_progress wait_for_input();
  bool take_next();
  void take(input_gate::arrival next);
  void pass_time(watermark_change change);
  void join_loop(const graph::job_graph& graph, const task_options& options);
  bool is_head() const noexcept { return loop_ && loop_->role.is_head; }
  void take_back(std::uint32_t channel, element e);
  bool take_next_at_head();
  void end_what_may_end();
  bool is_passive() const;
  void answer_coordinator(task_progress progress);
  void check_output_channel(std::uint32_t channel) const;
  void account(activity what);

  execution_attempt_id who_;
  std::shared_ptr<const job_program> program_;  // keeps the code alive that the chain runs
  task_services& services_;
  operator_chain chain_;
  input_gate gate_;
  input_watermarks watermarks_;
  std::unique_ptr<loop_member> loop_;  // null if it is part of none
  phase phase_ = phase::running;

  activity since_ = activity::idle;
  std::chrono::steady_clock::time_point since_when_{};
  task_times times_;
};

}  // namespace millrace
