#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "millrace/checkpoint/checkpoint_history.hpp"
#include "millrace/checkpoint/checkpoint_metadata.hpp"
#include "millrace/checkpoint/checkpoint_plan.hpp"
#include "millrace/checkpoint/stored_state.hpp"
#include "millrace/graph/job_graph.hpp"
#include "millrace/stream/element.hpp"

namespace millrace {

/// What a task says when its state is stored.
struct checkpoint_acknowledgement {
  execution_attempt_id task;
  checkpoint_id checkpoint;
  stored_task_state state;
  std::uint64_t alignment_ms = 0;
  std::uint64_t synchronous_ms = 0;
  std::uint64_t asynchronous_ms = 0;

  bool operator==(const checkpoint_acknowledgement&) const = default;
};

/// A checkpoint on its way (Flink's PendingCheckpoint): begins when its place in the storage is
/// made, is triggered at the tasks, gathers their acknowledgements and the snapshots of operator
/// coordinators, and is stored. Plain; owned by the coordinator.
class pending_checkpoint {
 public:
  enum class phase : std::uint8_t {
    beginning,  ///< The storage makes room for it.
    gathering,  ///< Tasks have been told.
    storing,    ///< All state is there, and the metadata is being written.
  };
  enum class answer : std::uint8_t { taken, complete, not_expected };

  pending_checkpoint(barrier cut, std::int64_t begun_ms, std::uint64_t begun_wall_ms);

  const barrier& cut() const noexcept { return cut_; }
  checkpoint_id id() const noexcept { return cut_.checkpoint; }
  phase now_in() const noexcept { return phase_; }
  std::int64_t begun_ms() const noexcept { return begun_ms_; }

  /// beginning -> gathering. `coordinators` are snapshots by uid of the operator.
  void gather(checkpoint_plan plan, std::map<std::string, std::vector<std::byte>> coordinators);
  /// gathering -> storing with the last one.
  answer acknowledge(checkpoint_acknowledgement ack, std::int64_t now_ms);
  /// Whether it waits for this task.
  bool waits_for(const execution_attempt_id& task) const { return awaited_.contains(task); }
  const std::set<execution_attempt_id>& awaited() const noexcept { return awaited_; }
  const std::vector<execution_attempt_id>& tasks() const noexcept { return plan_.acknowledge; }

  /// Those that have nothing to emit any more: that had ended before, or only waited for it.
  std::vector<graph::subtask_ref> finished() const;

  /// Requires storing.
  checkpoint_metadata metadata(const graph::job_graph& job, const job_id& id) const;
  checkpoint_record record(std::int64_t now_ms) const;
  /// What each subtask has done for it so far, by vertex and subtask. None before `gather`.
  std::vector<subtask_checkpoint> subtasks() const;

 private:
  struct taken_acknowledgement {
    checkpoint_acknowledgement ack;
    std::int64_t taken_ms = 0;
  };

  barrier cut_;
  std::int64_t begun_ms_;
  std::uint64_t begun_wall_ms_;
  phase phase_ = phase::beginning;
  checkpoint_plan plan_;
  std::set<execution_attempt_id> awaited_;
  std::map<std::string, std::vector<std::byte>> coordinators_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, taken_acknowledgement> taken_;
};

}  // namespace millrace
