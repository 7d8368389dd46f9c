#pragma once

#include <boost/program_options.hpp>
#include <span>
#include <string_view>

#include "cli_context.hpp"
#include "command_line.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/exit_code.hpp"

namespace millrace::cli {

/// A subcommand of `millrace`.
struct command {
  std::string_view name;
  std::string_view arguments;  ///< As in the usage line: "JOB".
  std::string_view summary;    ///< A line for the list of commands.
  std::string_view details;    ///< What else its help says, or empty.
  positional_rule rule = positional_rule::anywhere;
  /// Adds the options it has beside those that all have. May be null.
  void (*add_options)(boost::program_options::options_description& options) = nullptr;
  /// Does it. An error is printed by the caller, and becomes an exit code by `exit_code_of`.
  result<exit_code> (*run)(const cli_context& context, const parsed_line& line) = nullptr;
};

/// All commands, in the order of the help.
std::span<const command> commands();

// A file per command defines each.
extern const command run_command;
extern const command list_command;
extern const command info_command;
extern const command describe_command;
extern const command cancel_command;
extern const command stop_command;
extern const command savepoint_command;
extern const command checkpoint_command;
extern const command checkpoints_command;
extern const command nodes_command;
extern const command chaos_command;
extern const command version_command;
extern const command help_command;

}  // namespace millrace::cli
