#pragma once

#include <caf/actor.hpp>
#include <caf/fwd.hpp>
#include <caf/node_id.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "millrace/actors/io_pool.hpp"
#include "millrace/actors/program_provider.hpp"
#include "millrace/core/configuration.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/io.hpp"

namespace millrace {

/// What the actors of a master are given to live on.
struct master_options {
  configuration config;
  std::shared_ptr<io_backend> io;
  std::shared_ptr<file_system> files;
  std::shared_ptr<const clock> time;  ///< Must agree with the actor system's clock.
  /// For what speaks for operators in the job master; null if no job has such operators.
  std::shared_ptr<program_provider> programs;
  /// For job libraries, unless they outlive the process; made if missing.
  std::string blob_directory;
  std::uint64_t seed = 0;  ///< Random: ids of jobs and of the master's life come from it.
  /// Ends the connection to a node that hangs (`transport::connector::drop`); may be empty.
  std::function<void(const caf::node_id&)> drop_connection;
};

/// Spawns the actors of a cluster's master: the dispatcher, its resource manager, and the one that
/// watches over them, which is returned; the dispatcher spawns a job master for each job. It is
/// what the node publishes: clients and task managers begin by talking to it, and it passes on what
/// is theirs. With `high-availability.type = filesystem` jobs of an earlier master go on.
caf::actor spawn_master(caf::actor_system& system, master_options options);

/// Where masters keep what their successors need; empty without high availability. Whoever spawns a
/// master sees to it that there is no other one over it.
std::string high_availability_storage(const configuration& config);

/// Tells the master which task manager lives in its process: others who greet the node mean that
/// one.
void attach_task_manager(const caf::actor& master, const caf::actor& task_manager);

/// Asks the master to cancel all jobs and to quit once they have ended, or after a few seconds.
/// Jobs that outlive the process are not cancelled: their tasks end, and they go on with the next
/// master. Returns at once.
void stop_master(const caf::actor& master);

}  // namespace millrace
