#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "millrace/core/configuration.hpp"
#include "millrace/core/error.hpp"

namespace millrace::job_main {

/// The command line of a job that runs embedded: the engine's options, wherever they stand, and
/// the job's own arguments.
struct command_line {
  std::string program;  ///< Without directory.
  configuration config;
  std::optional<std::uint32_t> parallelism;
  bool verbose = false;
  bool wants_help = false;
  bool wants_version = false;
  std::vector<std::string> job_arguments;
};

/// Errors: `invalid_argument`, `invalid_config`, and those of reading the configuration file.
result<command_line> read_command_line(int argc, const char* const* argv);

/// What `--help` prints before the job's own help.
std::string help_text(const std::string& program);

}  // namespace millrace::job_main
