#pragma once

#include <caf/actor.hpp>
#include <caf/fwd.hpp>

#include "millrace/core/error.hpp"

namespace millrace {

/// How a client reaches the master of its cluster, and what it lives on: it owns the actor system.
/// Thread-safe.
class master_access {
 public:
  virtual ~master_access() = default;

  virtual caf::actor_system& system() = 0;
  /// What the master's node publishes, or published before it was lost.
  virtual caf::actor master() = 0;
  /// Finds whoever has taken the place of `lost`. Blocks for as long as the client is patient;
  /// `master_lost` says that it was in vain.
  virtual status reconnect(const caf::actor& lost) = 0;
};

}  // namespace millrace
