#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/core/error.hpp"
#include "millrace/transport/unique_fd.hpp"

namespace millrace::transport {

/// One resolved TCP address, IPv4 or IPv6.
struct socket_address {
  sockaddr_storage storage{};
  socklen_t bytes = 0;

  bool is_loopback() const noexcept;
};

/// "host:port", with IPv6 literals in brackets.
std::string format_address(std::string_view host, std::uint16_t port);

/// Whether resolving needs no name server: a literal address, or "localhost" (127.0.0.1, ::1).
result<std::vector<socket_address>> resolve_literal(const std::string& host, std::uint16_t port);

/// Asks the system's resolver; may block for long. Unknown names are `errc::not_found`.
result<std::vector<socket_address>> resolve(const std::string& host, std::uint16_t port);

/// A non-blocking listening socket (SO_REUSEADDR, close-on-exec). A taken port is
/// `errc::address_in_use` and names host:port; a foreign address or a privileged port says so.
result<unique_fd> listen_on(const socket_address& address, std::string_view host,
                            std::uint16_t port);

/// The port a socket is bound to.
std::uint16_t local_port(int fd);
/// The peer's "host:port", or "unknown".
std::string remote_address(int fd);

/// Starts to connect a new non-blocking socket; it is writable once that has come to an end.
result<unique_fd> start_connect(const socket_address& address);
/// How the connecting ended: 0 or an errno.
int connect_result(int fd);

/// Settings of every connection between nodes: TCP_NODELAY, and TCP_USER_TIMEOUT of 10 s, after
/// which unacknowledged data ends the connection.
void tune_connection(int fd);

/// Ends a connection at once and resets it, discarding what is unsent; `fd` stays open.
void reset_connection(int fd);

}  // namespace millrace::transport
