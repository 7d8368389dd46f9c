#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "millrace/core/configuration.hpp"
#include "millrace/core/error.hpp"

namespace millrace {

/// One process of a cluster with the actors of its role (`node.role`: jobmanager, taskmanager or
/// both). Owns the actor system; destroying it stops the actors in order and waits for them.
class cluster_node {
 public:
  /// Starts listening and the actors; a task manager goes on in the background to find its master.
  /// Errors: `address_in_use`, `invalid_config`, `permission_denied`, each naming the key
  /// concerned.
  static result<std::unique_ptr<cluster_node>> start(const configuration& config);
  virtual ~cluster_node() = default;

  /// Where this node listens, as others reach it: "127.0.0.1:6123".
  virtual std::string address() const = 0;
  virtual std::uint16_t port() const = 0;
  /// Stops in order: a task manager's tasks are cancelled and the master told. Idempotent.
  virtual void stop() = 0;
};

}  // namespace millrace
