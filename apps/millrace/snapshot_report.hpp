#pragma once

#include <string>

#include "millrace/checkpoint/checkpoint_history.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/exit_code.hpp"

namespace millrace::cli {

/// A path for a process that may have another working directory.
std::string absolute_path(const std::string& path);

/// A line about a savepoint that was just taken.
void print_savepoint(const checkpoint_record& taken);

/// What is in the snapshot at `path`, for people or as JSON. Errors: those of inspect_snapshot.
result<exit_code> report_snapshot_at(const std::string& path, bool as_json);

/// Every entry of it, a line each.
result<exit_code> dump_snapshot_at(const std::string& path);

}  // namespace millrace::cli
