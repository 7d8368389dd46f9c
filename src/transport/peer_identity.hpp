#pragma once

#include <cstdint>
#include <string>

#include "millrace/core/ids.hpp"

namespace millrace::transport {

/// Which end of a connection a node is. The wire's role tag: do not renumber.
enum class connection_role : std::uint8_t { dialer = 1, acceptor = 2 };

/// What a node says about itself in the handshake, proven by the cluster secret.
struct peer_identity {
  resource_id id;          ///< One life of one process.
  std::string node_id;     ///< Its CAF node id in CAF's wire form; opaque here. 1 to 64 bytes.
  std::string listens_at;  ///< "host:port" where others reach it, empty if it accepts nobody.
                           ///< At most 255 bytes.

  bool operator==(const peer_identity&) const = default;
};

}  // namespace millrace::transport
