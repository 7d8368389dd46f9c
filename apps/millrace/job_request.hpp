#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "command_line.hpp"
#include "millrace/core/error.hpp"

namespace millrace::cli {

/// What `run` and `info` are told about the job.
struct job_request {
  std::string library;                 ///< Path of the job library.
  std::vector<std::string> arguments;  ///< For its `build` function, untouched.
  std::optional<std::uint32_t> parallelism;
  /// Beside those of -D: from which savepoint it starts.
  std::vector<std::pair<std::string, std::string>> settings;
};

/// -p.
void add_parallelism_option(boost::program_options::options_description& options);

/// -s, -n, --claim-mode.
void add_savepoint_options(boost::program_options::options_description& options);

/// Errors: `invalid_argument`. Does not look at the library.
result<job_request> read_job_request(const parsed_line& line);

}  // namespace millrace::cli
