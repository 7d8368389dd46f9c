#pragma once

#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "millrace/stream/iteration_coordinator.hpp"
#include "millrace/stream/stream_task.hpp"
#include "support/manual_io.hpp"
#include "support/virtual_clock.hpp"

namespace millrace::test {

/// How a local_pipeline runs. The same settings run in the same way.
struct pipeline_settings {
  std::uint64_t seed = 1;
  std::uint64_t channel_bytes = 2048;  ///< Small, so that back pressure is the rule.
  task_options tasks{.batches = {.rows = 16, .bytes = 1024}};
  /// Of 1000 events, how many begin a checkpoint, if none is under way; needs
  /// tasks.is_checkpointed.
  int checkpoints_permille = 0;
  barrier_alignment alignment = barrier_alignment::exactly_once;
  int encoded_percent = 50;  ///< Of channels whose batches travel as bytes, as between nodes.
};

/// Runs all tasks of a job in one thread: a seeded random choice decides what happens next, so that
/// elements, credits, completions of I/O and steps of tasks come in every order that a cluster may
/// bring about. Time passes only when nothing else can happen.
class local_pipeline {
 public:
  /// What subtasks begin with, by vertex and subtask.
  using checkpoint = std::map<std::pair<std::uint32_t, std::uint32_t>, task_restore>;

  local_pipeline(graph::job_graph graph, std::shared_ptr<const job_program> program,
                 file_system& files, pipeline_settings settings = {},
                 const checkpoint* from = nullptr);
  ~local_pipeline();

  /// To the end. Throws what a task throws, and std::logic_error if nothing can happen any more.
  void run();
  /// At most so many events; whether the job has ended.
  bool run_some(std::size_t events_max);

  /// Stops with a savepoint: the next checkpoint, which begins at once.
  void stop() { is_stopping_ = true; }
  /// If that is still under way, it is given up, and the pipeline goes on. Whether it was.
  bool give_up_stop();
  /// Sources end where they are.
  void drain();

  accumulator_map accumulators() const;
  /// The last one that was completed; empty if none was.
  const checkpoint& last_checkpoint() const { return completed_; }
  std::uint64_t checkpoints_completed() const { return checkpoints_completed_; }
  std::uint64_t events() const { return events_; }
  /// The most bytes that ever waited in a channel's queues: what was granted, if credits work.
  std::uint64_t queued_bytes_max() const { return queued_bytes_max_; }
  virtual_clock& time() { return clock_; }
  stream_task& task(std::uint32_t vertex, std::uint32_t subtask);

 private:
  struct node;
  struct job_master;
  struct message {
    enum class kind {
      element,
      credit,
      open,
      alignment,
      event,
      iteration,
      trigger,
      complete,
      abort
    } what = kind::element;
    std::uint32_t channel = 0;
    std::uint64_t bytes = 0;
    element payload;
    std::pair<std::string, timestamp_ms> limit{};  // of an alignment group
    std::vector<std::byte> event{};                // of the coordinator of operator `channel`
    iteration_command command{};
    barrier cut{};
  };

  void deliver(node& to, std::size_t queue);
  void step(node& which);
  void announce(const std::string& group, timestamp_ms limit);
  void carry_out(std::size_t iteration, const iteration_coordinator::decision& decision);
  bool pass_time();
  void begin_checkpoint();
  void on_snapshot(const execution_attempt_id& task, task_snapshot snapshot);
  void on_task_finished(const execution_attempt_id& task);
  void tell_all(message::kind what, checkpoint_id id);

  graph::job_graph graph_;
  std::shared_ptr<const job_program> program_;
  file_system& files_;
  pipeline_settings settings_;
  std::mt19937_64 random_;
  virtual_clock clock_;
  alignment_coordinator alignment_;
  std::unique_ptr<job_master> master_;
  std::vector<iteration_coordinator> iterations_;
  std::vector<std::size_t> busy_iterations_;  // to be asked again, at any time
  std::vector<std::unique_ptr<node>> nodes_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, node*> node_of_;
  checkpoint_id under_way_;
  std::uint64_t last_checkpoint_ = 0;
  std::set<execution_attempt_id> awaited_;
  checkpoint gathered_;
  checkpoint completed_;
  std::uint64_t checkpoints_completed_ = 0;
  bool last_checkpoint_wanted_ = false;
  bool is_stopping_ = false;
  bool is_stop_begun_ = false;
  std::uint64_t events_ = 0;
  std::uint64_t queued_bytes_max_ = 0;
};

}  // namespace millrace::test
