#include "millrace/actors/job_slots.hpp"

#include <algorithm>

#include "millrace/core/assert.hpp"

namespace millrace {

bool job_slots::accept(const wire::offer_slot& offer) {
  for (const auto& have : held_)
    if (have && have->allocation == offer.allocation) return have->where.resource == offer.resource;
  const auto free = std::find(held_.begin(), held_.end(), std::nullopt);
  if (free == held_.end()) return false;
  *free = slot{offer.allocation, {offer.resource, offer.host, offer.port}};
  return true;
}

bool job_slots::is_complete() const noexcept {
  return std::all_of(held_.begin(), held_.end(), [](const auto& s) { return s.has_value(); });
}

bool job_slots::remove(const resource_id& task_manager) {
  bool is_lost = false;
  for (auto& s : held_) {
    if (!s || s->where.resource != task_manager) continue;
    s.reset();
    is_lost = true;
  }
  return is_lost;
}

std::vector<job_slots::slot> job_slots::take_all() {
  std::vector<slot> all;
  for (auto& s : held_)
    if (s) all.push_back(std::move(*std::exchange(s, std::nullopt)));
  return all;
}

const job_slots::slot& job_slots::slot_of(graph::subtask_ref subtask) const {
  const auto index = plan_.slot_of.at(subtask.vertex).at(subtask.subtask);
  MILLRACE_ASSERT(index < held_.size() && held_[index], "a task without a slot");
  return *held_[index];
}

std::map<resource_id, wire::deploy_tasks> job_slots::deployments(
    const graph::execution_graph& execution) const {
  MILLRACE_ASSERT(is_complete(), "deployed before all slots were there");
  wire::deploy_tasks common;
  common.job = execution.id();
  common.graph = execution.plan();
  std::map<resource_id, std::uint32_t> peer_index;
  for (const auto& have : held_)
    if (peer_index
            .try_emplace(have->where.resource, static_cast<std::uint32_t>(common.peers.size()))
            .second)
      common.peers.push_back(have->where);

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
