#include "millrace/transport/gatekeeper.hpp"

#include <doctest/doctest.h>

#include <future>
#include <thread>

#include "millrace/transport/socket.hpp"

namespace gatekeeper_test {

using namespace millrace;
using namespace millrace::transport;
using namespace std::chrono_literals;

namespace {

gatekeeper_options options_of(std::uint64_t id, std::chrono::milliseconds handshake_timeout) {
  gatekeeper_options options{
      .secret = cluster_secret::from_text("a secret of enough characters").value(), .self = {}};
  options.self.id = {id, id};
  options.self.node_id = "node-" + std::to_string(id);
  options.handshake_timeout = handshake_timeout;
  return options;
}

/// A gatekeeper with what it needs, and nothing behind it.
struct gate {
  explicit gate(std::uint64_t id, std::chrono::milliseconds handshake_timeout = 2s)
      : keeper(options_of(id, handshake_timeout), std::make_shared<connection_table>(),
               std::make_shared<event_log>(nullptr), [](authenticated_socket) {}) {}
  ~gate() { keeper.close(); }

  gatekeeper keeper;
};

}  // namespace

TEST_CASE("a peer that comes after a long silence has the whole time to authenticate") {
  constexpr auto handshake_timeout = 200ms;
  gate listening(1, handshake_timeout);
  gate dialing(2);
  const auto address = resolve("127.0.0.1", 0).value().front();
  auto listener = listen_on(address, "127.0.0.1", 0).value();
  const auto port = local_port(listener.get());
  listening.keeper.serve(std::move(listener), "127.0.0.1:" + std::to_string(port));
  std::this_thread::sleep_for(handshake_timeout + 100ms);

  std::promise<bool> connected;
  dialing.keeper.dial("127.0.0.1", port, 2s, [&](result<authenticated_socket> outcome) {
    connected.set_value(outcome.has_value());
  });
  CHECK(connected.get_future().get());
}

}  // namespace gatekeeper_test
