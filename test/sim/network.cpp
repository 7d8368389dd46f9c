#include "sim/network.hpp"

#include <algorithm>
#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>

namespace millrace::sim {

namespace {

/// How long a new connection waits for the end of an earlier one between the same processes, and
/// how often it looks.
constexpr std::chrono::milliseconds adoption_limit{2000};
constexpr std::chrono::milliseconds adoption_poll{1};

}  // namespace

network::process_id network::add(machine_id machine, sim_host& host, resource_id id,
                                 std::string address) {
  processes_.push_back({machine, &host, id, std::move(address), false, false, nullptr});
  return processes_.size() - 1;
}

void network::remove(process_id gone, bool killed) {
  auto& p = processes_.at(gone);
  p.host = nullptr;
  p.published = nullptr;
  for (auto& c : connections_)
    for (std::size_t e = 0; e < 2; ++e) {
      if (c->ends[e].owner != gone || c->ends[e].closed) continue;
      auto& on_the_way = c->ends[1 - e].incoming;
      if (killed && !on_the_way.empty()) on_the_way.resize(random_.below(on_the_way.size() + 1));
      close(*c, e);
    }
  std::erase_if(calls_, [&](const auto& c) { return c->from == gone; });
  tidy();
}

void network::cut_off(process_id self) {
  auto& p = processes_.at(self);
  p.address.clear();
  p.listening = false;
  for (auto& c : connections_)
    for (std::size_t e = 0; e < 2; ++e) {
      if (c->ends[e].owner != self) continue;
      if (!c->ends[1 - e].closed) push(*c, 1 - e, {{}, {}, true});
      if (c->ends[e].closed) continue;
      c->ends[e].incoming.clear();
      if (c->ends[e].stream)
        c->ends[e].aborted = true;  // it learns so when it goes on
      else
        close(*c, e);
    }
}

void network::publish(process_id self, caf::strong_actor_ptr actor) {
  processes_.at(self).published = std::move(actor);
}

bool network::is_cut(process_id from, process_id to) const {
  const auto found = links_.find({processes_[from].machine, processes_[to].machine});
  return found != links_.end() && found->second.cut;
}

duration network::latency(process_id from, process_id to) {
  const auto span = random_.between(timing_.latency_min.count(), timing_.latency_max.count());
  const auto found = links_.find({processes_[from].machine, processes_[to].machine});
  return duration(span) * (found == links_.end() ? 1 : found->second.slowness);
}

bool network::are_connected(process_id owner, process_id peer) const {
  return std::any_of(connections_.begin(), connections_.end(), [&](const auto& c) {
    for (std::size_t e = 0; e < 2; ++e)
      if (c->ends[e].owner == owner && c->ends[1 - e].owner == peer && !c->ends[e].closed)
        return true;
    return false;
  });
}

// -- connecting -----------------------------------------------------------------------------------

void network::dial(process_id self, std::string address, std::chrono::milliseconds timeout,
                   transport::connector::dial_callback done) {
  auto c = std::make_shared<call>();
  c->from = self;
  c->address = std::move(address);
  c->timeout = timeout;
  c->deadline = now_ + timeout;
  c->done = std::move(done);
  // The latest process with that address, dead or alive, says which machine is meant.
  c->to = self;
  for (process_id p = 0; p < processes_.size(); ++p)
    if (processes_[p].address == c->address) c->to = p;
  c->due = now_ + latency(self, c->to);
  calls_.push_back(std::move(c));
}

void network::advance(const std::shared_ptr<call>& c) {
  if (!c->answered) return arrive(c);
  c->over = true;
  const auto& self = processes_[c->from];
  if (c->refusal)
    return c->done(
        fail(c->refusal->code, "cannot connect to " + c->address + ": " + c->refusal->message));
  c->made->established = true;
  auto& own = c->made->ends[0];
  own.adopt_at = now_;
  own.adopt_until = now_ + adoption_limit;
  own.timeout = c->timeout;
  own.done = [done = std::move(c->done), to = c->to, this, where = c->address,
              self_id = self.id](result<transport::peer> p) {
    if (!p)
      return done(fail(p.error().code, "cannot connect to " + where + ": " + p.error().message));
    done(std::move(p));
  };
}

/// The dialer's handshake reaches the other machine.
void network::arrive(const std::shared_ptr<call>& c) {
  for (process_id p = 0; p < processes_.size(); ++p)
    if (processes_[p].address == c->address) c->to = p;  // it may have come up meanwhile
  const auto& target = processes_[c->to];
  c->answered = true;
  c->due = now_ + latency(c->to, c->from);
  if (target.address != c->address || target.host == nullptr || !target.listening) {
    c->refusal = error{errc::connection_refused, "Connection refused"};
  } else if (are_connected(c->to, c->from) || are_connected(c->from, c->to)) {
    c->refusal = error{errc::already_connected, "the nodes are connected already"};
  } else {
    c->made = std::make_shared<connection>();
    c->made->ends[0].owner = c->from;
    auto& theirs = c->made->ends[1];
    theirs.owner = c->to;
    theirs.adopt_at = now_;
    theirs.adopt_until = now_ + adoption_limit;
    connections_.push_back(c->made);
  }
}

stream_events network::events_of(const std::shared_ptr<connection>& c, std::size_t which) {
  const std::weak_ptr<connection> weak = c;
  return {[this, weak, which](std::vector<char> bytes) {
            if (const auto open = weak.lock(); open && !open->ends[which].closed)
              push(*open, 1 - which, {{}, std::move(bytes), false});
          },
          [this, weak, which] {
            if (const auto open = weak.lock()) close(*open, which);
          }};
}

void network::adopt(const std::shared_ptr<connection>& c, std::size_t which) {
  auto& own = c->ends[which];
  auto& self = processes_[own.owner];
  const auto& other = processes_[c->ends[1 - which].owner];
  auto* peer_host = other.host;
  const auto refuse = [&](error why) {
    close(*c, which);
    if (which == 0) own.done(tl::unexpected(std::move(why)));
  };
  if (peer_host == nullptr) return refuse({errc::unreachable, "the node has gone"});
  const auto node = peer_host->node();
  if (self.host->has_route_to(node)) {
    if (now_ >= own.adopt_until)
      return refuse({errc::already_connected, "an earlier connection is not yet cleaned up"});
    own.adopt_at = now_ + adoption_poll;
    return;
  }
  if (which == 1) {
    own.stream = self.host->accept(events_of(c, which), self.published);
    return;
  }
  transport::peer about{other.id, other.address, node, nullptr};
  own.stream = self.host->connect(events_of(c, which), own.timeout,
                                  [about, done = std::move(own.done), weak = std::weak_ptr(c)](
                                      result<caf::strong_actor_ptr> actor) mutable {
                                    if (!actor) {
                                      if (const auto open = weak.lock())
                                        open->ends[0].aborted = true;
                                      return done(tl::unexpected(actor.error()));
                                    }
                                    about.actor = std::move(*actor);
                                    done(std::move(about));
                                  });
}

// -- data -----------------------------------------------------------------------------------------

void network::push(connection& c, std::size_t to_end, packet p) {
  auto& to = c.ends[to_end];
  p.due = now_ + latency(c.ends[1 - to_end].owner, to.owner);
  if (!to.incoming.empty()) p.due = std::max(p.due, to.incoming.back().due);
  to.incoming.push_back(std::move(p));
}

/// The owner of this end neither reads nor writes any more.
void network::close(connection& c, std::size_t which) {
  auto& own = c.ends[which];
  if (std::exchange(own.closed, true)) return;
  own.stream = nullptr;
  own.incoming.clear();
  if (!c.ends[1 - which].closed) push(c, 1 - which, {{}, {}, true});
}

void network::deliver(const std::shared_ptr<connection>& c, std::size_t which) {
  auto& own = c->ends[which];
  auto next = std::move(own.incoming.front());
  own.incoming.pop_front();
  const auto stream = own.stream;
  if (!next.is_end) return stream->deliver(next.bytes);
  own.closed = true;
  own.stream = nullptr;
  own.incoming.clear();
  stream->fail();
}

void network::drop(process_id self, const caf::node_id& peer) {
  for (auto& c : connections_)
    for (std::size_t e = 0; e < 2; ++e) {
      const auto* other = processes_[c->ends[1 - e].owner].host;
      if (c->ends[e].owner == self && !c->ends[e].closed && other != nullptr &&
          processes_[c->ends[1 - e].owner].host->node() == peer)
        c->ends[e].aborted = true;
    }
}

// -- choices --------------------------------------------------------------------------------------

void network::collect(std::vector<event>& events) {
  for (auto& c : connections_)
    for (std::size_t e = 0; e < 2; ++e) {
      auto& own = c->ends[e];
      if (own.closed || !can_run(own.owner)) continue;
      const auto other = c->ends[1 - e].owner;
      if (own.aborted && own.stream && own.stream->is_ready()) {
        events.push_back({event::kind::fail, c, e, nullptr});
      } else if (!own.stream) {
        if (e == 0 && !c->established) continue;
        if (own.adopt_at <= now_) events.push_back({event::kind::adopt, c, e, nullptr});
      } else if (!own.incoming.empty() && own.incoming.front().due <= now_ &&
                 own.stream->is_ready() && !is_cut(other, own.owner)) {
        events.push_back({event::kind::deliver, c, e, nullptr});
      }
    }
  for (auto& c : calls_) {
    if (!can_run(c->from)) continue;
    if (c->deadline <= now_) {
      events.push_back({event::kind::call_timeout, nullptr, 0, c});
      continue;
    }
    if (c->due > now_) continue;
    const bool to_them = !c->answered;
    if (to_them ? is_cut(c->from, c->to) : is_cut(c->to, c->from)) continue;
    if (to_them && processes_[c->to].host != nullptr && processes_[c->to].paused) continue;
    events.push_back({event::kind::call, nullptr, 0, c});
  }
}

void network::run(const event& what) {
  switch (what.what) {
    case event::kind::deliver:
      deliver(what.on, what.end);
      break;
    case event::kind::fail: {
      const auto stream = what.on->ends[what.end].stream;
      close(*what.on, what.end);
      stream->fail();
      break;
    }
    case event::kind::adopt:
      adopt(what.on, what.end);
      break;
    case event::kind::call:
      advance(what.by);
      break;
    case event::kind::call_timeout:
      what.by->over = true;
      if (what.by->made) close(*what.by->made, 0);
      what.by->done(fail(errc::timeout, "cannot connect to " + what.by->address + " within " +
                                            std::to_string(what.by->timeout.count()) + " ms"));
      break;
  }
  tidy();
}

void network::tidy() {
  std::erase_if(connections_, [](const auto& c) { return c->ends[0].closed && c->ends[1].closed; });
  std::erase_if(calls_, [](const auto& c) { return c->over; });
}

std::optional<time_point> network::next_due() const {
  std::optional<time_point> next;
  const auto consider = [&](time_point when) {
    if (when > now_ && (!next || when < *next)) next = when;
  };
  for (const auto& c : connections_)
    for (std::size_t e = 0; e < 2; ++e) {
      const auto& own = c->ends[e];
      if (own.closed || !can_run(own.owner)) continue;
      if (!own.stream)
        consider(own.adopt_at);
      else if (!own.incoming.empty() && !is_cut(c->ends[1 - e].owner, own.owner))
        consider(own.incoming.front().due);
    }
  for (const auto& c : calls_) {
    if (!can_run(c->from)) continue;
    consider(c->deadline);
    consider(c->due);
  }
  return next;
}

// -- the engine's view ----------------------------------------------------------------------------

void sim_connector::publish(const caf::actor& actor) {
  network_.publish(self_, caf::actor_cast<caf::strong_actor_ptr>(actor));
}

result<std::uint16_t> sim_connector::listen() {
  network_.listen(self_);
  return port_;
}

void sim_connector::dial(std::string host, std::uint16_t port, std::chrono::milliseconds timeout,
                         dial_callback done) {
  network_.dial(self_, host + ":" + std::to_string(port), timeout, std::move(done));
}

}  // namespace millrace::sim
