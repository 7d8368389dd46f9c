#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "millrace/core/error.hpp"
#include "millrace/transport/peer_identity.hpp"
#include "millrace/transport/secret.hpp"

namespace millrace::transport {

/// The acceptor's last word. Numbers travel: do not renumber.
enum class admission : std::uint8_t {
  welcome = 0,
  wrong_secret = 1,       ///< The dialer's proof is not made from this cluster's secret.
  already_connected = 2,  ///< A connection between the two nodes is up (or not yet cleaned up).
  same_node_id = 3,       ///< Another live process has the dialer's CAF node id.
  shutting_down = 4,
};

/// Mutual authentication by a shared secret, before a connection carries anything else. Pure
/// protocol: bytes in, bytes out; no socket, no clock; randomness is injected as a nonce.
///
///   dialer                                              acceptor
///     hello_d                          ->
///                                      <-               hello_a
///     HMAC(secret, "dialer" h_d h_a)   ->
///                                      <-  admission u8, HMAC(secret, "acceptor" admission h_d
///                                      h_a)
///
///   hello := "MILLRACE" | version u16 | role u8 | 0 u8 | nonce 32 | resource id 16 |
///            n u8, CAF node id n | m u8, listening address m                  (big-endian)
///
/// HMAC is HMAC-SHA256; the MACs cover both hellos whole, so both sides' claims about who they are
/// are proven, and neither side's message can be reflected or replayed. The first eleven bytes
/// never change, so that nodes of different versions can tell each other. The acceptor stays silent
/// until it has seen a hello, and a refusal for a wrong secret carries no MAC (it knows no better
/// than to answer with zeros). The connection itself is not encrypted: this proves who is at the
/// other end, it does not hide or protect what follows from somebody who controls the network
/// between.
class authenticator {
 public:
  using nonce_bytes = std::array<unsigned char, 32>;
  static constexpr std::uint16_t protocol_version = 1;

  authenticator(connection_role own_role, cluster_secret secret, peer_identity self,
                const nonce_bytes& nonce);

  /// Bytes to read next and to pass to feed(), all of them; 0 when nothing is expected. Reading
  /// more would take bytes that belong to what follows the authentication.
  std::size_t wanted() const noexcept { return wanted_; }

  /// Takes exactly `wanted()` bytes. Errors end the handshake; what output() holds then should
  /// still be sent, it tells the peer why:
  /// - `errc::protocol`: not a Millrace node, or one of another protocol version;
  /// - `errc::authentication`: the peer does not know the secret, or says that we don't;
  /// - `errc::already_connected`, `errc::invalid_argument` (a node dialed itself),
  /// `errc::cancelled`.
  status feed(std::string_view bytes);

  /// Whether the acceptor has verified the dialer and must now admit() or refuse it.
  bool awaits_admission() const noexcept { return state_ == state::deciding; }
  /// Acceptor only, when awaits_admission().
  void admit(admission decision);

  /// Bytes to send, handed over once.
  std::string take_output() { return std::exchange(output_, {}); }

  /// Whether the peer is authenticated and welcome. Valid once all output is sent.
  bool complete() const noexcept { return state_ == state::complete; }
  /// Who the peer is; meaningful once awaits_admission() or complete().
  const peer_identity& peer() const noexcept { return peer_; }

 private:
  enum class state {
    hello_fixed,    ///< Awaiting magic, version, role.
    hello_body,     ///< Awaiting nonce, id and the first length.
    hello_node,     ///< Awaiting the node id and the second length.
    hello_address,  ///< Awaiting the listening address.
    proof,          ///< Acceptor: awaiting the dialer's MAC.
    deciding,       ///< Acceptor: awaiting admit().
    verdict,        ///< Dialer: awaiting the acceptor's admission and MAC.
    complete,
    failed,
  };
  static constexpr std::size_t mac_bytes = 32;
  using mac = std::array<unsigned char, mac_bytes>;

  status read_fixed(std::string_view bytes);
  status read_body(std::string_view bytes);
  status read_node(std::string_view bytes);
  status hello_complete();
  status read_proof(std::string_view bytes);
  status read_verdict(std::string_view bytes);
  mac prove(connection_role signer, admission decision) const;
  void expect(state next, std::size_t bytes);
  tl::unexpected<error> give_up(errc code, std::string message);

  connection_role role_;
  cluster_secret secret_;
  peer_identity self_;
  std::string own_hello_;
  std::string peer_hello_;
  peer_identity peer_;
  std::string output_;
  state state_ = state::hello_fixed;
  std::size_t wanted_ = 0;
};

}  // namespace millrace::transport
