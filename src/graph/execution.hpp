#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "millrace/core/error.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/graph/execution_state.hpp"

namespace millrace::graph {

/// What a task last said about its work. All counts are totals since the attempt began.
struct task_metrics {
  std::uint64_t records_in = 0;
  std::uint64_t records_out = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t busy_ms = 0;
  std::uint64_t idle_ms = 0;
  std::uint64_t back_pressured_ms = 0;
  std::uint64_t source_bytes_done = 0;   ///< Of a bounded source whose size is known.
  std::uint64_t source_bytes_total = 0;  ///< 0: unknown.

  bool operator==(const task_metrics&) const = default;
};

/// The slot that an execution runs in.
struct slot_assignment {
  allocation_id slot;
  resource_id task_manager;
  std::string address;  ///< Of the task manager, for humans.

  bool operator==(const slot_assignment&) const = default;
};

/// One attempt to run one subtask (Flink's Execution). Owned by the job master's execution graph.
class execution {
 public:
  execution(execution_attempt_id id, std::int64_t now_ms);

  const execution_attempt_id& id() const noexcept { return id_; }
  execution_state state() const noexcept { return state_; }

  /// When it entered the state, in ms of the injected clock; nothing if it never did.
  std::optional<std::int64_t> entered_ms(execution_state state) const noexcept;

  /// Nothing until it is deployed.
  const std::optional<slot_assignment>& slot() const noexcept { return slot_; }

  /// Why it failed, as its task manager said it; only in state failed.
  const std::optional<error>& failure() const noexcept { return failure_; }

  const task_metrics& metrics() const noexcept { return metrics_; }
  void update_metrics(const task_metrics& metrics) { metrics_ = metrics; }

  /// The arrow must be legal: reports from outside are asked `can_transition` first.
  void transition_to(execution_state state, std::int64_t now_ms);

  /// scheduled -> deploying.
  void deploy(slot_assignment slot, std::int64_t now_ms);

  /// -> failed.
  void fail_with(error why, std::int64_t now_ms);

 private:
  execution_attempt_id id_;
  execution_state state_ = execution_state::created;
  std::array<std::optional<std::int64_t>, execution_state_count> entered_ms_;
  std::optional<slot_assignment> slot_;
  std::optional<error> failure_;
  task_metrics metrics_;
};

/// One subtask of one vertex: its current execution and the ones before it (Flink's
/// ExecutionVertex). Owned by the job master's execution graph.
class execution_vertex {
 public:
  explicit execution_vertex(execution first) : current_(std::move(first)) {}

  execution& current() noexcept { return current_; }
  const execution& current() const noexcept { return current_; }

  /// The most recent former attempts, oldest first; at most `history_size_max`.
  const std::vector<execution>& history() const noexcept { return history_; }

  /// Replaces the current execution, which must be terminal, by its next attempt in state created.
  void begin_next_attempt(std::int64_t now_ms);

  static constexpr std::size_t history_size_max = 16;

 private:
  execution current_;
  std::vector<execution> history_;
};

}  // namespace millrace::graph
