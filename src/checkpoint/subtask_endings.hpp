#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "millrace/checkpoint/checkpoint_metadata.hpp"
#include "millrace/graph/execution_graph.hpp"
#include "millrace/graph/job_graph.hpp"
#include "millrace/stream/task_snapshot.hpp"

namespace millrace {

/// Which subtasks of a job need not run when it begins from a checkpoint (Flink's
/// VertexFinishedStateChecker and `TaskStateSnapshot#isTaskFinished`). A subtask that is fed by one
/// that goes on goes on, too, whatever the checkpoint says of it: with barriers that are not
/// aligned it may have been ahead, and in a job that was changed there is more to come than it
/// knew. With another parallelism, only an operator of which all subtasks had come to an end has.
///
/// Both must outlive it.
class subtask_endings {
 public:
  subtask_endings(const checkpoint_metadata& metadata, const graph::job_graph& job);

  subtask_ending of(const graph::subtask_ref& subtask);

 private:
  subtask_ending as_saved(const graph::subtask_ref& subtask) const;
  bool is_fed(const graph::subtask_ref& subtask);
  bool goes_on(std::uint32_t vertex);

  const graph::job_graph& job_;
  std::map<std::string, const operator_metadata*> saved_;  // by uid
  std::map<graph::subtask_ref, subtask_ending> known_;
  std::map<std::uint32_t, bool> goes_on_;  // vertex, any subtask of it
};

}  // namespace millrace
