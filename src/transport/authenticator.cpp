#include "millrace/transport/authenticator.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <stdexcept>

namespace millrace::transport {

namespace {

constexpr std::string_view magic = "MILLRACE";
constexpr std::size_t fixed_bytes = 8 + 2 + 1 + 1;
constexpr std::size_t body_bytes = 32 + 16 + 1;
constexpr std::size_t node_id_bytes_max = 64;

void put_big_endian(std::string& out, std::uint64_t value, int bytes) {
  while (bytes-- > 0) out += static_cast<char>(value >> (8 * bytes));
}

std::uint64_t get_big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (unsigned char c : bytes) value = (value << 8) | c;
  return value;
}

std::string make_hello(connection_role role, const peer_identity& self,
                       const authenticator::nonce_bytes& nonce) {
  std::string hello{magic};
  put_big_endian(hello, authenticator::protocol_version, 2);
  put_big_endian(hello, static_cast<std::uint8_t>(role), 1);
  put_big_endian(hello, 0, 1);
  hello.append(reinterpret_cast<const char*>(nonce.data()), nonce.size());
  put_big_endian(hello, self.id.high, 8);
  put_big_endian(hello, self.id.low, 8);
  put_big_endian(hello, self.node_id.size(), 1);
  hello += self.node_id;
  put_big_endian(hello, self.listens_at.size(), 1);
  hello += self.listens_at;
  return hello;
}

std::string readable(std::string_view bytes) {
  std::string out;
  for (unsigned char c : bytes) out += c >= 0x20 && c < 0x7f ? static_cast<char>(c) : '.';
  return out;
}

}  // namespace

authenticator::authenticator(connection_role own_role, cluster_secret secret, peer_identity self,
                             const nonce_bytes& nonce)
    : role_(own_role), secret_(std::move(secret)), self_(std::move(self)) {
  if (self_.node_id.empty() || self_.node_id.size() > node_id_bytes_max ||
      self_.listens_at.size() > 255)
    throw failure(errc::invalid_argument, "a node id has 1 to 64 bytes, an address at most 255");
  own_hello_ = make_hello(role_, self_, nonce);
  if (role_ == connection_role::dialer) output_ = own_hello_;
  expect(state::hello_fixed, fixed_bytes);
}

status authenticator::feed(std::string_view bytes) {
  if (bytes.size() != wanted_ || wanted_ == 0)
    return give_up(errc::internal, "the authentication was fed bytes it did not ask for");
  switch (state_) {
    case state::hello_fixed:
      peer_hello_ = bytes;
      return read_fixed(bytes);
    case state::hello_body:
      peer_hello_ += bytes;
      return read_body(bytes);
    case state::hello_node:
      peer_hello_ += bytes;
      return read_node(bytes);
    case state::hello_address:
      peer_hello_ += bytes;
      peer_.listens_at = bytes;
      return hello_complete();
    case state::proof:
      return read_proof(bytes);
    case state::verdict:
      return read_verdict(bytes);
    case state::deciding:
    case state::complete:
    case state::failed:
      break;
  }
  return give_up(errc::internal, "the authentication was fed bytes after its end");
}

status authenticator::read_fixed(std::string_view bytes) {
  if (!bytes.starts_with(magic))
    return give_up(errc::protocol,
                   "the other end is not a Millrace node (it said \"" + readable(bytes) + "\")");
  const auto version = get_big_endian(bytes.substr(8, 2));
  if (version != protocol_version) {
    // Tell it ours, so that it can say the same on its side.
    if (role_ == connection_role::acceptor) output_ += own_hello_;
    return give_up(errc::protocol, "the other end speaks version " + std::to_string(version) +
                                       " of the node protocol, this node version " +
                                       std::to_string(protocol_version) +
                                       "; all nodes of a cluster must run the same release");
  }
  const auto expected_role =
      role_ == connection_role::dialer ? connection_role::acceptor : connection_role::dialer;
  if (static_cast<std::uint8_t>(bytes[10]) != static_cast<std::uint8_t>(expected_role))
    return give_up(errc::protocol,
                   "the other end plays the same part of the handshake as this node");
  expect(state::hello_body, body_bytes);
  return {};
}

