#include "millrace/transport/node_endpoint.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <future>
#include <mutex>
#include <thread>

#include "millrace/transport/actor_system_options.hpp"
#include "millrace/transport/socket.hpp"

namespace node_endpoint_test {

using namespace millrace;
using namespace millrace::transport;
using namespace std::chrono_literals;

namespace {

struct config : caf::actor_system_config {
  config() { apply_engine_settings(*this, 1, true); }
};

cluster_secret secret(const char* text = "a secret of enough characters") {
  return cluster_secret::from_text(text).value();
}

/// An actor that answers a number with its successor and a text with itself.
caf::behavior calculator() {
  return {[](std::uint64_t n) { return n + 1; }, [](std::string& text) { return std::move(text); }};
}

/// One node: an actor system, its endpoint, and what it logs.
class node {
 public:
  explicit node(std::uint64_t id, cluster_secret key = secret(), std::uint16_t port = 0)
      : calculator_(system.spawn(calculator)),
        endpoint(system, {.id = {id, id},
                          .secret = std::move(key),
                          .port = port,
                          .log =
                              [this](severity, std::string_view line) {
                                std::lock_guard guard{mutex_};
                                log_ += line;
                                log_ += '\n';
                              },
                          .on_accepted =
                              [this](const peer& who) {
                                std::lock_guard guard{mutex_};
                                accepted_.push_back(who);
                              }}) {
    endpoint.publish(calculator_);
  }
  ~node() {
    endpoint.close();
    caf::anon_send_exit(calculator_, caf::exit_reason::user_shutdown);
  }

  result<peer> dial(std::uint16_t port, std::chrono::milliseconds timeout = 3s,
                    std::string host = "127.0.0.1") {
    std::promise<result<peer>> promise;
    endpoint.dial(std::move(host), port, timeout,
                  [&](result<peer> outcome) { promise.set_value(std::move(outcome)); });
    return promise.get_future().get();
  }

  /// Dials again until the earlier connection is cleaned up on both sides.
  result<peer> redial(std::uint16_t port) {
    const auto deadline = std::chrono::steady_clock::now() + 3s;
    for (;;) {
      auto outcome = dial(port);
      if (outcome || std::chrono::steady_clock::now() > deadline) return outcome;
      std::this_thread::sleep_for(5ms);
    }
  }

  std::string log() {
    std::lock_guard guard{mutex_};
    return log_;
  }
  std::vector<peer> accepted() {
    std::lock_guard guard{mutex_};
    return accepted_;
  }

  config settings;
  caf::actor_system system{settings};

 private:
  std::mutex mutex_;
  std::string log_;
  std::vector<peer> accepted_;
  caf::actor calculator_;

