#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "millrace/checkpoint/checkpoint_metadata.hpp"
#include "millrace/checkpoint/state_file.hpp"
#include "millrace/checkpoint/subtask_endings.hpp"
#include "millrace/checkpoint/task_state_store.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/key_group.hpp"
#include "millrace/graph/job_graph.hpp"
#include "millrace/state/state_backend.hpp"
#include "millrace/stream/task_snapshot.hpp"

// Which state of a checkpoint goes to which subtask (Flink's StateAssignmentOperation). Operators
// are found again by their uid; the parallelism may be another one.

namespace millrace {

/// Whether a job can begin from a checkpoint: `invalid_argument` with the operator's name and what
/// to do for an operator whose maximal parallelism has changed, and for state that belongs to no
/// operator of the job, unless `allow_non_restored`. A checkpoint with batches that were on their
/// way is for a job of the same shape only.
status check_restorable(const checkpoint_metadata& metadata, const graph::job_graph& job,
                        bool allow_non_restored);

/// What a subtask of a vertex reads of a checkpoint: handles only.
struct state_assignment {
  /// A part of what one former subtask had.
  struct keyed_part {
    const stored_keyed_state* state = nullptr;
    key_group_range groups;
  };
  struct of_operator {
    std::string name;
    bool is_saved = false;  ///< The checkpoint knows it; otherwise it begins afresh.
    std::vector<keyed_part> keyed;
    /// Of all former subtasks, in their order; null for those without. Which of it is this
    /// subtask's is decided by `redistribute`.
    std::vector<const stored_bytes*> operator_state;
  };

  checkpoint_id checkpoint;
  subtask_ending ending = subtask_ending::none;  ///< If it has ended, there is no state.
  std::uint32_t subtask = 0;
  std::uint32_t parallelism = 1;
  std::vector<of_operator> operators;
  const stored_bytes* in_flight = nullptr;  ///< Batches that were on their way; null for none.
};

/// Points into `metadata`. Requires check_restorable.
state_assignment assign_state(const checkpoint_metadata& metadata, const graph::job_graph& job,
                              const graph::subtask_ref& who);

/// Reads it. Keyed state comes as key groups, or, if it was
/// stored as the database of just this subtask and `backend` can go on with that, as an image of
/// it, which the file system must outlive. Blocks. Errors name the operator.
result<task_restore> read_assigned_state(const snapshot_source& source,
                                         const state_assignment& assigned,
                                         state_backend* backend = nullptr);

/// The paths of the files that it is in, each once. `directory` is that of the metadata.
std::vector<std::string> files_of(const state_assignment& assigned, const std::string& directory);

/// Where the files of the images lie that the task was restored with.
uploaded_files restored_files(const state_assignment& assigned, const task_restore& restored);

}  // namespace millrace
