#pragma once

#include <caf/actor_control_block.hpp>
#include <caf/fwd.hpp>
#include <caf/node_id.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "millrace/actors/messages.hpp"
#include "millrace/core/error.hpp"

namespace millrace::sim {

using time_point = std::chrono::steady_clock::time_point;
using duration = std::chrono::steady_clock::duration;

/// Sees messages of a host's actors when they are about to be handled.
class message_observer {
 public:
  virtual ~message_observer() = default;
  virtual void on_deploy(const wire::deploy_tasks&) = 0;
  virtual void on_open_channel(const wire::open_channel&) = 0;
  virtual void on_element(const wire::channel_element&) = 0;
  virtual void on_credit(const wire::channel_credit&) = 0;
  virtual void on_heartbeat(const wire::heartbeat&) = 0;
  virtual void on_task_state(const wire::task_state_changed&) = 0;
};

/// A host's end of a connection to another one. The host reads what deliver() brings; the network
/// takes what the host writes.
class host_stream {
 public:
  virtual ~host_stream() = default;
  /// Whether the host listens to it already. Until then it must be left alone.
  virtual bool is_ready() const = 0;
  /// Bytes from the other end, in order.
  virtual void deliver(const std::vector<char>& bytes) = 0;
  /// The connection is gone; nothing is delivered any more.
  virtual void fail() = 0;
};

/// What the network wants to hear of a stream.
struct stream_events {
  std::function<void(std::vector<char>)> on_write;
  std::function<void()> on_close;  ///< By this host, in order after what it has written.
};

/// One process of the simulated cluster: an actor system that does nothing by itself. Whoever owns
/// it chooses each step, moves its time and carries its bytes. This is all that the simulation
/// knows about the actor library, so that another version of it can be put underneath.
class sim_host {
 public:
  using connected_callback = std::function<void(result<caf::strong_actor_ptr>)>;

  /// Ends all actors, in a way that no other host can see.
  virtual ~sim_host() = default;

  virtual caf::actor_system& system() = 0;
  /// What the host is called in a transport::peer.
  virtual caf::node_id node() = 0;

  // -- Steps -------------------------------------------------------------------------

  /// Actors with something to do.
  virtual std::size_t ready_actors() const = 0;
  /// Lets the `which`-th of them handle one message. Others move to other places.
  virtual void run_actor(std::size_t which) = 0;
  /// Lets the network broker do one thing; false if it has nothing to do.
  virtual bool run_broker() = 0;

  // -- Time --------------------------------------------------------------------------

  virtual time_point now() const = 0;
  /// Never back. Fires nothing.
  virtual void set_time(time_point now) = 0;
  /// When the next timer is due.
  virtual std::optional<time_point> next_timer() const = 0;
  /// Timers that are set, of all actors.
  virtual std::size_t pending_timers() const = 0;
  /// Fires that timer.
  virtual void fire_timer() = 0;

  // -- Connections -------------------------------------------------------------------

  /// Whether the host still has a route to another one: a new connection must wait for its end.
  virtual bool has_route_to(const caf::node_id& node) const = 0;
  /// The end of a connection that another host has dialed and that is to get `published`.
  virtual std::shared_ptr<host_stream> accept(stream_events events,
                                              caf::strong_actor_ptr published) = 0;
  /// The end of a connection that this host has dialed; `done` gets the actor that the other end
  /// publishes.
  virtual std::shared_ptr<host_stream> connect(stream_events events,
                                               std::chrono::milliseconds timeout,
                                               connected_callback done) = 0;

  // -- Looking inside ----------------------------------------------------------------

  /// Names of the engine's actors that have not ended, sorted.
  virtual std::vector<std::string> live_actors() const = 0;
  /// Timers that are set.
  virtual std::size_t timer_count() const = 0;

  // -- Harm --------------------------------------------------------------------------

  /// Ends one of the engine's actors that have this name, if there are any: the oldest, or the
  /// `which`-th after it, in turn.
  virtual void kill_actor(const std::string& name, std::size_t which = 0) = 0;
};

/// `observer` may be null and must outlive the host.
std::unique_ptr<sim_host> make_caf_host(message_observer* observer);

}  // namespace millrace::sim
