// millrace version

#include <iostream>

#include "command.hpp"

namespace millrace::cli {

namespace {

result<exit_code> show_version(const cli_context&, const parsed_line&) {
  std::cout << "millrace " MILLRACE_VERSION "\n";
  return exit_code::ok;
}

}  // namespace

const command version_command{
    .name = "version",
    .arguments = "",
    .summary = "show the version",
    .details = "",
    .run = show_version,
};

}  // namespace millrace::cli