status authenticator::read_body(std::string_view bytes) {
  peer_.id = resource_id{get_big_endian(bytes.substr(32, 8)), get_big_endian(bytes.substr(40, 8))};
  const auto node_id_size = static_cast<unsigned char>(bytes[48]);
  if (node_id_size == 0 || node_id_size > node_id_bytes_max)
    return give_up(errc::protocol, "the other end sent a malformed hello");
  expect(state::hello_node, node_id_size + std::size_t{1});
  return {};
}

status authenticator::read_node(std::string_view bytes) {
  const auto address_size = static_cast<unsigned char>(bytes.back());
  peer_.node_id = bytes.substr(0, bytes.size() - 1);
  if (address_size == 0) return hello_complete();
  expect(state::hello_address, address_size);
  return {};
}

status authenticator::hello_complete() {
  if (role_ == connection_role::acceptor) {
    output_ += own_hello_;
    expect(state::proof, mac_bytes);
    return {};
  }
  if (peer_.id == self_.id || peer_.node_id == self_.node_id)
    return give_up(errc::invalid_argument, "the address leads to this very node");
  const auto proof = prove(connection_role::dialer, admission::welcome);
  output_.append(reinterpret_cast<const char*>(proof.data()), proof.size());
  expect(state::verdict, 1 + mac_bytes);
  return {};
}

status authenticator::read_proof(std::string_view bytes) {
  const auto expected = prove(connection_role::dialer, admission::welcome);
  if (CRYPTO_memcmp(bytes.data(), expected.data(), mac_bytes) != 0) {
    output_ += static_cast<char>(admission::wrong_secret);
    output_.append(mac_bytes, '\0');
    return give_up(errc::authentication,
                   "a peer that does not know the cluster secret was refused");
  }
  expect(state::deciding, 0);
  return {};
}

void authenticator::admit(admission decision) {
  if (state_ != state::deciding)
    throw failure(errc::internal, "a peer was admitted before it was authenticated");
  const auto proof = prove(connection_role::acceptor, decision);
  output_ += static_cast<char>(decision);
  output_.append(reinterpret_cast<const char*>(proof.data()), proof.size());
  expect(decision == admission::welcome ? state::complete : state::failed, 0);
}

status authenticator::read_verdict(std::string_view bytes) {
  const auto decision = static_cast<admission>(bytes[0]);
  if (decision == admission::wrong_secret)
    return give_up(errc::authentication,
                   "the other end refused this node's cluster secret; both must use the same one");
  const auto expected = prove(connection_role::acceptor, decision);
  if (CRYPTO_memcmp(bytes.data() + 1, expected.data(), mac_bytes) != 0)
    return give_up(errc::authentication, "the other end does not know this node's cluster secret");
  switch (decision) {
    case admission::welcome:
      expect(state::complete, 0);
      return {};
    case admission::already_connected:
      return give_up(errc::already_connected, "the two nodes are connected already");
    case admission::same_node_id:
      return give_up(
          errc::already_connected,
          "the other end is connected to another process with the same node id as this one");
    case admission::shutting_down:
      return give_up(errc::unreachable, "the other end is shutting down");
    case admission::wrong_secret:
      break;
  }
  return give_up(errc::protocol, "the other end refused the connection for an unknown reason");
}

authenticator::mac authenticator::prove(connection_role signer, admission decision) const {
  const bool own_first = role_ == connection_role::dialer;
  std::string text = signer == connection_role::dialer ? "dialer" : "acceptor";
  text += '\0';
  text += static_cast<char>(decision);
  text += own_first ? own_hello_ : peer_hello_;
  text += own_first ? peer_hello_ : own_hello_;
  mac out{};
  unsigned int size = mac_bytes;
  const auto key = secret_.bytes();
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.data(),
           &size) == nullptr)
    throw failure(errc::internal, "OpenSSL cannot compute HMAC-SHA256");
  return out;
}

void authenticator::expect(state next, std::size_t bytes) {
  state_ = next;
  wanted_ = bytes;
}

tl::unexpected<error> authenticator::give_up(errc code, std::string message) {
  expect(state::failed, 0);
  return fail(code, std::move(message));
}

}  // namespace millrace::transport
