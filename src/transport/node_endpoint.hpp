#pragma once

#include <caf/fwd.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "millrace/core/ids.hpp"
#include "millrace/transport/connection_table.hpp"
#include "millrace/transport/connector.hpp"
#include "millrace/transport/event_log.hpp"
#include "millrace/transport/frame_guard.hpp"
#include "millrace/transport/secret.hpp"

namespace millrace::transport {

struct endpoint_options {
  resource_id id;         ///< Names this life of this process to its peers.
  cluster_secret secret;  ///< Authentication is always on.
  /// Whether somebody chose the secret, rather than that it was generated for this machine. Without
  /// that, only loopback addresses may be bound.
  bool secret_is_configured = false;

  std::string bind_host = "127.0.0.1";
  std::uint16_t port = 0;         ///< 0: any free one.
  std::string advertised_host{};  ///< What peers are told to dial; empty: `bind_host`.

  /// Message types that peers may send; nullopt: all that were added to the actor system.
  std::optional<std::vector<std::string>> wire_types{};
  frame_limits limits{};
  std::chrono::milliseconds handshake_timeout{2000};
  std::size_t unauthenticated_max = 64;  ///< Accepted connections that have proven nothing yet.

  log_callback log{};  ///< May be empty.
  /// Called for every peer that dialed this node, after it is connected; `peer.actor` is null. On
  /// an internal thread: must not block. May be empty.
  std::function<void(const peer&)> on_accepted{};
};

/// A node's guarded, authenticated connections to others, over TCP. Needs an actor system with the
/// middleman (`apply_engine_settings`), must be closed or destroyed before it, and aborts the
/// process if CAF's BASP broker dies before that. Established connections survive the endpoint.
class node_endpoint final : public connector {
 public:
  /// Throws `failure` if the system has no middleman.
  node_endpoint(caf::actor_system& system, endpoint_options options);
  ~node_endpoint() override;

  void publish(const caf::actor& actor) override;
  /// Errors: `address_in_use`, `invalid_config` (not an address of this machine; or one that others
  /// can reach, without a configured secret), `not_found` (host name), `permission_denied`,
  /// `invalid_argument` (nothing published, called twice).
  result<std::uint16_t> listen() override;
  void dial(std::string host, std::uint16_t port, std::chrono::milliseconds timeout,
            dial_callback done) override;
  void drop(const caf::node_id& node) override;

  /// Stops accepting, gives up handshakes, fails pending dials and joins the thread. Idempotent.
  void close();

  /// After close(): blocks until all actors of the system have ended, and ends the connections when
  /// what these had to say is on its way. Must come before the end of the actor system.
  void end_actors();

  /// Bytes to and from all peers so far.
  traffic total_traffic() const;
  /// Bytes to and from one live peer; zeros if there is no connection.
  traffic traffic_with(const caf::node_id& node) const;

 private:
  struct parts;
  std::unique_ptr<parts> parts_;
};

}  // namespace millrace::transport
