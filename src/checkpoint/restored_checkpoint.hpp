#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/graph/job_graph.hpp"

namespace millrace {

/// What the master of a job needs to know of the checkpoint that the job goes on from; the rest is
/// read by the tasks.
struct restored_checkpoint {
  checkpoint_id checkpoint;
  std::map<std::string, std::vector<std::byte>> coordinators{};  ///< Snapshots by operator uid.
  std::vector<graph::subtask_ref> finished{};  ///< Had ended before the checkpoint.
};

/// Blocks. Errors: those of load_checkpoint and check_restorable.
result<restored_checkpoint> read_restored_checkpoint(file_system& files,
                                                     const std::string& location,
                                                     const graph::job_graph& job);

}  // namespace millrace
