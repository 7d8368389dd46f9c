#pragma once

#include <caf/actor.hpp>
#include <caf/fwd.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "millrace/actors/io_pool.hpp"
#include "millrace/actors/program_provider.hpp"
#include "millrace/checkpoint/local_copies.hpp"
#include "millrace/core/configuration.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/core/io.hpp"
#include "millrace/state/state_backend_provider.hpp"
#include "millrace/transport/connector.hpp"

namespace millrace {

/// What a task manager is given to live on. What is pointed to must outlive the actor.
struct task_manager_options {
  resource_id resource;  ///< The same as the node's in the transport.
  std::string host;      ///< Where other task managers reach this node.
  std::uint16_t port = 0;
  std::uint64_t pid = 0;
  std::uint32_t slots = 1;

  /// The way to other nodes; null in a process without network.
  transport::connector* connector = nullptr;
  /// Where the master listens, unless it lives in this process.
  std::string master_host;
  std::uint16_t master_port = 0;
  /// The actor that a master publishes, if it lives in this process.
  caf::actor master;

  std::shared_ptr<program_provider> programs;
  std::shared_ptr<io_backend> io;
  std::shared_ptr<file_system> files;
  std::shared_ptr<const clock> time;     ///< Must agree with the actor system's clock.
  state_backend_provider backends;       ///< Of all tasks; empty for the hashmap backend only.
  std::string blob_directory;            ///< For job libraries; made if missing.
  std::string spill_directory;           ///< For what tasks don't keep in memory; made if missing.
  std::shared_ptr<local_copies> copies;  ///< Of state, near at hand; null for none.
  configuration config;

  /// A task does not end though it was cancelled `task.cancellation.timeout` ago, so that its slot
  /// is lost: a daemon ends itself here. Called in the actor; empty: only logged.
  std::function<void(const error&)> on_fatal;
};

/// Spawns the worker of a node. It registers with the master, and again whenever it has lost it;
/// offers its slots; loads jobs' programs; runs tasks and reports on them; connects to the task
/// managers its tasks exchange records with. Never blocks; all its decisions are in plain classes
/// (slot_table, peer_table, pending_channels, master_heartbeat, artifact_download).
///
/// To be published for other nodes to reach. Ends by stop_task_manager().
caf::actor spawn_task_manager(caf::actor_system& system, task_manager_options options);

/// Asks it to cancel its tasks and to quit when they are gone. Returns at once.
void stop_task_manager(const caf::actor& task_manager);

}  // namespace millrace
