#pragma once

#include <string>
#include <vector>

#include "millrace/core/configuration.hpp"
#include "millrace/core/error.hpp"

namespace millrace::node {

/// What the command line of caf-node asks for.
enum class action { run, show_help, show_version, print_config, print_config_reference };

struct node_options {
  action what = action::run;
  configuration config;
  std::string pid_file;  ///< Empty for none.
};

/// Reads the command line and the configuration file it names. All that is wrong, each with its
/// place and the nearest key or option.
tl::expected<node_options, std::vector<error>> read_node_options(int argc, const char* const* argv);

/// What --help prints: the options, and every configuration key with its default.
std::string node_help();

}  // namespace millrace::node
