#include "millrace/actors/task_manager_master.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/wire.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/options.hpp"

namespace millrace {

namespace {

constexpr std::chrono::seconds master_dial_timeout{5};
constexpr std::chrono::seconds registration_timeout{5};

}  // namespace

master_link::master_link(caf::event_based_actor& self, const task_manager_options& options, hooks h)
    : self_(self),
      options_(options),
      hooks_(std::move(h)),
      retry_(options.config.get(options::registration_initial_timeout),
             options.config.get(options::registration_max_timeout)),
      gate_(options.master) {}

void master_link::start() {
  if (gate_) {
    self_.monitor(gate_);
    register_now();
  } else {
    dial();
  }
}

void master_link::stop() {
  state_ = state::stopped;
  ++timer_;
}

void master_link::dial() {
  state_ = state::dialing;
  options_.connector->dial(options_.master_host, options_.master_port, master_dial_timeout,
                           [self = self_.address()](result<transport::peer> outcome) {
                             if (auto alive = caf::actor_cast<caf::actor>(self))
                               caf::anon_send(alive, local::dialed{{}, std::move(outcome)});
                           });
}

void master_link::on_dialed(const local::dialed& end) {
  if (state_ != state::dialing) return;
  if (!end.outcome) return retry_later(end.outcome.error());
  const auto& peer = *end.outcome;
  gate_ = caf::actor_cast<caf::actor>(peer.actor);
  if (!gate_) return retry_later({errc::protocol, "the node at " + address() + " is no master"});
  node_ = peer.node;
  resource_ = peer.id;
  self_.monitor(gate_);
  register_now();
}

void master_link::register_now() {
  state_ = state::registering;
  wire::register_task_manager request;
  request.resource = options_.resource;
  request.host = options_.host;
  request.port = options_.port;
  request.pid = options_.pid;
  request.slots = hooks_.slots();
  request.kept = hooks_.kept();
  const auto asked = gate_;
  self_.request(asked, registration_timeout, std::move(request), caf::actor(&self_))
      .then(
          [this, asked](const wire::registration& r) {
            if (state_ == state::registering && gate_ == asked)
              registered(r, self_.current_sender());
          },
          [this, asked](const caf::error& e) {
            if (state_ == state::registering && gate_ == asked) retry_later(from_caf(e));
          });
}

void master_link::registered(const wire::registration& r, const caf::strong_actor_ptr& by) {
  state_ = state::registered;
  retry_.reset();
  last_trouble_.clear();
  epoch_ = r.master_epoch;
  resource_manager_ = by ? caf::actor_cast<caf::actor>(by) : gate_;
  if (resource_manager_ != gate_) self_.monitor(resource_manager_);
  heartbeat_.emplace(std::chrono::milliseconds(r.heartbeat_interval_ms),
                     std::chrono::milliseconds(r.heartbeat_timeout_ms), now());
  log_event(log_level::info, "registered with the master",
            {{"master", address()}, {"slots", std::to_string(options_.slots)}});
  set_timer(heartbeat_->interval());
  hooks_.on_registered();
}

void master_link::on_timer(std::uint64_t generation) {
  if (generation != timer_) return;
  switch (state_) {
    case state::registered:
      return beat();
    case state::absent:
      return gate_ ? register_now() : dial();
    default:
      return;
  }
}

void master_link::beat() {
  if (heartbeat_->is_lost(now()))
    return lose("no heartbeat for " + std::to_string(heartbeat_->timeout().count()) + " ms");
  wire::heartbeat beat;
  beat.resource = options_.resource;
  beat.master_epoch = epoch_;
  beat.sequence = heartbeat_->next();
  beat.slots = hooks_.slots();
  beat.grants_seen = hooks_.grants_seen();
  self_.send(resource_manager_, std::move(beat));
  set_timer(heartbeat_->interval());
}

void master_link::on_heartbeat_answer(const wire::heartbeat_answer& answer) {
  if (state_ != state::registered) return;
  if (answer.master_epoch != epoch_) return lose("it has started afresh");
  heartbeat_->answered(answer.sequence, now());
}

bool master_link::on_down(const caf::actor_addr& who) {
  const bool is_gate = gate_ && who == gate_.address();
  if (!is_gate && (!resource_manager_ || who != resource_manager_.address())) return false;
  if (state_ != state::stopped)
    lose(is_gate ? "connection lost" : "its resource manager has ended", !is_gate);
  return true;
}

void master_link::lose(const std::string& reason, bool keeps_gate) {
  const bool was_registered = state_ == state::registered;
  // In one process master and worker end together.
  if (was_registered)
    log_event(options_.master ? log_level::info : log_level::warn, "lost the master",
              {{"master", address()}, {"reason", reason}});
  state_ = state::absent;
  heartbeat_.reset();
  if (resource_manager_ && resource_manager_ != gate_) self_.demonitor(resource_manager_);
  resource_manager_ = nullptr;
  if (!options_.master && !keeps_gate) {
    self_.demonitor(gate_);
    gate_ = nullptr;
    // What is left of the connection would refuse the next dial.
    if (node_) options_.connector->drop(node_);
    node_ = caf::node_id();
    resource_ = {};
  }
  if (was_registered) hooks_.on_lost(reason);
  retry_.reset();
  set_timer(retry_.next());
}

void master_link::retry_later(const error& why) {
  if (why.message != last_trouble_) {
    last_trouble_ = why.message;
    log_event(log_level::warn, "waiting for the master",
              {{"master", address()}, {"reason", why.message}});
  }
  state_ = state::absent;
  set_timer(retry_.next());
}

void master_link::set_timer(std::chrono::milliseconds delay) {
  self_.delayed_send(&self_, delay, local::timer{local::timer_kind::master, ++timer_});
}

std::string master_link::address() const {
  if (options_.master) return "this process";
  return options_.master_host + ":" + std::to_string(options_.master_port);
}

std::chrono::steady_clock::time_point master_link::now() const {
  return options_.time->now();
}

}  // namespace millrace
