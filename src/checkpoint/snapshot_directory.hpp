#pragma once

#include <string>

#include "millrace/checkpoint/checkpoint_metadata.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"

// A directory that holds one snapshot, a checkpoint or a savepoint: state files, and metadata that
// are written last and name them relative to the directory, which may thus be moved, unless it is
// one of a checkpoint that shares files with others of its job (shared_files).
// docs/checkpoint-format.md describes it. All of this blocks.

namespace millrace {

/// Makes the directory hold the snapshot, durably and at once.
status complete_snapshot(file_system& files, const std::string& directory,
                         const checkpoint_metadata& metadata);

/// The metadata at a location, of whatever job: a snapshot's directory, or the file in it. What
/// types it has is then known in this process.
result<checkpoint_metadata> load_checkpoint(file_system& files, const std::string& location);

/// Reads all that a restart from there would, compares checksums, and opens databases.
/// `invalid_data` or `not_found` with the path of what is damaged, or the operator whose database
/// is.
status check_snapshot(file_system& files, const std::string& location);
/// The same for files alone, whatever they mean to whoever has stored them.
status check_snapshot_files(file_system& files, const std::string& location);

/// Whether it is a failure of check_snapshot, or one that it may explain.
constexpr bool is_damage(errc code) noexcept {
  return code == errc::invalid_data || code == errc::not_found;
}

/// The directory that a location means: load_checkpoint takes that of the metadata, too.
std::string snapshot_directory_of(const std::string& location);

/// Removes a complete snapshot: its metadata first, then the files that they name, but for those
/// that another checkpoint beside it has, too, then the directory if nothing else is in it. Fine if
/// there is none; goes on where a call has been that was not brought to its end.
status remove_snapshot(file_system& files, const std::string& directory);

/// Removes a directory with all that is in it, of a snapshot that may have become complete or not.
/// Fine if it is not there.
status remove_snapshot_directory(file_system& files, const std::string& directory);

}  // namespace millrace
