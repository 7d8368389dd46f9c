#pragma once

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "millrace/core/configuration.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/transport/node_endpoint.hpp"

namespace millrace {

/// How a process takes part in a cluster's network.
struct node_network_options {
  resource_id id;
  std::size_t worker_threads = 1;
  // For those who listen.
  std::string bind_host = "127.0.0.1";
  std::uint16_t port = 0;
  std::string advertised_host;
};

/// An actor system that knows the engine's messages, and its guarded way to other nodes. Destroying
/// it waits until all its actors have ended.
class node_network {
 public:
  /// Reads, or for a single machine makes, the cluster's secret; blocks for files only. Errors:
  /// those of the secret's file, naming the key `security.cluster.secret-file` if it is configured.
  static result<std::unique_ptr<node_network>> make(const configuration& config,
                                                    node_network_options options);

  ~node_network();
  node_network(const node_network&) = delete;
  node_network& operator=(const node_network&) = delete;

  caf::actor_system& system() noexcept { return system_; }
  transport::node_endpoint& endpoint() noexcept { return endpoint_; }

 private:
  struct system_config : caf::actor_system_config {
    explicit system_config(std::size_t worker_threads);
  };

  node_network(std::size_t worker_threads, transport::endpoint_options options);

  system_config config_;
  caf::actor_system system_;
  transport::node_endpoint endpoint_;
};

}  // namespace millrace
