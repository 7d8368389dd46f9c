#include "millrace/transport/basp_bridge.hpp"

#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman.hpp>
#include <caf/send.hpp>
#include <cstdlib>
#include <set>

#include "millrace/transport/guarded_scribe.hpp"

namespace millrace::transport {

namespace {

using clock = std::chrono::steady_clock;

// How long BASP may take to forget an earlier connection, and how often to look.
constexpr std::chrono::milliseconds cleanup_timeout{2000};
constexpr std::chrono::milliseconds cleanup_poll{1};

caf::io::basp_broker& as_broker(const caf::strong_actor_ptr& actor) {
  return *static_cast<caf::io::basp_broker*>(actor->get());
}

bool has_terminated(const caf::strong_actor_ptr& actor) {
  return actor->get()->getf(caf::abstract_actor::is_terminated_flag);
}

caf::io::network::default_multiplexer& multiplexer_of(caf::actor_system& system) {
  return static_cast<caf::io::network::default_multiplexer&>(system.middleman().backend());
}

}  // namespace

/// One socket on its way to the broker.
struct basp_bridge::adoption {
  authenticated_socket socket;
  caf::node_id node;
  clock::time_point give_up;
  std::uint16_t port = 0;
  caf::strong_actor_ptr published;              ///< Accepted sockets.
  std::function<void()> on_accepted;            ///< Accepted sockets.
  std::chrono::milliseconds connect_timeout{};  ///< Dialed sockets.
  connected_callback on_connected;              ///< Dialed sockets.