 public:
  node_endpoint endpoint;
};

template <class Condition>
bool eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + 3s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != text.npos;
}

std::uint64_t successor(node& from, const peer& to, std::uint64_t n) {
  caf::scoped_actor self{from.system};
  std::uint64_t answer = 0;
  self->request(caf::actor_cast<caf::actor>(to.actor), 3s, n)
      .receive([&](std::uint64_t m) { answer = m; }, [](const caf::error&) {});
  return answer;
}

unique_fd plain_connection(std::uint16_t port) {
  unique_fd fd{::socket(AF_INET, SOCK_STREAM, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

/// Monitors an actor and tells how soon it is down.
class watcher {
 public:
  watcher(node& on, const caf::strong_actor_ptr& whom) {
    std::promise<void> ready;
    // The handle keeps the monitoring actor alive.
    actor_ = on.system.spawn([this, &ready, whom](caf::event_based_actor* self) -> caf::behavior {
      self->set_down_handler([this](const caf::down_msg&) { down_.set_value(); });
      self->monitor(whom);
      ready.set_value();
      return {[](caf::unit_t) {}};
    });
    ready.get_future().wait();
  }
  ~watcher() {
    caf::scoped_actor self{actor_.home_system()};
    self->send_exit(actor_, caf::exit_reason::user_shutdown);
    self->wait_for(actor_);
  }

  bool sees_down_within(std::chrono::milliseconds timeout) {
    return down_.get_future().wait_for(timeout) == std::future_status::ready;
  }

 private:
  std::promise<void> down_;
  caf::actor actor_;
};

}  // namespace

TEST_CASE("two nodes meet and send messages both ways") {
  node a{1}, b{2};
  const auto port = b.endpoint.listen();
  REQUIRE(port);
  REQUIRE(a.endpoint.listen());
  const auto met = a.dial(*port);
  REQUIRE_MESSAGE(met, met.error().message);
  CHECK(met->id == resource_id{2, 2});
  CHECK(met->listens_at == "127.0.0.1:" + std::to_string(*port));
  CHECK(met->node == b.system.node());
  CHECK(successor(a, *met, 41) == 42);  // and back
  REQUIRE(eventually([&] { return b.accepted().size() == 1; }));
  CHECK(b.accepted()[0].id == resource_id{1, 1});
  CHECK(b.accepted()[0].node == a.system.node());
  CHECK_FALSE(b.accepted()[0].listens_at.empty());
  CHECK(a.endpoint.traffic_with(met->node).bytes_in > 0);
  CHECK(eventually(
      [&] { return b.endpoint.total_traffic().bytes_in == a.endpoint.total_traffic().bytes_out; }));
}

// Not more bytes: the thread sanitizer takes CAF's every hand-over for a race and is slow per byte.
TEST_CASE("many large messages arrive whole and in order") {
  node a{1}, b{2};
  const auto met = a.dial(b.endpoint.listen().value());
  REQUIRE(met);
  caf::scoped_actor self{a.system};
  const auto remote = caf::actor_cast<caf::actor>(met->actor);
  for (int i = 0; i < 20; ++i) self->send(remote, std::to_string(i) + std::string(64 << 10, 'x'));
  for (int i = 0; i < 20; ++i)
    self->receive(
        [&](const std::string& text) { CHECK(text.starts_with(std::to_string(i) + "x")); });
}

TEST_CASE("a node with another secret is refused, and both sides say so") {
  node a{1, secret("another secret, as long")}, b{2};
  const auto port = b.endpoint.listen().value();
  const auto met = a.dial(port);
  REQUIRE_FALSE(met);
  CHECK(met.error().code == errc::authentication);
  CHECK(contains(met.error().message, "127.0.0.1:" + std::to_string(port)));
  CHECK(contains(met.error().message, "cluster secret"));
  CHECK(eventually([&] { return contains(b.log(), "does not know the cluster secret"); }));
}

TEST_CASE("silent peers do not delay an honest one") {
  node a{1}, b{2};
  const auto port = b.endpoint.listen().value();
  std::vector<unique_fd> silent;
  for (int i = 0; i < 20; ++i) silent.push_back(plain_connection(port));
  const auto start = std::chrono::steady_clock::now();
  CHECK(a.dial(port));
  CHECK(std::chrono::steady_clock::now() - start < 500ms);
  // And they are shown the door in the end.
  CHECK(eventually([&] { return contains(b.log(), "did not authenticate within 2000 ms"); }));
}

TEST_CASE("when too many connections are silent the oldest gives way") {
  node a{1}, b{2};
  const auto port = b.endpoint.listen().value();
  std::vector<unique_fd> silent;
  for (int i = 0; i < 100; ++i) silent.push_back(plain_connection(port));
  CHECK(a.dial(port));
  CHECK(contains(b.log(), "too many others wait"));
}

TEST_CASE("a program that is not Millrace is told from one that listens to nobody") {
  node a{1};
  unique_fd server{::socket(AF_INET, SOCK_STREAM, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(server.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  const auto port = local_port(server.get());
  CHECK(a.dial(port).error().code == errc::connection_refused);

  REQUIRE(::listen(server.get(), 8) == 0);
  CHECK(a.dial(port, 100ms).error().code == errc::timeout);  // silent
  std::thread web{[&] {
    unique_fd first{::accept(server.get(), nullptr, nullptr)};  // the one that timed out
    unique_fd fd{::accept(server.get(), nullptr, nullptr)};
    [[maybe_unused]] auto n = ::send(fd.get(), "HTTP/1.1 400 Bad Request\r\n", 26, MSG_NOSIGNAL);
    char sink[256];
    n = ::recv(fd.get(), sink, sizeof sink, 0);
  }};
  const auto met = a.dial(port);
  web.join();
  REQUIRE_FALSE(met);
  CHECK(met.error().code == errc::protocol);
  CHECK(contains(met.error().message, "not a Millrace node"));
}

TEST_CASE("an unknown host name is an error of its own") {
  node a{1};
  CHECK(a.dial(1, 5s, "no-such-host.invalid").error().code == errc::not_found);
}

TEST_CASE("a second connection between the same two nodes is refused") {
  node a{1}, b{2};
  const auto port = b.endpoint.listen().value();
  const auto first = a.dial(port);
  REQUIRE(first);
  const auto second = a.dial(port);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == errc::already_connected);
  const auto back = b.dial(a.endpoint.listen().value());
  REQUIRE_FALSE(back);
  CHECK(back.error().code == errc::already_connected);
  CHECK(successor(a, *first, 1) == 2);
}

TEST_CASE("a node that dials itself gets a clear error") {
  node a{1};
  const auto met = a.dial(a.endpoint.listen().value());
  REQUIRE_FALSE(met);
  CHECK(contains(met.error().message, "this very node"));
}

TEST_CASE("dropping a peer fires monitors on both sides, and it can be dialed again") {
  node a{1}, b{2};
  const auto port = b.endpoint.listen().value();
  auto met = a.dial(port);
  REQUIRE(met);
  for (int round = 0; round < 20; ++round) {
    CHECK(successor(a, *met, 1) == 2);
    watcher down{a, met->actor};
    (round % 2 == 0 ? a : b).endpoint.drop(round % 2 == 0 ? b.system.node() : a.system.node());
    CHECK(down.sees_down_within(1s));
    met = a.redial(port);
    REQUIRE_MESSAGE(met, met.error().message);
  }
  CHECK(successor(a, *met, 1) == 2);
}

TEST_CASE("a message of a type that is not allowed ends its connection, and no other") {
  node a{1}, b{2}, c{3};
  const auto port = b.endpoint.listen().value();
  const auto bad = a.dial(port);
  const auto good = c.dial(port);
  REQUIRE(bad);
  REQUIRE(good);
  watcher down{a, bad->actor};
  caf::anon_send(caf::actor_cast<caf::actor>(bad->actor), 1.5);
  CHECK(down.sees_down_within(1s));
  CHECK(contains(b.log(), "not allowed: @<>+double"));
  CHECK(successor(c, *good, 1) == 2);
}

TEST_CASE("garbage after the authentication ends its connection, and no other") {
  node b{2}, c{3};
  const auto port = b.endpoint.listen().value();
  const auto good = c.dial(port);
  REQUIRE(good);
  auto fd = plain_connection(port);
  authenticator protocol{connection_role::dialer, secret(), {{9, 9}, std::string(32, 'n'), ""}, {}};
  while (!protocol.complete()) {
    const auto out = protocol.take_output();
    REQUIRE(::send(fd.get(), out.data(), out.size(), 0) == static_cast<ssize_t>(out.size()));
    std::string in(protocol.wanted(), '\0');
    REQUIRE(::recv(fd.get(), in.data(), in.size(), MSG_WAITALL) == static_cast<ssize_t>(in.size()));
    REQUIRE(protocol.feed(in));
  }
  const std::string garbage(64, '\xff');
  CHECK(::send(fd.get(), garbage.data(), garbage.size(), 0) == 64);
  char sink[4096];
  CHECK(eventually([&] { return ::recv(fd.get(), sink, sizeof sink, 0) <= 0; }));
  CHECK(successor(c, *good, 1) == 2);
}

TEST_CASE("a port in use is named") {
  node a{1};
  const auto port = a.endpoint.listen().value();
  node b{2, secret(), port};
  const auto second = b.endpoint.listen();
  REQUIRE_FALSE(second);
  CHECK(second.error().code == errc::address_in_use);
  CHECK(contains(second.error().message, "127.0.0.1:" + std::to_string(port)));
}

TEST_CASE("an address that others can reach needs a configured secret") {
  config settings;
  caf::actor_system system{settings};
  for (const char* host : {"0.0.0.0", "::"}) {
    node_endpoint endpoint{system, {.id = {1, 1}, .secret = secret(), .bind_host = host}};
    endpoint.publish(system.spawn([]() -> caf::behavior { return {[](caf::unit_t) {}}; }));
    CHECK(endpoint.listen().error().code == errc::invalid_config);
  }
  node_endpoint endpoint{
      system,
      {.id = {1, 1}, .secret = secret(), .secret_is_configured = true, .bind_host = "0.0.0.0"}};
  auto actor = system.spawn([]() -> caf::behavior { return {[](caf::unit_t) {}}; });
  endpoint.publish(actor);
  CHECK(endpoint.listen());
}

TEST_CASE("closing fails pending dials and is idempotent") {
  node a{1};
  unique_fd server{::socket(AF_INET, SOCK_STREAM, 0)};
  REQUIRE(::listen(server.get(), 8) == 0);  // accepts, never answers
  std::promise<result<peer>> promise;
  a.endpoint.dial("127.0.0.1", local_port(server.get()), 60s,
                  [&](result<peer> outcome) { promise.set_value(std::move(outcome)); });
  a.endpoint.close();
  a.endpoint.close();
  CHECK(promise.get_future().get().error().code == errc::cancelled);
  CHECK(a.dial(1).error().code == errc::cancelled);
}

}  // namespace node_endpoint_test
