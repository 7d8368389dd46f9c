#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "millrace/core/error.hpp"
#include "millrace/transport/authenticator.hpp"
#include "millrace/transport/connection_table.hpp"
#include "millrace/transport/socket.hpp"
#include "millrace/transport/unique_fd.hpp"

namespace millrace::transport {

/// A connection whose other end has proven who it is.
struct authenticated_socket {
  unique_fd fd;
  std::shared_ptr<connection> place;  ///< Its place in the connection table.
  connection_role own_role;
};

/// Carries an `authenticator` over one non-blocking socket. Owned and driven by the gatekeeper's
/// thread: poll for events(), then call on_ready().
class handshake {
 public:
  handshake(unique_fd fd, authenticator protocol, connection_role own_role,
            std::shared_ptr<connection_table> table);

  int fd() const noexcept { return fd_.get(); }
  /// What to poll the socket for.
  short events() const noexcept;

  enum class progress { going_on, done };
  /// Does what can be done without blocking. `done`: take() gives the socket. An error is final.
  result<progress> on_ready();

  authenticated_socket take();

 private:
  result<progress> advance();
  /// Whether all output is out.
  result<bool> flush();
  /// Whether `wanted()` bytes have come and were fed.
  result<bool> read();
  status reserve_place();

  unique_fd fd_;
  authenticator protocol_;
  connection_role role_;
  std::shared_ptr<connection_table> table_;
  std::shared_ptr<connection> place_;
  std::string input_;
  std::string output_;
  std::optional<error> refusal_;  ///< Why to give up once the output is out.
};

}  // namespace millrace::transport
