#include "millrace/transport/actor_system_options.hpp"

#include <algorithm>
#include <caf/actor_system_config.hpp>
#include <caf/io/middleman.hpp>
#include <chrono>

namespace millrace::transport {

using caf::timespan;
using std::chrono::milliseconds;

void apply_engine_settings(caf::actor_system_config& config, std::size_t worker_threads,
                           bool load_middleman) {
  config.set("scheduler.max-threads", std::max<std::size_t>(worker_threads, 1));
  // Unlimited by default: an actor with a full mailbox would starve all others of its worker. The
  // message of a task is a batch, and a slow user function may take a second for one: others wait
  // for one of them, not for many. Taking turns costs some 100 ns.
  config.set("scheduler.max-throughput", std::size_t{1});
  // An idle worker looks for work to steal after this time (default 10 ms): it bounds how long a
  // task waits on a busy worker's queue, for about one per cent of an idle core.
  config.set("work-stealing.relaxed-sleep-duration", timespan{milliseconds{1}});
  config.set("logger.console", caf::atom("none"));
  config.set("logger.verbosity", caf::atom("quiet"));
  config.set("logger.console-verbosity", caf::atom("quiet"));
  config.set("logger.file-verbosity", caf::atom("quiet"));
  if (!load_middleman) return;
  config.load<caf::io::middleman>();
  // It would open a port on all interfaces, unauthenticated.
  config.set("middleman.enable-automatic-connections", false);
  config.set("middleman.app-identifiers", std::vector<std::string>{"millrace"});
  // The engine has its own heartbeats; CAF's drop healthy peers after the process was paused.
  config.set("middleman.heartbeat-interval", timespan{0});
  config.set("middleman.connection-timeout", timespan{0});
  // Deserialize on scheduler workers, beside the network thread.
  config.set("middleman.workers", std::size_t{2});
}

std::vector<std::string> registered_wire_types(const caf::actor_system_config& config) {
  std::vector<std::string> names;
  for (const auto& [name, factory] : config.value_factories_by_name)
    if (!name.starts_with("caf::") && !name.starts_with("stream<")) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace millrace::transport