  void abandon(const std::shared_ptr<event_log>& log, error why) {
    socket.fd.reset();
    if (on_connected) return on_connected(tl::unexpected(std::move(why)));
    log->write(severity::warning, "connection from node " + to_string(socket.place->peer().id) +
                                      " closed: " + why.message);
  }
};

basp_bridge::basp_bridge(caf::actor_system& system, std::shared_ptr<const type_allow_list> types,
                         frame_limits limits, std::shared_ptr<event_log> log,
                         std::weak_ptr<gatekeeper> gate)
    : system_(system),
      types_(std::move(types)),
      limits_(limits),
      log_(std::move(log)),
      gate_(std::move(gate)),
      own_node_id_(own_node_id(system)),
      watching_(std::make_shared<std::atomic<bool>>(false)) {
  // The middleman has spawned it at its start; this only looks it up.
  auto broker = system.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP"));
  broker_ = caf::actor_cast<caf::strong_actor_ptr>(broker);
}

basp_bridge::~basp_bridge() {
  unwatch();
}

std::string basp_bridge::own_node_id(caf::actor_system& system) {
  return to_wire(system.node());
}

std::string basp_bridge::to_wire(const caf::node_id& node) {
  std::vector<char> bytes;
  caf::binary_serializer sink{nullptr, bytes};
  if (auto e = sink(node)) throw failure(errc::internal, "CAF cannot serialize a node id");
  return {bytes.begin(), bytes.end()};
}

caf::node_id basp_bridge::from_wire(caf::actor_system& system, const std::string& bytes) {
  caf::node_id node;
  caf::binary_deserializer source{system, bytes.data(), bytes.size()};
  if (auto e = source(node)) return {};
  return node;
}

void basp_bridge::adopt_accepted(authenticated_socket socket, std::uint16_t port,
                                 caf::strong_actor_ptr published, std::function<void()> done) {
  auto what = std::make_shared<adoption>();
  what->node = from_wire(system_, socket.place->peer().node_id);
  what->socket = std::move(socket);
  what->give_up = clock::now() + cleanup_timeout;
  what->port = port;
  what->published = std::move(published);
  what->on_accepted = std::move(done);
  try_adopt(std::move(what));
}

void basp_bridge::adopt_dialed(authenticated_socket socket, std::chrono::milliseconds timeout,
                               connected_callback done) {
  auto what = std::make_shared<adoption>();
  what->node = from_wire(system_, socket.place->peer().node_id);
  what->socket = std::move(socket);
  what->give_up = clock::now() + std::min(timeout, cleanup_timeout);
  what->connect_timeout = timeout;
  what->on_connected = std::move(done);
  try_adopt(std::move(what));
}

void basp_bridge::try_adopt(std::shared_ptr<adoption> what) {
  // The broker lives on the middleman's thread; only there its tables can be looked at.
  multiplexer_of(system_).post([self = shared_from_this(), what = std::move(what)] {
    if (has_terminated(self->broker_) || !what->node)
      return what->abandon(self->log_, {errc::cancelled, "this node is shutting down"});
    if (self->is_clean_for(*what)) return self->hand_over(*what);
    if (clock::now() > what->give_up)
      return what->abandon(self->log_, {errc::already_connected,
                                        "an earlier connection to the node is not yet cleaned up"});
    auto gate = self->gate_.lock();
    if (!gate || !gate->run_later(cleanup_poll, [self, what] { self->try_adopt(what); }))
      what->abandon(self->log_, {errc::cancelled, "this node is shutting down"});
  });
}

// BASP names connections by file descriptor and forgets a lost one only after all its messages have
// been delivered. A new connection with the same descriptor, or to the same node, must not come
// before: the late clean-up would hit the new one, or find a second route and tell no monitor.
bool basp_bridge::is_clean_for(const adoption& what) const {
  auto& broker = as_broker(broker_);
  const auto handle = caf::io::network::conn_hdl_from_socket(what.socket.fd.get());
  return broker.ctx.count(handle) == 0 && !broker.instance.tbl().lookup_direct(what.node);
}

void basp_bridge::hand_over(adoption& what) {
  auto place = std::move(what.socket.place);
  const bool dialed = static_cast<bool>(what.on_connected);
  frame_guard guard{{dialed ? connection_role::acceptor : connection_role::dialer, own_node_id_,
                     place->peer().node_id},
                    types_,
                    limits_};
  caf::io::scribe_ptr scribe = caf::make_counted<guarded_scribe>(
      multiplexer_of(system_), what.socket.fd.release(), std::move(guard), place, log_);
  auto broker = caf::actor_cast<caf::actor>(broker_);
  if (!dialed) {
    caf::anon_send(broker, caf::publish_atom_v, std::move(scribe), what.port,
                   std::move(what.published), std::set<std::string>{});
    what.on_accepted();
    return;
  }
  auto waiter = [place, scribe, broker, timeout = what.connect_timeout,
                 done = std::move(what.on_connected)](caf::event_based_actor* self) mutable {
    self->request(broker, timeout, caf::connect_atom_v, std::move(scribe), std::uint16_t{0})
        .then(
            [place, done](const caf::node_id&, caf::strong_actor_ptr& actor,
                          const std::set<std::string>&) {
              if (actor) return done(std::move(actor));
              place->abort();
              done(fail(errc::unreachable, "the node does not publish anything yet"));
            },
            [place, done](const caf::error& e) {
              place->abort();
              if (e == caf::sec::request_timeout)
                return done(
                    fail(errc::timeout, "the node did not complete CAF's handshake in time"));
              done(fail(errc::unreachable, "the connection was lost during CAF's handshake"));
            });
  };
  system_.spawn<caf::hidden>(std::move(waiter));
}

void basp_bridge::watch_broker() {
  watching_->store(true);
  broker_->get()->attach_functor([watching = watching_, log = log_](const caf::error& reason) {
    if (!watching->load()) return;
    log->write(severity::error, "CAF's BASP broker died (" + caf::to_string(reason) +
                                    "): this process can no longer reach its cluster, aborting");
    std::abort();
  });
}

void basp_bridge::unwatch() noexcept {
  watching_->store(false);
}

void basp_bridge::end_broker() {
  auto ended = std::make_shared<std::promise<void>>();
  auto has_ended = ended->get_future();
  end_when_idle(std::move(ended));
  has_ended.wait();
}

void basp_bridge::end_when_idle(std::shared_ptr<std::promise<void>> ended) {
  auto& multiplexer = multiplexer_of(system_);
  multiplexer.post([self = shared_from_this(), &multiplexer, ended = std::move(ended)]() mutable {
    if (!has_terminated(self->broker_)) {
      auto& broker = as_broker(self->broker_);
      if (!broker.mailbox().blocked()) return self->end_when_idle(std::move(ended));
      // As caf::io::middleman::stop() does.
      broker.context(&multiplexer);
      broker.quit();
      broker.finalize();
      // What abstract_broker::cleanup() has left out.
      broker.caf::scheduled_actor::cleanup({}, &multiplexer);
    }
    ended->set_value();
  });
}

}  // namespace millrace::transport
