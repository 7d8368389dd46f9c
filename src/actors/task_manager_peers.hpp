#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "millrace/actors/messages.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/ids.hpp"

namespace millrace {

/// Which other task managers this one talks to and who makes each connection. Of two nodes exactly
/// one dials: the task managers dial the master when they register, and among task managers the one
/// with the smaller resource id dials. Once a connection is up each side tells the other which
/// actor its task manager is (peer_hello).
///
///     (unknown) --want--> dialing <-> pausing     we dial; retried with back-off
///                  |         | connection is up
///                  |         v
///                  +-----> greeting -- hello --> connected -- lost --> (unknown)
///                  |                                ^
///                  +-----> awaited ---- hello ------+     the peer dials
///
/// A peer that is not connected in time is given up. Plain: time comes in, actions go out; owned by
/// the task manager's actor.
class peer_table {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  struct options {
    resource_id self;
    /// The master runs in this process, so that every other task manager has dialed us already.
    bool hosts_master = false;
    std::chrono::milliseconds connect_timeout{10'000};
    std::chrono::milliseconds retry_first{20};
    std::chrono::milliseconds retry_longest{1'000};
  };
  enum class action_kind : std::uint8_t {
    dial,
    greet_master,  ///< The peer lives in the master's process: greet it by that connection.
    give_up,
  };
  struct action {
    action_kind kind = action_kind::dial;
    wire::peer_location peer;
    error cause;  ///< If given up.
  };

  explicit peer_table(options opts) : options_(opts) {}

  /// The process at the other end of the registration, null while there is none.
  void set_master(const resource_id& master) { master_ = master; }

  /// We want to talk to this peer. Call act() afterwards.
  void want(const wire::peer_location& peer, time_point now);
  /// What is to be done at `now`; each action is reported once.
  std::vector<action> act(time_point now);
  /// When act() may have something new, if ever.
  std::optional<time_point> next_action() const;

  /// A dial came to its end: the peer is to be greeted, or why not. False if nobody waits for it
  /// any more.
  bool dialed(const resource_id& peer, const std::optional<error>& failed, time_point now);
  /// The peer has told who it is, whether we waited for it or not.
  void greeted(const resource_id& peer);
  /// Its connection is gone; its location is returned for messages, if it was known.
  std::optional<wire::peer_location> lost(const resource_id& peer);

  bool is_connected(const resource_id& peer) const;
  std::size_t size() const noexcept { return peers_.size(); }

 private:
  enum class state : std::uint8_t { due, dialing, pausing, greeting, awaited, connected };
  struct entry {
    state now = state::due;
    wire::peer_location where;
    time_point deadline;
    time_point retry_at;
    std::chrono::milliseconds pause{0};
    std::optional<error> last_error;
  };

  error too_late(const entry& e) const;

  options options_;
  resource_id master_;
  std::map<resource_id, entry> peers_;
};

/// "host:port" as messages name a peer.
std::string address_of(const wire::peer_location& peer);

}  // namespace millrace
