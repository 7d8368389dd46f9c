#pragma once

#include <atomic>
#include <caf/actor_control_block.hpp>
#include <caf/fwd.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <string>

#include "millrace/core/error.hpp"
#include "millrace/transport/event_log.hpp"
#include "millrace/transport/frame_guard.hpp"
#include "millrace/transport/gatekeeper.hpp"
#include "millrace/transport/handshake.hpp"

namespace millrace::transport {

/// Hands authenticated sockets to CAF's BASP broker as guarded connections, and watches over the
/// broker. Shared by all work it has under way in the middleman; must be gone, like everything that
/// holds an actor, before the actor system is. Thread-safe.
class basp_bridge : public std::enable_shared_from_this<basp_bridge> {
 public:
  using connected_callback = std::function<void(result<caf::strong_actor_ptr>)>;

  basp_bridge(caf::actor_system& system, std::shared_ptr<const type_allow_list> types,
              frame_limits limits, std::shared_ptr<event_log> log, std::weak_ptr<gatekeeper> gate);
  ~basp_bridge();

  /// This node's id in CAF's wire form, which peer_identity carries.
  static std::string own_node_id(caf::actor_system& system);
  static std::string to_wire(const caf::node_id& node);
  static caf::node_id from_wire(caf::actor_system& system, const std::string& bytes);

  /// Greets a peer that has dialed, with the actor it shall get.
  void adopt_accepted(authenticated_socket socket, std::uint16_t port,
                      caf::strong_actor_ptr published, std::function<void()> done);

  /// Greets a node that was dialed; `done` gets the actor that it publishes.
  void adopt_dialed(authenticated_socket socket, std::chrono::milliseconds timeout,
                    connected_callback done);

  /// If the broker dies the process can neither speak nor listen, and nothing else would notice:
  /// write one line and abort. In force until unwatch(), which must precede an orderly end.
  void watch_broker();
  void unwatch() noexcept;

  /// Lets the broker take what was sent to it so far and ends it, as the end of the actor system
  /// will do, but with its mailbox closed. CAF leaves it open: an actor on a thread of its own
  /// whose last message comes too late would never be destroyed, and the system would wait for it
  /// for ever. To be called when all actors that speak to other nodes have ended, after unwatch(),
  /// and not on the middleman's thread. Blocks; idempotent.
  void end_broker();

 private:
  struct adoption;
  void try_adopt(std::shared_ptr<adoption> what);
  bool is_clean_for(const adoption& what) const;
  void hand_over(adoption& what);
  void end_when_idle(std::shared_ptr<std::promise<void>> ended);

  caf::actor_system& system_;
  caf::strong_actor_ptr broker_;
  std::shared_ptr<const type_allow_list> types_;
  frame_limits limits_;
  std::shared_ptr<event_log> log_;
  std::weak_ptr<gatekeeper> gate_;
  std::string own_node_id_;
  std::shared_ptr<std::atomic<bool>> watching_;
};

}  // namespace millrace::transport
