#pragma once

#include <caf/actor.hpp>
#include <caf/fwd.hpp>
#include <caf/node_id.hpp>
#include <chrono>
#include <cstdint>
#include <functional>

namespace millrace {

struct resource_manager_options {
  std::uint64_t seed = 0;  ///< Its life's epoch and the ids of allocations come from it.
  std::chrono::milliseconds heartbeat_interval{1'000};
  std::chrono::milliseconds heartbeat_timeout{10'000};
  std::chrono::milliseconds slot_request_timeout{300'000};
  /// Ends the connection to a node that hangs; may be empty.
  std::function<void(const caf::node_id&)> drop_connection;
};

/// Spawns the actor that knows all task managers and gives out their slots (Flink's
/// ResourceManager). Whom to give what is decided by graph::slot_matcher, who is lost by
/// heartbeat_monitor.
///
///   register_task_manager + handle   -> registration                         (task manager)
///   heartbeat                        -> heartbeat_answer                     (task manager)
///   slot_freed                                                               (task manager)
///   require_slots + handle           leads to allocate_slot + that handle at task managers, or
///                                    to slots_missing                        (job master)
///   list_nodes                       -> node_list                            (client)
///
/// A task manager is lost when its actor goes down or it falls silent; all job masters are told by
/// task_manager_lost. Whether an allocation took is seen in the task manager's heartbeats.
caf::actor spawn_resource_manager(caf::actor_system& system, resource_manager_options options);

}  // namespace millrace
