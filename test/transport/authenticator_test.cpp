#include "millrace/transport/authenticator.hpp"

#include <doctest/doctest.h>

#include <random>

namespace authenticator_test {

using namespace millrace;
using namespace millrace::transport;

namespace {

cluster_secret secret(const char* text = "a secret of enough characters") {
  return cluster_secret::from_text(text).value();
}

const peer_identity alice{resource_id{1, 2}, std::string(32, 'a'), "alice.example:6123"};
const peer_identity bob{resource_id{3, 4}, std::string(32, 'b'), ""};

authenticator make(connection_role role, const peer_identity& self, const cluster_secret& key) {
  authenticator::nonce_bytes nonce{};
  nonce.fill(role == connection_role::dialer ? 'd' : 'e');
  return {role, key, self, nonce};
}

/// Two ends with a wire between them on which bytes can be altered.
struct pair {
  authenticator dialer;
  authenticator acceptor;
  admission decision = admission::welcome;
  status dialer_failed{};
  status acceptor_failed{};
  std::string to_acceptor{};
  std::string to_dialer{};

  static bool step(authenticator& end, std::string& input, status& failed) {
    const auto n = end.wanted();
    if (n == 0 || input.size() < n || !failed) return false;
    failed = end.feed(input.substr(0, n));
    input.erase(0, n);
    return true;
  }

  void run() {
    for (bool moved = true; moved;) {
      to_acceptor += dialer.take_output();
      moved = step(acceptor, to_acceptor, acceptor_failed);
      if (acceptor.awaits_admission()) acceptor.admit(decision);
      to_dialer += acceptor.take_output();
      moved |= step(dialer, to_dialer, dialer_failed);
    }
  }
};

pair make_pair(const cluster_secret& dialer_key, const cluster_secret& acceptor_key) {
  return {make(connection_role::dialer, alice, dialer_key),
          make(connection_role::acceptor, bob, acceptor_key)};
}

}  // namespace

TEST_CASE("two nodes with the same secret learn who the other is") {
  auto p = make_pair(secret(), secret());
  p.run();
  CHECK(p.dialer.complete());
  CHECK(p.acceptor.complete());
  CHECK(p.dialer.peer() == bob);
  CHECK(p.acceptor.peer() == alice);
}

TEST_CASE("what follows the authentication is left on the wire") {
  auto p = make_pair(secret(), secret());
  p.run();
  CHECK(p.to_dialer.empty());
  CHECK(p.dialer.wanted() == 0);
  CHECK(p.acceptor.wanted() == 0);
}

TEST_CASE("both ends are told about a wrong secret") {
  auto p = make_pair(secret(), secret("another secret, as long"));
  p.run();
  REQUIRE_FALSE(p.acceptor_failed);
  CHECK(p.acceptor_failed.error().code == errc::authentication);
  REQUIRE_FALSE(p.dialer_failed);
  CHECK(p.dialer_failed.error().code == errc::authentication);
  CHECK(p.dialer_failed.error().message.find("refused this node's cluster secret") !=
        std::string::npos);
}

TEST_CASE("an acceptor that welcomes without knowing the secret is found out") {
  auto p = make_pair(secret(), secret("another secret, as long"));
  p.to_acceptor += p.dialer.take_output();
  pair::step(p.acceptor, p.to_acceptor, p.acceptor_failed);
  while (pair::step(p.acceptor, p.to_acceptor, p.acceptor_failed)) {
  }
  p.to_dialer = p.acceptor.take_output();
  while (pair::step(p.dialer, p.to_dialer, p.dialer_failed)) {
  }
  p.to_dialer = std::string(33, '\0');  // welcome, and zeros for a MAC
  pair::step(p.dialer, p.to_dialer, p.dialer_failed);
  REQUIRE_FALSE(p.dialer_failed);
  CHECK(p.dialer_failed.error().code == errc::authentication);
  CHECK_FALSE(p.dialer.complete());
}

TEST_CASE("a refused dialer learns the acceptor's reason") {
  for (auto [decision, code] : {std::pair{admission::already_connected, errc::already_connected},
                                std::pair{admission::same_node_id, errc::already_connected},
                                std::pair{admission::shutting_down, errc::unreachable}}) {
    auto p = make_pair(secret(), secret());
    p.decision = decision;
    p.run();
    REQUIRE_FALSE(p.dialer_failed);
    CHECK(p.dialer_failed.error().code == code);
    CHECK_FALSE(p.acceptor.complete());
  }
}

TEST_CASE("other programs and other protocol versions are told apart") {
  auto dialer = make(connection_role::dialer, alice, secret());
  const auto verdict = dialer.feed("HTTP/1.1 400");
  REQUIRE_FALSE(verdict);
  CHECK(verdict.error().code == errc::protocol);
  CHECK(verdict.error().message.find("not a Millrace node (it said \"HTTP/1.1 400\")") !=
        std::string::npos);

  auto acceptor = make(connection_role::acceptor, bob, secret());
  const auto other = acceptor.feed(std::string{"MILLRACE\0\x09\x01\0", 12});
  REQUIRE_FALSE(other);
  CHECK(other.error().code == errc::protocol);
  CHECK(other.error().message.find("version 9") != std::string::npos);
  CHECK(acceptor.take_output().starts_with("MILLRACE"));  // so the other end can say the same
}

TEST_CASE("an acceptor is silent until it hears a hello") {
  auto acceptor = make(connection_role::acceptor, bob, secret());
  CHECK(acceptor.take_output().empty());
}

TEST_CASE("a node that dials itself is told so") {
  pair p{make(connection_role::dialer, alice, secret()),
         make(connection_role::acceptor, alice, secret())};
  p.run();
  REQUIRE_FALSE(p.dialer_failed);
  CHECK(p.dialer_failed.error().message.find("this very node") != std::string::npos);
}

TEST_CASE("a node's own messages sent back to it are refused") {
  auto dialer = make(connection_role::dialer, alice, secret());
  CHECK_FALSE(dialer.feed(dialer.take_output().substr(0, dialer.wanted())));
}

TEST_CASE("a flipped bit anywhere breaks the handshake") {
  // Learn how many bytes cross the wire in each direction, then flip each of them once.
  for (bool to_acceptor : {true, false}) {
    for (std::size_t target = 0;; ++target) {
      auto p = make_pair(secret(), secret());
      std::size_t seen = 0;
      bool flipped = false;
      const auto tamper = [&](std::string bytes) {
        if (target >= seen && target < seen + bytes.size()) {
          bytes[target - seen] = static_cast<char>(bytes[target - seen] ^ 1);
          flipped = true;
        }
        seen += bytes.size();
        return bytes;
      };
      for (bool moved = true; moved;) {
        auto out = p.dialer.take_output();
        p.to_acceptor += to_acceptor ? tamper(std::move(out)) : out;
        moved = pair::step(p.acceptor, p.to_acceptor, p.acceptor_failed);
        if (p.acceptor.awaits_admission()) p.acceptor.admit(admission::welcome);
        out = p.acceptor.take_output();
        p.to_dialer += to_acceptor ? out : tamper(std::move(out));
        moved |= pair::step(p.dialer, p.to_dialer, p.dialer_failed);
      }
      if (!flipped) break;
      CHECK_FALSE(p.dialer.complete());
    }
  }
}

}  // namespace authenticator_test
