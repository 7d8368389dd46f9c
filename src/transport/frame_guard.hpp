#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "millrace/core/error.hpp"
#include "millrace/transport/peer_identity.hpp"
#include "millrace/transport/type_allow_list.hpp"

namespace millrace::transport {

/// Upper bounds of what a peer may send, in bytes of payload.
struct frame_limits {
  std::uint32_t message_bytes_max = 16u << 20;   ///< One actor message.
  std::uint32_t control_bytes_max = 256u << 10;  ///< Monitor and down notices.
  std::uint32_t handshake_bytes_max = 4096;
};

/// What a guard must know about its connection.
struct guarded_peer {
  connection_role peer_role;  ///< Of the peer: only an acceptor may send a server handshake.
  std::string own_node_id;    ///< In CAF's wire form; the only destination control frames may have.
  std::string peer_node_id;   ///< As proven in the authentication; the only source they may have.
};

/// Vets the bytes that a peer sends, before CAF's BASP broker parses any of them. BASP trusts its
/// peers completely: a 32-byte packet can crash a process, a length can make it allocate 4 GiB, and
/// any registered actor type can be spawned. What passes this guard is
///
///   32-byte header := operation u8 | 0 u8 | 0 u8 | flags u8 | payload_bytes u32 |
///                     operation_data u64 | source_actor u64 | dest_actor u64     (big-endian)
///   stream         := handshake { direct | monitor | down | heartbeat }
///
/// where the handshake names the node id that was authenticated, monitor and down notices go from
/// that node to this one, every direct message's type is on the allow list, and all payloads are
/// bounded. Frames for or from a third node are refused: this engine never routes, so no actor may
/// pass a third node's handle to, or delegate a third node's message to, a remote actor.
///
/// Feeding is incremental and copies at most one header and a few hundred bytes of a payload.
/// Not thread-safe: one guard per connection, used by the thread that reads from it.
class frame_guard {
 public:
  frame_guard(guarded_peer peer, std::shared_ptr<const type_allow_list> types,
              frame_limits limits = {});

  /// Judges the next `size` bytes of the stream, which may end anywhere. The first violation is
  /// `errc::protocol`, says what the peer did, and is repeated by all later calls: the connection
  /// must be closed, and none of the bytes of the failed call be used.
  status vet(const char* bytes, std::size_t size);

  std::uint64_t frames() const noexcept { return frames_; }  ///< Complete headers seen.

 private:
  enum class operation : std::uint8_t {
    server_handshake = 0,
    client_handshake = 1,
    direct_message = 2,
    routed_message = 3,
    monitor_message = 4,
    down_message = 5,
    heartbeat = 6,
  };
  enum class answer { yes, no, unknown_yet };

  static constexpr std::size_t header_bytes = 32;
  static constexpr std::size_t type_name_bytes_max = 1024;
  static constexpr std::size_t prefix_bytes_max = 2048;

  status check_header();
  status check_handshake_header();
  status check_direct_header();
  status feed_payload(const char* bytes, std::size_t size);
  /// Looks at the payload's first bytes, which are in `prefix_`.
  answer judge_prefix();
  answer judge_handshake();
  answer judge_control();
  answer judge_direct();
  /// Reads "0 u16 | length varint | name" at `offset` and moves `offset` behind it.
  answer read_type_name(std::size_t& offset, std::string_view& name) const;
  answer judge_error(std::size_t offset);
  status violation(std::string what);

  guarded_peer peer_;
  std::shared_ptr<const type_allow_list> types_;
  frame_limits limits_;
  std::uint64_t frames_ = 0;
  int handshakes_ = 0;
  status verdict_;

  std::array<unsigned char, header_bytes> header_{};
  std::size_t header_filled_ = 0;

  // The frame whose payload is being read.
  operation operation_ = operation::heartbeat;
  std::uint32_t payload_left_ = 0;
  bool judging_ = false;
  bool to_spawn_server_ = false;
  std::string prefix_;
  std::string refused_;  ///< What judge_prefix() found wrong.
};

}  // namespace millrace::transport
