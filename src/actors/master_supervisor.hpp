#pragma once

#include <caf/actor.hpp>
#include <caf/fwd.hpp>
#include <cstdint>

#include "millrace/actors/dispatcher.hpp"
#include "millrace/actors/resource_manager.hpp"

namespace millrace {

struct master_supervisor_options {
  dispatcher_options dispatcher;              ///< Without its resource manager and seed.
  resource_manager_options resource_manager;  ///< Without its seed.
  std::uint64_t seed = 0;
  bool obeys_chaos = false;  ///< debug.chaos.enabled
};

/// Spawns the actor that a master's node publishes, and which stays the same for as long as the
/// process lives. It spawns the dispatcher and the resource manager and watches over them: if one
/// goes down unasked, both are replaced, as each has what the other must not go on without. What it
/// is sent it hands on to the dispatcher, or keeps until there is one.
///
///   kill_actor                         -> ack        (client)
///   take_checkpoint, take_savepoint,
///   stop_job                           -> checkpoint_taken, or `master_lost` if the dispatcher
///   that
///                                         was asked goes down   (client)
///   local_task_manager, shut_down                    (owner)
///   everything else                    is for the dispatcher
///
/// Quits when the dispatcher has, after shut_down.
caf::actor spawn_master_supervisor(caf::actor_system& system, master_supervisor_options options);

}  // namespace millrace
