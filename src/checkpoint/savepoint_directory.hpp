#pragma once

#include <string>

#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/ids.hpp"

namespace millrace {

/// Makes a new directory below `parent` for a savepoint of the job, and returns its path:
/// "<parent>/savepoint-<the beginning of the job's id>-<12 hex digits>" (as Flink's
/// AbstractFsCheckpointStorageAccess). Blocks.
result<std::string> make_savepoint_directory(file_system& files, const std::string& parent,
                                             const job_id& job, checkpoint_id checkpoint);

/// Removes the savepoint at `path`: a directory, or the metadata file in it. Blocks.
/// `invalid_argument` for a checkpoint, which belongs to its job, and for what holds none.
status dispose_savepoint(file_system& files, const std::string& path);

}  // namespace millrace
