#include "millrace/actors/task_manager_peers.hpp"

#include <algorithm>

namespace millrace {

std::string address_of(const wire::peer_location& peer) {
  return peer.host + ":" + std::to_string(peer.port);
}

void peer_table::want(const wire::peer_location& peer, time_point now) {
  auto [found, is_new] = peers_.try_emplace(peer.resource);
  auto& e = found->second;
  if (!is_new) {
    e.where = peer;  // a peer that greeted first left no location
    return;
  }
  e.where = peer;
  e.deadline = now + options_.connect_timeout;
  e.pause = options_.retry_first;
  const bool they_dial =
      peer.resource != master_ && (options_.hosts_master || peer.resource < options_.self);
  e.now = they_dial ? state::awaited : state::due;
}

std::vector<peer_table::action> peer_table::act(time_point now) {
  std::vector<action> todo;
  for (auto it = peers_.begin(); it != peers_.end();) {
    auto& e = it->second;
    if (e.now != state::connected && now >= e.deadline) {
      todo.push_back({action_kind::give_up, e.where, too_late(e)});
      it = peers_.erase(it);
      continue;
    }
    if (e.now == state::due || (e.now == state::pausing && now >= e.retry_at)) {
      const bool at_master = it->first == master_;
      e.now = at_master ? state::greeting : state::dialing;
      todo.push_back({at_master ? action_kind::greet_master : action_kind::dial, e.where, {}});
    }
    ++it;
  }
  return todo;
}

std::optional<peer_table::time_point> peer_table::next_action() const {
  std::optional<time_point> next;
  for (const auto& [id, e] : peers_) {
    if (e.now == state::connected) continue;
    auto when = e.deadline;
    if (e.now == state::pausing) when = std::min(when, e.retry_at);
    if (!next || when < *next) next = when;
  }
  return next;
}

bool peer_table::dialed(const resource_id& peer, const std::optional<error>& failed,
                        time_point now) {
  auto found = peers_.find(peer);
  if (found == peers_.end() || found->second.now != state::dialing) return false;
  auto& e = found->second;
  if (!failed) {
    e.now = state::greeting;
    return true;
  }
  e.last_error = failed;
  if (failed->code == errc::authentication || failed->code == errc::protocol) {
    e.deadline = now;  // it will not get better
    e.retry_at = now;
  } else {
    e.retry_at = now + e.pause;
    e.pause = std::min(2 * e.pause, options_.retry_longest);
  }
  e.now = state::pausing;
  return true;
}

void peer_table::greeted(const resource_id& peer) {
  auto& e = peers_[peer];
  e.where.resource = peer;
  e.now = state::connected;
}

std::optional<wire::peer_location> peer_table::lost(const resource_id& peer) {
  auto found = peers_.extract(peer);
  if (found.empty()) return std::nullopt;
  return found.mapped().where;
}

bool peer_table::is_connected(const resource_id& peer) const {
  auto found = peers_.find(peer);
  return found != peers_.end() && found->second.now == state::connected;
}

error peer_table::too_late(const entry& e) const {
  const auto limit = std::to_string(options_.connect_timeout.count()) + " ms";
  const auto who = "task manager " + address_of(e.where);
  if (e.last_error)
    return {e.last_error->code, "cannot connect to " + who + ": " + e.last_error->message};
  switch (e.now) {
    case state::awaited:
      return {errc::unreachable, who + " did not connect to us within " + limit +
                                     ": can it reach this node's address and port?"};
    case state::greeting:
      return {errc::unreachable, who + " was connected but did not answer within " + limit};
    default:
      return {errc::unreachable, "cannot connect to " + who + " within " + limit};
  }
}

}  // namespace millrace
