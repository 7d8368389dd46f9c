#pragma once

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scheduled_actor.hpp>
#include <caf/settings.hpp>
#include <utility>

namespace millrace {

/// Messages, answers and errors that an actor does not expect must not end it, whoever sent them:
/// by default CAF ends an actor that is sent an error.
inline void ignore_the_unexpected(caf::scheduled_actor& self) {
  self.set_default_handler(caf::drop);
  self.set_error_handler([](caf::error&) {});
}

/// Spawns an actor of the control plane on a thread of its own: user functions may keep all threads
/// of the scheduler busy for long, and heartbeats must not wait for them. Under the deterministic
/// scheduler of tests and simulations there are no threads.
template <class Behavior, class... Args>
caf::actor spawn_control(caf::actor_system& system, Behavior behavior, Args&&... args) {
  const auto policy = caf::get_or(system.config(), "scheduler.policy", caf::atom("stealing"));
  if (policy == caf::atom("testing")) return system.spawn(behavior, std::forward<Args>(args)...);
  return system.spawn<caf::detached>(behavior, std::forward<Args>(args)...);
}

}  // namespace millrace
