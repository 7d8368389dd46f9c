#include "millrace/actors/job_slots.hpp"

#include <algorithm>
#include <utility>

#include "millrace/core/assert.hpp"

namespace millrace {

job_slots::job_slots(graph::slot_plan plan)
    : plan_(std::move(plan)), places_(plan_.requests.size()) {
  for (std::uint32_t vertex = 0; vertex < plan_.slot_of.size(); ++vertex)
    for (std::uint32_t subtask = 0; subtask < plan_.slot_of[vertex].size(); ++subtask)
      places_.at(plan_.slot_of[vertex][subtask]).subtasks.insert({vertex, subtask});
}

std::size_t job_slots::kept_in(const place& p, const wire::offer_slot& offer) {
  return static_cast<std::size_t>(std::ranges::count_if(
      offer.kept, [&](const auto& subtask) { return p.subtasks.contains(subtask); }));
}

/// The best place; the first of several. Null if all are taken.
job_slots::place* job_slots::place_for(const wire::offer_slot& offer) {
  const auto free = std::ranges::find_if(places_, &place::is_free);
  if (free == places_.end()) return nullptr;
  place* best = nullptr;
  std::size_t most = 0;
  for (auto& p : places_) {
    const auto kept = kept_in(p, offer);
    if (!p.is_free() && (p.is_deployed || p.kept > 0 || kept == 0)) continue;
    if (best != nullptr && kept <= most) continue;
    best = &p;
    most = kept;
  }
  if (!best->is_free()) std::swap(free->held, best->held);
  best->kept = most;
  return best;
}

bool job_slots::accept(const wire::offer_slot& offer) {
  for (const auto& p : places_)
    if (p.held && p.held->allocation == offer.allocation)
      return p.held->where.resource == offer.resource;
  auto* chosen = place_for(offer);
  if (chosen == nullptr) return false;
  chosen->held = slot{offer.allocation, {offer.resource, offer.host, offer.port}};
  chosen->is_deployed = false;
  return true;
}

bool job_slots::is_complete() const noexcept {
  return std::ranges::none_of(places_, &place::is_free);
}

bool job_slots::remove_all_of(const resource_id& task_manager) {
  bool is_lost = false;
  for (auto& p : places_) {
    if (!p.held || p.held->where.resource != task_manager) continue;
    p.lose();
    is_lost = true;
  }
  return is_lost;
}

bool job_slots::remove(const allocation_id& allocation) {
  const auto its = std::find_if(places_.begin(), places_.end(), [&](const place& p) {
    return p.held && p.held->allocation == allocation;
  });
  if (its == places_.end()) return false;
  its->lose();
  return true;
}

std::vector<job_slots::slot> job_slots::take_all() {
  std::vector<slot> all;
  for (auto& p : places_)
    if (p.held) all.push_back(std::move(*std::exchange(p.held, std::nullopt)));
  return all;
}

const job_slots::slot& job_slots::slot_of(graph::subtask_ref subtask) const {
  const auto index = plan_.slot_of.at(subtask.vertex).at(subtask.subtask);
  MILLRACE_ASSERT(index < places_.size() && places_[index].held, "a task without a slot");
  return *places_[index].held;
}

std::map<resource_id, wire::deploy_tasks> job_slots::deployments(
    const graph::execution_graph& execution) {
  MILLRACE_ASSERT(is_complete(), "deployed before all slots were there");
  wire::deploy_tasks common;
  common.job = execution.id();
  common.graph = execution.plan();
  std::map<resource_id, std::uint32_t> peer_index;
  for (auto& p : places_) {
    p.is_deployed = true;
    const auto& where = p.held->where;
    if (peer_index.try_emplace(where.resource, static_cast<std::uint32_t>(common.peers.size()))
            .second)
      common.peers.push_back(where);
  }

  std::map<resource_id, std::vector<wire::task_deployment>> tasks;
  for (const auto& vertex : common.graph.vertices)
    for (std::uint32_t i = 0; i < vertex.parallelism; ++i) {
      const auto& current = execution.vertex({vertex.id, i}).current();
      const auto& id = current.id();
      const slot& s = slot_of({vertex.id, i});
      common.placements.push_back(
          {id.vertex, id.subtask, id.attempt, peer_index.at(s.where.resource)});
      if (current.state() == graph::execution_state::scheduled)
        tasks[s.where.resource].push_back({id, s.allocation});
    }

  std::map<resource_id, wire::deploy_tasks> messages;
  for (auto& [resource, its] : tasks) {
    auto& message = messages[resource] = common;
    message.tasks = std::move(its);
  }
  return messages;
}

}  // namespace millrace
