#pragma once

#include <string>

#include "millrace/api/job_entry.hpp"
#include "millrace/core/error.hpp"

namespace millrace {

/// A job library that was loaded. It stays loaded as long as the process lives, because code of a
/// job can be anywhere by then (Flink leaks class loaders for the same reason).
struct job_library {
  /// Of the file.
  std::string path;
  /// What the library exports.
  const job_entry* entry = nullptr;
};

/// Checks the file, then loads it; a file that is loaded already is loaded once. Blocks.
/// Thread-safe. Errors: `not_found`; `invalid_library` for what is no shared library, has no entry
/// point, or was built for another version of the engine (told from the file, before any of its
/// code can run).
result<job_library> load_job_library(const std::string& path);

}  // namespace millrace
