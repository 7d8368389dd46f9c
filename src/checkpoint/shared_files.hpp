#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/checkpoint/checkpoint_metadata.hpp"
#include "millrace/checkpoint/shared_state_registry.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/ids.hpp"

// Files that checkpoints of a job share: "<job>/shared/<n>/<file>", stored by checkpoint n. Which
// ones are needed, shared_state_registry knows while the job runs, and the metadata of its
// checkpoints afterwards. All that takes a file_system blocks.

namespace millrace {

/// Whether a handle is of a shared file: "../shared/<n>/<file>".
bool is_shared_file(std::string_view file) noexcept;
/// What such a handle says of a file that `checkpoint` stores.
std::string shared_file_of(checkpoint_id checkpoint, const std::string& name);

/// The ones that a checkpoint has, as "<n>/<file>", each once.
std::vector<std::string> shared_files_of(const checkpoint_metadata& metadata);

/// Where a checkpoint stores them, for the directory of the checkpoint.
std::string shared_directory_of(const std::string& directory, checkpoint_id checkpoint);

/// Removes them from a job's directory. Goes on if something can't be removed; the first error.
status remove_shared(file_system& files, const std::string& job_directory,
                     const shared_state_registry::removal& unused);

/// Removes all shared files of a job's directory but `needed` ("<n>/<file>") and those of
/// checkpoints behind `last`. Fine if there are none.
status remove_shared_except(file_system& files, const std::string& job_directory,
                            std::span<const std::string> needed, checkpoint_id last);

/// Removes those of `unused` ("<n>/<file>") that no checkpoint in the job's directory has. None at
/// all if the metadata of one can't be read.
status remove_shared_unless_used(file_system& files, const std::string& job_directory,
                                 std::span<const std::string> unused);

}  // namespace millrace
