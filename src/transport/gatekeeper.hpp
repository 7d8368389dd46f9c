#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "millrace/core/error.hpp"
#include "millrace/transport/connection_table.hpp"
#include "millrace/transport/event_log.hpp"
#include "millrace/transport/handshake.hpp"
#include "millrace/transport/secret.hpp"

namespace millrace::transport {

struct gatekeeper_options {
  cluster_secret secret;
  peer_identity self;  ///< `listens_at` may be set later, by listen().
  std::chrono::milliseconds handshake_timeout{2000};
  std::size_t unauthenticated_max = 64;  ///< Of accepted connections; the oldest gives way.
};

/// Lets peers in and goes out to them: one thread with one poll() loop drives the listening socket,
/// all handshakes and all outgoing dials at once, so that a silent or slow peer delays nobody. What
/// it hands on is authenticated and has its place in the connection table. Knows nothing of actors.
class gatekeeper {
 public:
  using dial_callback = std::function<void(result<authenticated_socket>)>;
  using accept_callback = std::function<void(authenticated_socket)>;

  /// `on_accepted` is called on the gatekeeper's thread.
  gatekeeper(gatekeeper_options options, std::shared_ptr<connection_table> table,
             std::shared_ptr<event_log> log, accept_callback on_accepted);
  ~gatekeeper();
  gatekeeper(const gatekeeper&) = delete;
  gatekeeper& operator=(const gatekeeper&) = delete;

  /// Takes over a listening socket; peers learn `listens_at` as this node's address. Once.
  void serve(unique_fd listener, std::string listens_at);

  /// Connects and authenticates within `timeout`, trying all addresses of `host` in turn. `done` is
  /// called exactly once, on the gatekeeper's thread (or here, after close()); errors name
  /// host:port.
  void dial(std::string host, std::uint16_t port, std::chrono::milliseconds timeout,
            dial_callback done);

  /// Runs `task` once on the gatekeeper's thread, after `delay` or at close(). False, and never, if
  /// it is closed already.
  bool run_later(std::chrono::milliseconds delay, std::function<void()> task);

  /// Stops accepting, drops handshakes in progress, fails pending dials with `errc::cancelled` and
  /// joins the thread. Idempotent. Not from the gatekeeper's own callbacks.
  void close();

 private:
  class loop;
  std::unique_ptr<loop> loop_;
};

}  // namespace millrace::transport
