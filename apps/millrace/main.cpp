// The shell tool: finds the command, and turns its outcome into messages and an exit code.

#include <csignal>
#include <iostream>
#include <string>
#include <vector>

#include "command.hpp"
#include "help.hpp"
#include "millrace/core/logging.hpp"

namespace {

using namespace millrace;
using namespace millrace::cli;

int report(const error& problem, const std::string& hint) {
  std::cerr << "millrace: " << problem.message << '\n';
  if (problem.code == errc::invalid_argument && !hint.empty()) std::cerr << hint << '\n';
  return static_cast<int>(exit_code_of(problem.code));
}

result<exit_code> run_command_line(const command& chosen,
                                   const std::vector<std::string>& arguments) {
  boost::program_options::options_description options;
  if (chosen.add_options != nullptr) chosen.add_options(options);
  add_common_options(options);
  auto line = parse_line(arguments, options, chosen.rule);
  if (!line) return tl::unexpected(line.error());
  if (line->options.count("help") > 0) {
    std::cout << help_text(chosen);
    return exit_code::ok;
  }
  auto context = cli_context::from(*line);
  if (!context) return tl::unexpected(context.error());
  // What ends a job is told once, by the command.
  if (auto logging = init_logging(context->config(), "millrace", log_level::off); !logging) {
    return tl::unexpected(logging.error());
  }
  return chosen.run(*context, *line);
}

}  // namespace

int main(int argc, char** argv) {
  // A reader of our output that leaves early must not look like a crash of the tool.
  std::signal(SIGPIPE, SIG_IGN);
  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.empty()) {
    std::cerr << overview_text();
    return static_cast<int>(exit_code::invalid_input);
  }
  std::string name = arguments.front();
  if (name == "-h" || name == "--help") name = "help";
  if (name == "-V" || name == "--version") name = "version";
  arguments.erase(arguments.begin());
  auto chosen = find_command(name);
  if (!chosen) return report(chosen.error(), "'millrace help' lists the commands.");
  auto done = run_command_line(**chosen, arguments);
  if (!done) return report(done.error(), "'millrace help " + name + "' explains the command.");
  std::cout.flush();
  return static_cast<int>(*done);
}
