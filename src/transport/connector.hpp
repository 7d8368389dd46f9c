#pragma once

#include <caf/actor_control_block.hpp>
#include <caf/fwd.hpp>
#include <caf/node_id.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "millrace/core/error.hpp"
#include "millrace/core/ids.hpp"

namespace millrace::transport {

/// Another node, as known after a connection to it is up.
struct peer {
  resource_id id;               ///< One life of one process.
  std::string listens_at;       ///< "host:port" where others reach it; empty if it accepts nobody.
  caf::node_id node;            ///< For connector::drop().
  caf::strong_actor_ptr actor;  ///< What it publishes. Null on the accepting side: the dialer's
                                ///< first message tells who it is.
};

/// How a node meets others: the only thing the engine knows about networks. `node_endpoint` does it
/// with sockets; a simulation puts its own underneath. All methods are thread-safe and none blocks,
/// except that listen() may resolve the configured host name.
///
/// Rules for those who use connected actors, because connections carry only what is between their
/// two nodes:
/// - of two nodes exactly one dials the other;
/// - never send a remote actor a handle of a third node's actor (send its address, let it be
///   dialed), and never delegate or forward a remote sender's message to another node: the
///   receiving side closes the connection on such frames;
/// - no links, `send_exit` or high-priority messages between nodes: the first two are refused too;
/// - a lost connection shows as `down_msg` for every monitored remote actor. Old handles stay dead
///   for ever; dialing again yields new ones.
class connector {
 public:
  /// Called exactly once, on any thread; must not block: send a message and return.
  using dial_callback = std::function<void(result<peer>)>;

  virtual ~connector() = default;

  /// The actor that every peer gets when it has connected; replaces an earlier one for later peers.
  virtual void publish(const caf::actor& actor) = 0;

  /// Starts to accept peers and returns the port. Something must be published before. Once.
  virtual result<std::uint16_t> listen() = 0;

  /// Connects to the node that listens at host:port. Failures name host:port and are typed:
  /// connection_refused, unreachable, timeout, not_found (name), authentication, protocol (not a
  /// Millrace node, or another version), already_connected, cancelled (closing).
  virtual void dial(std::string host, std::uint16_t port, std::chrono::milliseconds timeout,
                    dial_callback done) = 0;

  /// Ends the connection to a node at once, if there is one, discarding what is unsent: for a peer
  /// that hangs. Monitors of its actors fire on both sides.
  virtual void drop(const caf::node_id& node) = 0;
};

}  // namespace millrace::transport
