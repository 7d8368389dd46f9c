// millrace help

#include "help.hpp"

#include <algorithm>
#include <iostream>
#include <sstream>
#include <string_view>
#include <vector>

#include "millrace/core/options.hpp"

namespace millrace::cli {

namespace {

constexpr std::string_view exit_codes_text =
    "Exit codes:\n"
    "  0  done; a run has finished, or is submitted if detached\n"
    "  1  the job failed, or something else went wrong\n"
    "  2  a command line, configuration, file or job library that cannot be used\n"
    "  3  the cluster cannot be reached, or refuses this user\n"
    "  4  no job has this id\n"
    "  5  the job was cancelled\n";

}  // namespace

std::string overview_text() {
  std::ostringstream text;
  text << "Usage: millrace COMMAND [option...] [argument...]\n\n"
          "Runs jobs, in this process or on a cluster, and looks after those of a cluster.\n\n"
          "Commands:\n";
  std::size_t widest = 0;
  for (const command& each : commands()) widest = std::max(widest, each.name.size());
  for (const command& each : commands())
    text << "  " << each.name << std::string(widest + 2 - each.name.size(), ' ') << each.summary
         << '\n';
  text << "\n'millrace help COMMAND' says more about one, 'millrace help keys' lists the keys that "
          "-D\n"
          "and the configuration file may set.\n\n"
          "The cluster is that of -m host:port, else of $MILLRACE_MASTER, else of\n"
          "jobmanager.rpc.address in the configuration: the file of --config, or millrace.conf of\n"
          "$MILLRACE_CONF_DIR or of the installation.\n\n"
       << exit_codes_text;
  return text.str();
}

std::string help_text(const command& about) {
  std::ostringstream text;
  text << "Usage: millrace " << about.name << " [option...]" << (about.arguments.empty() ? "" : " ")
       << about.arguments << "\n\n";
  std::string summary(about.summary);
  summary[0] = static_cast<char>(summary[0] - 'a' + 'A');
  text << summary << ".\n";
  if (!about.details.empty()) text << about.details << '\n';
  boost::program_options::options_description options("\nOptions", 100);
  if (about.add_options != nullptr) about.add_options(options);
  add_common_options(options);
  text << options << '\n' << exit_codes_text;
  return text.str();
}

result<const command*> find_command(const std::string& name) {
  std::vector<std::string> names;
  for (const command& each : commands()) {
    if (each.name == name) return &each;
    names.emplace_back(each.name);
  }
  return fail(errc::invalid_argument, "unknown command '" + name + "'" + did_you_mean(name, names));
}

namespace {

result<exit_code> show_help(const cli_context&, const parsed_line& line) {
  if (line.positional.empty()) {
    std::cout << overview_text();
    return exit_code::ok;
  }
  if (line.positional.front() == "keys") {
    for (const option_info* option : options::all) std::cout << option->key << '\n';
    return exit_code::ok;
  }
  auto about = find_command(line.positional.front());
  if (!about) return tl::unexpected(about.error());
  std::cout << help_text(**about);
  return exit_code::ok;
}

}  // namespace

const command help_command{
    .name = "help",
    .arguments = "[COMMAND|keys]",
    .summary = "explain millrace, or one of its commands",
    .details = "",
    .run = show_help,
};

}  // namespace millrace::cli
