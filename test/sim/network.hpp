#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "millrace/core/ids.hpp"
#include "millrace/transport/connector.hpp"
#include "sim/random.hpp"
#include "sim/sim_host.hpp"

namespace millrace::sim {

/// How long things take on their way.
struct network_timing {
  duration latency_min = std::chrono::microseconds(50);
  duration latency_max = std::chrono::microseconds(400);
};

/// The network between the machines of a simulated cluster. It behaves like TCP below the engine's
/// handshake: bytes of a connection arrive in order or not at all; what is cut off waits until the
/// link heals; a process that has died resets its connections, which its peers learn when the link
/// lets them; a process that is paused accepts nothing and loses nothing.
class network {
 public:
  using process_id = std::size_t;
  using machine_id = std::size_t;

  network(network_timing timing, random_source random) : timing_(timing), random_(random) {}

  /// A process comes up. `host` must live until remove().
  process_id add(machine_id machine, sim_host& host, resource_id id, std::string address);
  /// It is gone. If it was killed, the last bytes it wrote may be lost.
  void remove(process_id gone, bool killed);
  /// It lives on, but nobody hears of it any more: its connections break, and its address is free.
  void cut_off(process_id self);
  void set_paused(process_id self, bool paused) { processes_.at(self).paused = paused; }

  /// One direction of a link.
  void set_cut(machine_id from, machine_id to, bool cut) { links_[{from, to}].cut = cut; }
  void set_slowness(machine_id from, machine_id to, unsigned factor) {
    links_[{from, to}].slowness = factor;
  }

  // What a process asks for.
  void publish(process_id self, caf::strong_actor_ptr actor);
  void listen(process_id self) { processes_.at(self).listening = true; }
  void dial(process_id self, std::string address, std::chrono::milliseconds timeout,
            transport::connector::dial_callback done);
  void drop(process_id self, const caf::node_id& peer);

  /// Something that can happen now.
  struct event;
  void collect(std::vector<event>& events);
  void run(const event& what);
  /// When something can happen that cannot yet; not what waits for a link or a paused process.
  std::optional<time_point> next_due() const;

  void set_time(time_point now) { now_ = now; }
  std::size_t connection_count() const { return connections_.size(); }

 private:
  struct process {
    machine_id machine = 0;
    sim_host* host = nullptr;  // null: gone
    resource_id id;
    std::string address;
    bool listening = false;
    bool paused = false;
    caf::strong_actor_ptr published;
  };
  struct link {
    bool cut = false;
    unsigned slowness = 1;
  };
  struct packet {
    time_point due;
    std::vector<char> bytes;
    bool is_end = false;
  };
  /// One process' end of a connection.
  struct end {
    process_id owner = 0;
    std::shared_ptr<host_stream> stream;  // null until adopted
    std::deque<packet> incoming;
    bool closed = false;
    bool aborted = false;  // the owner wants it to end
    time_point adopt_at{};
    time_point adopt_until{};
    std::chrono::milliseconds timeout{};
    transport::connector::dial_callback done;  // the dialer's
  };
  struct connection {
    std::array<end, 2> ends;   // dialer, acceptor
    bool established = false;  // the dialer knows
  };
  struct call {
    process_id from = 0;
    process_id to = 0;
    std::string address;
    time_point due{};
    time_point deadline{};
    std::chrono::milliseconds timeout{};
    bool answered = false;
    std::optional<error> refusal;
    std::shared_ptr<connection> made;
    transport::connector::dial_callback done;
    bool over = false;
  };

 public:
  struct event {
    enum class kind : std::uint8_t { deliver, fail, adopt, call, call_timeout } what;
    std::shared_ptr<connection> on;
    std::size_t end = 0;
    std::shared_ptr<call> by;
  };

 private:
  bool can_run(process_id p) const {
    return processes_[p].host != nullptr && !processes_[p].paused;
  }
  bool is_cut(process_id from, process_id to) const;
  duration latency(process_id from, process_id to);
  bool are_connected(process_id owner, process_id peer) const;
  void push(connection& c, std::size_t to_end, packet p);
  void close(connection& c, std::size_t which);
  void deliver(const std::shared_ptr<connection>& c, std::size_t which);
  void adopt(const std::shared_ptr<connection>& c, std::size_t which);
  void advance(const std::shared_ptr<call>& c);
  void arrive(const std::shared_ptr<call>& c);
  stream_events events_of(const std::shared_ptr<connection>& c, std::size_t which);
  void tidy();

  network_timing timing_;
  random_source random_;
  time_point now_{};
  std::vector<process> processes_;
  std::map<std::pair<machine_id, machine_id>, link> links_;
  std::vector<std::shared_ptr<connection>> connections_;
  std::vector<std::shared_ptr<call>> calls_;
};

/// A process' way into the network, as the engine sees it.
class sim_connector final : public transport::connector {
 public:
  sim_connector(network& net, network::process_id self, std::uint16_t port)
      : network_(net), self_(self), port_(port) {}

  void publish(const caf::actor& actor) override;
  result<std::uint16_t> listen() override;
  void dial(std::string host, std::uint16_t port, std::chrono::milliseconds timeout,
            dial_callback done) override;
  void drop(const caf::node_id& node) override { network_.drop(self_, node); }

 private:
  network& network_;
  network::process_id self_;
  std::uint16_t port_;
};

}  // namespace millrace::sim
