// millrace version

#include <iostream>

#include "command.hpp"

namespace millrace::cli {

namespace {

result<exit_code> run(const cli_context&, const parsed_line&) {
  std::cout << "millrace " MILLRACE_VERSION "\n";
  return exit_code::ok;
}

}  // namespace

const command version_command{
    .name = "version",
    .arguments = "",
    .summary = "show the version",
    .details = "",
    .run = run,
};

}  // namespace millrace::cli
