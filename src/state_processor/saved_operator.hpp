#pragma once

#include <string>

#include "millrace/checkpoint/checkpoint_metadata.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"

// What a snapshot that is to be processed says about itself. All of this blocks, but for what takes
// metadata.

namespace millrace {

/// The metadata of a snapshot. Errors are those of load_checkpoint, and say so if only a savepoint
/// is there whose writing has not finished.
result<checkpoint_metadata> load_snapshot(file_system& files, const std::string& path);

/// The operator of that uid in a snapshot, which is at `path`; `invalid_argument` with the uids
/// that there are if it has none.
result<operator_metadata> find_operator(const checkpoint_metadata& metadata,
                                        const std::string& path, const std::string& uid);
/// The same with load_snapshot before.
result<operator_metadata> load_operator(file_system& files, const std::string& path,
                                        const std::string& uid);

/// As errors call it.
std::string subject_of(const operator_metadata& op);

/// Where a savepoint is until all of it is there.
std::string unfinished_path(const std::string& path);

}  // namespace millrace
