#pragma once

#include <string>

#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/ids.hpp"

namespace millrace {

/// A path below `parent`, where nothing is, for a savepoint of the job:
/// "<parent>/savepoint-<the beginning of the job's id>-<12 hex digits>" (as Flink's
/// AbstractFsCheckpointStorageAccess). Blocks.
result<std::string> free_savepoint_path(file_system& files, const std::string& parent,
                                        const job_id& job, checkpoint_id checkpoint);

/// Makes the directory at such a path. Blocks.
status make_savepoint_directory(file_system& files, const std::string& path);

/// Removes what a savepoint that was begun at `path` has left, unless it is complete and was not
/// withdrawn. Fine if there is nothing. Blocks.
status remove_unfinished_savepoint(file_system& files, const std::string& path,
                                   bool is_withdrawn = false);

/// Removes the savepoint at `path`: a directory, or the metadata file in it. Blocks.
/// `invalid_argument` for a checkpoint, which belongs to its job, and for what holds none.
status dispose_savepoint(file_system& files, const std::string& path);

}  // namespace millrace
