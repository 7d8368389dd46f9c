// One node of a cluster, in the foreground until a signal ends it.

#include <cstdlib>
#include <iostream>
#include <string>

#include "millrace/actors/cluster_node.hpp"
#include "millrace/core/kill_point.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/options.hpp"
#include "node_options.hpp"
#include "pid_file.hpp"
#include "stop_signals.hpp"

namespace {

using namespace millrace;
using namespace millrace::node;

constexpr int exit_failed = 1;
constexpr int exit_invalid_input = 2;

int report(const error& problem) {
  std::cerr << "caf-node: " << problem.message << '\n';
  return problem.code == errc::invalid_config ? exit_invalid_input : exit_failed;
}

/// "jobmanager", "taskmanager" or "jobmanager and taskmanager".
std::string role_text(const configuration& config) {
  const std::string role = config.get(options::node_role);
  return role == "both" ? "jobmanager and taskmanager" : role;
}

/// The kill point that the environment names, for tests.
status arm(const configuration& config) {
  const char* setting = std::getenv("MILLRACE_KILL_POINT");
  if (setting == nullptr || *setting == '\0') return {};
  if (!config.get(options::chaos_enabled))
    return fail(errc::invalid_config, "MILLRACE_KILL_POINT is for tests, and is refused because " +
                                          std::string(options::chaos_enabled.key) +
                                          " is not true: remove it from the environment");
  return arm_kill_point(setting);
}

int run(const node_options& options_given) {
  const configuration& config = options_given.config;
  const std::string role = role_text(config);
  stop_signals signals;
  const std::string process =
      config.get(options::node_role) == "both" ? "caf-node" : config.get(options::node_role);
  if (auto logging = init_logging(config, process); !logging) return report(logging.error());
  if (auto armed = arm(config); !armed) return report(armed.error());
  auto started = cluster_node::start(config);
  if (!started) {
    log_event(log_level::error, "node failed to start", {{"cause", started.error().message}});
    return report(started.error());
  }
  auto& node = **started;
  auto pid = pid_file::write(options_given.pid_file);
  if (!pid) return report(pid.error());

  // The scripts wait for this line.
  std::cout << role << " listening on " << node.address() << std::endl;
  const int signal = signals.wait();
  log_event(log_level::info, "node stopping",
            {{"signal", signal == SIGINT ? "SIGINT" : "SIGTERM"}, {"address", node.address()}});
  node.stop();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  auto read = read_node_options(argc, argv);
  if (!read) {
    for (const error& problem : read.error()) std::cerr << "caf-node: " << problem.message << '\n';
    return exit_invalid_input;
  }
  switch (read->what) {
    case action::show_help:
      std::cout << node_help();
      return 0;
    case action::show_version:
      std::cout << "caf-node " MILLRACE_VERSION "\n";
      return 0;
    case action::print_config:
      std::cout << read->config.to_text();
      return 0;
    case action::print_config_reference:
      std::cout << options::markdown();
      return 0;
    case action::run:
      return run(*read);
  }
  return exit_failed;
}
