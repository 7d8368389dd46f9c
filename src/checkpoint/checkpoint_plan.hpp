#pragma once

#include <vector>

#include "millrace/core/error.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/graph/execution_graph.hpp"

namespace millrace {

/// Who takes part in a checkpoint (Flink's CheckpointPlan).
struct checkpoint_plan {
  /// Nobody upstream of these runs any more: no barrier reaches them, so they are told.
  std::vector<execution_attempt_id> trigger;
  /// Whose acknowledgements it takes: all that run.
  std::vector<execution_attempt_id> acknowledge;
  /// These have ended.
  std::vector<graph::subtask_ref> finished;
};

/// Fails with the first task that neither runs nor has finished, or if all have.
result<checkpoint_plan> plan_checkpoint(const graph::execution_graph& execution);

}  // namespace millrace
