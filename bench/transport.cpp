// Throughput of one guarded connection between two nodes, as MB/s of payload: two actor systems in
// this process over loopback, a window of 64 unacknowledged messages.
// Usage: bench_transport [seconds per size, default 2]

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <string>

#include "millrace/transport/actor_system_options.hpp"
#include "millrace/transport/node_endpoint.hpp"

namespace {

using namespace millrace;
using namespace millrace::transport;
using clock_type = std::chrono::steady_clock;

constexpr std::uint64_t window = 64;

struct config : caf::actor_system_config {
  config() { apply_engine_settings(*this, 1, true); }
};

caf::behavior receiver(caf::event_based_actor* self) {
  return {[self](std::uint64_t sequence, const std::string&) {
    self->send(caf::actor_cast<caf::actor>(self->current_sender()), sequence);
  }};
}

void measure(caf::actor_system& system, const caf::actor& remote, std::size_t frame_bytes,
             double seconds) {
  caf::scoped_actor self{system};
  const std::string payload(frame_bytes, 'x');
  std::uint64_t sent = 0;
  std::uint64_t acknowledged = 0;
  const auto await_one = [&] { self->receive([&](std::uint64_t n) { acknowledged = n + 1; }); };
  const auto start = clock_type::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(clock_type::now() - start).count();
  };
  while (elapsed() < seconds) {
    if (sent - acknowledged >= window) await_one();
    self->send(remote, sent++, payload);
  }
  while (acknowledged < sent) await_one();
  std::printf("%4zu KB frames: %7.1f MB/s\n", frame_bytes >> 10,
              static_cast<double>(sent * frame_bytes) / elapsed() / 1e6);
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 2;
  const auto secret = cluster_secret::from_text("only for this measurement").value();
  config sender_config;
  config receiver_config;
  caf::actor_system sender{sender_config};
  caf::actor_system receiving{receiver_config};
  node_endpoint from{sender, {.id = {1, 1}, .secret = secret}};
  node_endpoint to{receiving, {.id = {2, 2}, .secret = secret}};
  auto sink = receiving.spawn(receiver);
  to.publish(sink);
  const auto port = to.listen();
  if (!port) return std::fprintf(stderr, "%s\n", port.error().message.c_str()), 1;
  std::promise<result<peer>> dialed;
  from.dial("127.0.0.1", *port, std::chrono::seconds{3},
            [&](result<peer> outcome) { dialed.set_value(std::move(outcome)); });
  const auto met = dialed.get_future().get();
  if (!met) return std::fprintf(stderr, "%s\n", met.error().message.c_str()), 1;
  for (std::size_t bytes : {std::size_t{32} << 10, std::size_t{256} << 10})
    measure(sender, caf::actor_cast<caf::actor>(met->actor), bytes, seconds);
  caf::anon_send_exit(sink, caf::exit_reason::user_shutdown);
  return 0;
}
