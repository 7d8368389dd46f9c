#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

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

  enum class phase : std::uint8_t {
    running,    ///< Input may come.
    finishing,  ///< All input has ended; operators emit the rest and wait for their I/O.
    draining,   ///< Everything was emitted; batches wait for credit.
    done,
  };
  enum class activity : std::uint8_t { busy, idle, blocked };

  task_progress run();
  task_progress run_source();
  task_progress run_inputs();
  task_progress finish();
  task_progress wait_for_input();
  void take(input_gate::arrival next);
  void check_output_channel(std::uint32_t channel) const;
  void account(activity what);

  execution_attempt_id who_;
  std::shared_ptr<const job_program> program_;  // keeps the code alive that the chain runs
  task_services& services_;
  operator_chain chain_;
  input_gate gate_;
  input_watermarks watermarks_;
  phase phase_ = phase::running;

  activity since_ = activity::idle;
  std::chrono::steady_clock::time_point since_when_{};
  task_times times_;
};

}  // namespace millrace
