#include "millrace/transport/node_endpoint.hpp"

#include <algorithm>
#include <atomic>
#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <mutex>

#include "millrace/transport/actor_system_options.hpp"
#include "millrace/transport/basp_bridge.hpp"
#include "millrace/transport/gatekeeper.hpp"
#include "millrace/transport/socket.hpp"

namespace millrace::transport {

namespace {

using clock = std::chrono::steady_clock;

// However late the handshake ended, BASP gets this long for its own, which is one round trip.
constexpr std::chrono::milliseconds basp_timeout_min{500};

peer describe(caf::actor_system& system, const peer_identity& identity) {
  return {identity.id, identity.listens_at, basp_bridge::from_wire(system, identity.node_id),
          nullptr};
}

}  // namespace

struct node_endpoint::parts {
  parts(caf::actor_system& actor_system, endpoint_options&& chosen)
      : system(actor_system), options(std::move(chosen)) {}

  caf::actor_system& system;
  endpoint_options options;
  std::shared_ptr<event_log> log;
  std::shared_ptr<connection_table> table;
  std::shared_ptr<gatekeeper> gate;
  std::shared_ptr<basp_bridge> bridge;

  std::mutex mutex;
  caf::strong_actor_ptr published;
  std::uint16_t listening_port = 0;

  void accepted(authenticated_socket socket) {
    caf::strong_actor_ptr actor;
    std::uint16_t port = 0;
    {
      std::lock_guard guard{mutex};
      actor = published;
      port = listening_port;
    }
    auto known = describe(system, socket.place->peer());
    bridge->adopt_accepted(std::move(socket), port, std::move(actor),
                           [notify = options.on_accepted, known = std::move(known)] {
                             if (notify) notify(known);
                           });
  }
};

node_endpoint::node_endpoint(caf::actor_system& system, endpoint_options options)
    : parts_(std::make_unique<parts>(system, std::move(options))) {
  if (!system.has_middleman())
    throw failure(errc::internal, "a node endpoint needs an actor system with the middleman");
  auto& p = *parts_;
  if (!p.options.wire_types) p.options.wire_types = registered_wire_types(system.config());
  auto types = std::make_shared<const type_allow_list>(*p.options.wire_types);
  p.log = std::make_shared<event_log>(p.options.log);
  p.table = std::make_shared<connection_table>();
  p.gate = std::make_shared<gatekeeper>(
      gatekeeper_options{p.options.secret,
                         {p.options.id, basp_bridge::own_node_id(system), {}},
                         p.options.handshake_timeout,
                         p.options.unauthenticated_max},
      p.table, p.log, [&p](authenticated_socket socket) { p.accepted(std::move(socket)); });
  p.bridge =
      std::make_shared<basp_bridge>(system, std::move(types), p.options.limits, p.log, p.gate);
  p.bridge->watch_broker();
}

node_endpoint::~node_endpoint() {
  close();
}

void node_endpoint::publish(const caf::actor& actor) {
  std::lock_guard guard{parts_->mutex};
  parts_->published = caf::actor_cast<caf::strong_actor_ptr>(actor);
}

result<std::uint16_t> node_endpoint::listen() {
  const auto& o = parts_->options;
  std::lock_guard guard{parts_->mutex};
  if (!parts_->published)
    return fail(errc::invalid_argument, "a node must publish an actor before it listens");
  if (parts_->listening_port != 0) return fail(errc::invalid_argument, "the node listens already");
  auto addresses = resolve(o.bind_host, o.port);
  if (!addresses) return tl::unexpected(addresses.error());
  if (addresses->empty())
    return fail(errc::not_found, "the host name \"" + o.bind_host + "\" has no address");
  const auto& address = addresses->front();
  if (!address.is_loopback() && !o.secret_is_configured)
    return fail(errc::invalid_config,
                "refusing to listen on " + format_address(o.bind_host, o.port) +
                    ", which other machines can reach, with a generated secret: configure one "
                    "cluster secret for all nodes (security.cluster.secret-file), or bind to "
                    "127.0.0.1");
  auto listener = listen_on(address, o.bind_host, o.port);
  if (!listener) return tl::unexpected(listener.error());
  const auto port = local_port(listener->get());
  parts_->listening_port = port;
  const auto& host = o.advertised_host.empty() ? o.bind_host : o.advertised_host;
  parts_->gate->serve(std::move(*listener), format_address(host, port));
  parts_->log->write(severity::info, "listening on " + format_address(o.bind_host, port));
  return port;
}

void node_endpoint::dial(std::string host, std::uint16_t port, std::chrono::milliseconds timeout,
                         dial_callback done) {
  const auto deadline = clock::now() + timeout;
  auto authenticated = [&system = parts_->system, bridge = parts_->bridge, deadline,
                        where = format_address(host, port),
                        done = std::move(done)](result<authenticated_socket> socket) {
    if (!socket) return done(tl::unexpected(socket.error()));
    auto known = describe(system, socket->place->peer());
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now());
    bridge->adopt_dialed(
        std::move(*socket), std::max(left, basp_timeout_min),
        [known = std::move(known), where, done](result<caf::strong_actor_ptr> actor) mutable {
          if (!actor)
            return done(fail(actor.error().code,
                             "cannot connect to " + where + ": " + actor.error().message));
          known.actor = std::move(*actor);
          done(std::move(known));
        });
  };
  parts_->gate->dial(std::move(host), port, timeout, std::move(authenticated));
}

void node_endpoint::drop(const caf::node_id& node) {
  if (auto found = parts_->table->find(basp_bridge::to_wire(node))) found->abort();
}

void node_endpoint::close() {
  parts_->gate->close();
  parts_->bridge->unwatch();
  parts_->log->close();
  std::lock_guard guard{parts_->mutex};
  parts_->published = nullptr;
}

void node_endpoint::end_actors() {
  parts_->system.await_all_actors_done();
  parts_->bridge->end_broker();
}

traffic node_endpoint::total_traffic() const {
  return parts_->table->total();
}

traffic node_endpoint::traffic_with(const caf::node_id& node) const {
  auto found = parts_->table->find(basp_bridge::to_wire(node));
  return found ? found->counted() : traffic{};
}

}  // namespace millrace::transport
