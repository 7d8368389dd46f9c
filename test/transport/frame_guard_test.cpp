#include "millrace/transport/frame_guard.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

namespace frame_guard_test {

using namespace millrace;
using namespace millrace::transport;

namespace {

const std::string own(32, 'o');
const std::string theirs(32, 't');
const std::string third(32, 'x');

void put(std::string& out, std::uint64_t value, int bytes) {
  while (bytes-- > 0) out += static_cast<char>(value >> (8 * bytes));
}

struct frame {
  int operation;
  std::string payload{};
  std::uint8_t flags = 0;
  std::uint64_t data = 0;
  std::uint64_t source = 0;
  std::uint64_t dest = 0;

  std::string bytes() const {
    std::string out;
    put(out, static_cast<std::uint64_t>(operation), 1);
    put(out, 0, 2);
    put(out, flags, 1);
    put(out, payload.size(), 4);
    put(out, data, 8);
    put(out, source, 8);
    put(out, dest, 8);
    return out + payload;
  }
};

std::string type_name(const std::string& name) {
  std::string out(2, '\0');
  std::size_t n = name.size();
  for (; n > 0x7f; n >>= 7) out += static_cast<char>(0x80 | (n & 0x7f));
  out += static_cast<char>(n);
  return out + name;
}

std::string message(const std::string& type, const std::string& body = "body") {
  return frame{2, std::string(1, '\0') + type_name(type) + body, 0, 0, 7, 9}.bytes();
}

std::string some_error(const std::string& context) {
  return std::string("\x05") + std::string(8, 'c') + type_name(context);
}

const std::string client_hello = frame{1, theirs}.bytes();
const std::string client_hello_again = frame{1, theirs, 2}.bytes();
const std::string server_hello = frame{0, theirs + "rest", 0, 3}.bytes();
const std::string monitor = frame{4, theirs + own, 0, 0, 0, 9}.bytes();
const std::string down = frame{5, theirs + own + some_error("@<>"), 0, 0, 9, 0}.bytes();
const std::string heartbeat = frame{6}.bytes();

frame_guard guard_against(connection_role peer_role) {
  static const auto types = std::make_shared<const type_allow_list>(
      std::vector<std::string>{"millrace::record_batch", "millrace::barrier"});
  return {{peer_role, own, theirs}, types, {1024, 512, 256}};
}

status judge(const std::string& bytes, connection_role peer_role = connection_role::dialer) {
  auto guard = guard_against(peer_role);
  return guard.vet(bytes.data(), bytes.size());
}

/// What the guard says about `bytes` after a proper handshake.
std::string refusal(const std::string& bytes) {
  auto verdict = judge(client_hello + bytes);
  return verdict ? "" : verdict.error().message;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != text.npos;
}

}  // namespace

TEST_CASE("the guard passes a conversation as CAF leads it") {
  CHECK(judge(client_hello + client_hello_again + message("@<>+@u64+millrace::record_batch") +
              monitor + down + heartbeat + message("@<>")));
  CHECK(judge(server_hello + message("@<>+@atom+@str+@strong_actor_ptr+@str"),
              connection_role::acceptor));
}

TEST_CASE("the guard's verdict does not depend on how the bytes are cut") {
  const auto good = client_hello + client_hello_again + message("@<>+millrace::barrier") + monitor +
                    down + heartbeat + message("@<>+@error", some_error("@<>+@str"));
  const auto bad = good + message("@<>+evil");
  for (const auto& stream : {good, bad}) {
    const bool expected = stream.size() == good.size();
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
      auto guard = guard_against(connection_role::dialer);
      guard.vet(stream.data(), cut);
      CHECK(guard.vet(stream.data() + cut, stream.size() - cut).has_value() == expected);
    }
    auto guard = guard_against(connection_role::dialer);
    status verdict;
    for (char c : stream) verdict = guard.vet(&c, 1);
    CHECK(verdict.has_value() == expected);
    CHECK(guard.frames() >= 7);
  }
}

TEST_CASE("a violation is final") {
  auto guard = guard_against(connection_role::dialer);
  CHECK_FALSE(guard.vet(heartbeat.data(), heartbeat.size()));
  const auto verdict = guard.vet(client_hello.data(), client_hello.size());
  REQUIRE_FALSE(verdict);
  CHECK(verdict.error().code == errc::protocol);
}

TEST_CASE("nothing may come before the handshake, and no second or foreign one after it") {
  CHECK_FALSE(judge(message("@<>")));
  CHECK_FALSE(judge(monitor));
  CHECK_FALSE(judge(heartbeat));
  CHECK_FALSE(judge(server_hello));
  CHECK_FALSE(judge(client_hello, connection_role::acceptor));
  CHECK_FALSE(judge(server_hello + server_hello, connection_role::acceptor));
  CHECK_FALSE(judge(client_hello + client_hello + client_hello));
}

TEST_CASE("a handshake must name the node that has authenticated") {
  CHECK_FALSE(judge(frame{1, third}.bytes()));
  CHECK_FALSE(judge(frame{1, own}.bytes()));
  CHECK_FALSE(judge(frame{1, theirs.substr(1)}.bytes()));
  CHECK_FALSE(judge(frame{0, third + "rest", 0, 3}.bytes(), connection_role::acceptor));
}

