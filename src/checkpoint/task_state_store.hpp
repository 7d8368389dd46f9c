#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "millrace/checkpoint/stored_state.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/graph/pipelined_regions.hpp"
#include "millrace/stream/task_snapshot.hpp"

namespace millrace {

/// The file of a snapshot's directory that has the state of a subtask.
std::string state_file_name(const execution_attempt_id& who);
/// The vertex and subtask whose state a file of that name has, of its own or shared. Nothing for
/// other names.
std::optional<graph::subtask_ref> subtask_of_state_file(std::string_view name);

/// A file of a database of a task.
struct uploaded_file {
  std::uint32_t op = 0;        ///< Index of the operator in its vertex.
  std::uint64_t database = 0;  ///< As database_image has it.
  std::string name;

  auto operator<=>(const uploaded_file&) const = default;
};

/// Files of a task's databases that a checkpoint has: what a later one refers to instead of storing
/// it again.
using uploaded_files = std::map<uploaded_file, stored_bytes>;

/// Those of a snapshot that is stored.
uploaded_files uploaded_files_of(const stored_task_state& state, const task_snapshot& snapshot);

/// Writes the state of a subtask into the directory of a snapshot, which must be there. State of
/// less than `memory_threshold_bytes` goes into the handles. The shareable files of databases go to
/// where those of the job's checkpoints are, one by one, if `base` does not have them. Blocks.
result<stored_task_state> store_task_state(file_system& files, const std::string& directory,
                                           const execution_attempt_id& who,
                                           const task_snapshot& snapshot,
                                           std::uint64_t memory_threshold_bytes,
                                           const uploaded_files& base = {});

}  // namespace millrace
