#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "millrace/connectors/text_socket.hpp"
#include "millrace/source/source.hpp"

namespace millrace {

/// What to do when there is no connection.
struct socket_source_options {
  /// Attempts to connect, after one has failed or the connection was lost, before the job fails;
  /// negative: for ever. A connection that came about starts the count afresh.
  int retries_max = 3;
  /// The pause before the first of these attempts; doubles up to the maximum.
  std::chrono::milliseconds backoff_initial{100};
  /// The longest pause.
  std::chrono::milliseconds backoff_max{10'000};
  /// Whether to connect again when the peer closes the connection. If not, the stream ends.
  bool reconnects_at_end = false;
};

/// Emits the lines that a server sends, as bytes, valid UTF-8 or not. A last line without end
/// counts when the peer closes the connection.
std::shared_ptr<const source_base<std::string>> make_text_socket(std::string host,
                                                                 std::uint16_t port,
                                                                 socket_source_options options);

/// The same for any kind of socket; `make_socket` is called for each attempt.
std::shared_ptr<const source_base<std::string>> make_text_socket(
    std::function<std::unique_ptr<text_socket>()> make_socket, socket_source_options options);

}  // namespace millrace
