#pragma once

#include <string>

#include "command.hpp"

namespace millrace::cli {

/// What `millrace --help` prints.
std::string overview_text();

/// What `millrace COMMAND --help` prints.
std::string help_text(const command& about);

/// The command of this name. Errors: `invalid_argument` with the nearest one.
result<const command*> find_command(const std::string& name);

}  // namespace millrace::cli
