#pragma once

#include <caf/fwd.hpp>
#include <cstddef>
#include <string>
#include <vector>

namespace millrace::transport {

/// Settings of every actor system in the engine: `worker_threads` scheduler threads (at least 1),
/// fair scheduling, quick stealing, no CAF log, and no network feature that opens a port or decides
/// about peers by itself. With `load_middleman` the system can get a `node_endpoint`. Call before
/// the actor system is constructed; message types are added by the caller.
void apply_engine_settings(caf::actor_system_config& config, std::size_t worker_threads,
                           bool load_middleman);

/// Names of the message types that were added to the configuration, beyond CAF's own: what a peer
/// may send.
std::vector<std::string> registered_wire_types(const caf::actor_system_config& config);

}  // namespace millrace::transport