TEST_CASE("a handshake without a payload, which would crash CAF, is refused") {
  CHECK_FALSE(judge(frame{1}.bytes()));
  CHECK_FALSE(judge(frame{0, "", 0, 3}.bytes(), connection_role::acceptor));
}

TEST_CASE("frames that concern a third node are refused") {
  CHECK(contains(refusal(frame{3, "payload", 0, 0, 7, 9}.bytes()), "third node"));
  CHECK(contains(refusal(frame{4, theirs + third, 0, 0, 0, 9}.bytes()), "third node"));
  CHECK(contains(refusal(frame{4, third + own, 0, 0, 0, 9}.bytes()), "third node"));
  CHECK(contains(refusal(frame{5, third + own + some_error("@<>"), 0, 0, 9, 0}.bytes()),
                 "third node"));
}

TEST_CASE("lengths beyond the limits are refused by their header alone") {
  auto header = frame{2, "", 0, 0, 7, 9}.bytes();
  header.replace(4, 4, "\xff\xff\xff\xff");
  CHECK(contains(refusal(header), "4294967295"));
  CHECK(contains(refusal(message("@<>+@str", std::string(2000, 'a'))), "limit of 1024"));
  CHECK(contains(refusal(frame{4, theirs + own + std::string(500, 'a'), 0, 0, 0, 9}.bytes()),
                 "limit of 512"));
  CHECK_FALSE(judge(frame{1, theirs + std::string(300, 'a')}.bytes()));
}

TEST_CASE("message types that are not registered are refused by name") {
  CHECK(contains(refusal(message("@<>+@u64+std::vector<evil>")), "@<>+@u64+std::vector<evil>"));
  CHECK(refusal(message("")) != "");
  CHECK(refusal(message("millrace::barrier")) != "");
  CHECK(refusal(message("@<>+")) != "");
  CHECK(refusal(message("@<>+millrace::barrier+")) != "");
  CHECK(refusal(message("@<>millrace::barrier")) != "");
  CHECK(refusal(message("@<>+" + std::string(900, 'a'))) != "");
}

TEST_CASE("floats, exits, nested messages and link requests are refused even if registered") {
  const type_allow_list types{{"double", "@exit", "@message", "millrace::barrier"}};
  CHECK(types.allows("@<>+millrace::barrier+@u8"));
  CHECK_FALSE(types.allows("@<>+double"));
  CHECK_FALSE(types.allows("@<>+@exit"));
  CHECK_FALSE(types.allows("@<>+@message"));
  CHECK_FALSE(types.allows("@<>+@atom+@str+@message"));
  CHECK_FALSE(types.allows("@<>+@atom+@strong_actor_ptr"));
  CHECK_FALSE(types.allows("@<>+@u8+@error"));
}

TEST_CASE("what an error carries is vetted too") {
  CHECK(refusal(message("@<>+@error", some_error("@<>+@str"))) == "");
  CHECK(contains(refusal(message("@<>+@error", some_error("@<>+double"))), "context"));
  CHECK(contains(refusal(message("@<>+@error", some_error("@<>+@error"))), "context"));
  CHECK(refusal(message("@<>+@error", "short")) != "");
  CHECK(refusal(frame{5, theirs + own + some_error("@<>+evil"), 0, 0, 9, 0}.bytes()) != "");
  CHECK(refusal(frame{5, theirs + own, 0, 0, 9, 0}.bytes()) != "");
}

TEST_CASE("messages with forwarding stages, flags or to system actors are refused") {
  CHECK(contains(refusal(frame{2, "\x01" + type_name("@<>"), 0, 0, 7, 9}.bytes()), "stages"));
  CHECK(refusal(frame{2, std::string(1, '\0') + type_name("@<>"), 4, 0, 7, 9}.bytes()) != "");
  CHECK(contains(refusal(frame{2, std::string(1, '\0') + type_name("@<>"), 1, 0, 7, 9}.bytes()),
                 "system actor"));
  CHECK(refusal(frame{2, std::string(1, '\0') + type_name("@<>"), 0, 0, 7, 0}.bytes()) != "");
  CHECK(refusal(frame{2, "", 0, 0, 7, 9}.bytes()) != "");
  CHECK(refusal(frame{7}.bytes()) != "");
  CHECK(refusal(frame{6, "x"}.bytes()) != "");
}

TEST_CASE("random and mutated bytes never pass by accident") {
  std::mt19937_64 random{42};
  const auto good = client_hello + client_hello_again + message("@<>+@u64+millrace::record_batch") +
                    monitor + down + heartbeat + message("@<>+@error", some_error("@<>"));
  for (int round = 0; round < 100'000; ++round) {
    std::string bytes;
    if (round % 2 == 0) {
      bytes.resize(random() % 200);
      for (char& c : bytes) c = static_cast<char>(random());
    } else {
      bytes = good;
      for (auto flips = random() % 8; flips > 0; --flips)
        bytes[random() % bytes.size()] ^= static_cast<char>(1u << (random() % 8));
    }
    auto guard = guard_against(connection_role::dialer);
    const auto cut = bytes.empty() ? 0 : random() % bytes.size();
    guard.vet(bytes.data(), cut);
    const auto verdict = guard.vet(bytes.data() + cut, bytes.size() - cut);
    if (round % 2 == 0 && bytes.size() >= 32) CHECK_FALSE(verdict);
  }
}

}  // namespace frame_guard_test
