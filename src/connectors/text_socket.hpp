#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "millrace/core/error.hpp"

namespace millrace {

/// A connection that texts are received on. Calls block, but no longer than `patience`; they come
/// from I/O threads, one at a time. The destructor closes it.
class text_socket {
 public:
  static constexpr std::chrono::milliseconds patience{100};

  virtual ~text_socket() = default;

  enum class outcome : std::uint8_t {
    pending,  ///< Nothing yet: call again.
    done,     ///< Connected; or bytes were received.
    ended,    ///< The peer has closed the connection.
  };
  /// Errors: `connection_refused`, `unreachable`, `not_found` (no such host), `io`.
  virtual result<outcome> connect() = 0;
  /// Replaces the content of `into`.
  virtual result<outcome> receive(std::string& into) = 0;
};

/// A TCP connection. Errors name host and port.
std::unique_ptr<text_socket> make_tcp_socket(std::string host, std::uint16_t port);

}  // namespace millrace
