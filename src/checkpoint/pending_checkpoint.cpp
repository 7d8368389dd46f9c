#include "millrace/checkpoint/pending_checkpoint.hpp"

#include <algorithm>
#include <utility>

#include "millrace/checkpoint/in_flight_state.hpp"
#include "millrace/core/assert.hpp"

namespace millrace {

pending_checkpoint::pending_checkpoint(barrier cut, std::int64_t begun_ms,
                                       std::uint64_t begun_wall_ms)
    : cut_(cut), begun_ms_(begun_ms), begun_wall_ms_(begun_wall_ms) {}

void pending_checkpoint::gather(checkpoint_plan plan,
                                std::map<std::string, std::vector<std::byte>> coordinators) {
  MILLRACE_ASSERT(phase_ == phase::beginning, "a checkpoint is triggered once");
  phase_ = phase::gathering;
  plan_ = std::move(plan);
  awaited_.insert(plan_.acknowledge.begin(), plan_.acknowledge.end());
  coordinators_ = std::move(coordinators);
}

pending_checkpoint::answer pending_checkpoint::acknowledge(checkpoint_acknowledgement ack,
                                                           std::int64_t now_ms) {
  if (phase_ != phase::gathering || awaited_.erase(ack.task) == 0) return answer::not_expected;
  const std::pair where(ack.task.vertex, ack.task.subtask);
  taken_[where] = {std::move(ack), now_ms};
  if (!awaited_.empty()) return answer::taken;
  phase_ = phase::storing;
  return answer::complete;
}

checkpoint_metadata pending_checkpoint::metadata(const graph::job_graph& job,
                                                 const job_id& id) const {
  MILLRACE_ASSERT(phase_ == phase::storing, "a checkpoint is stored before it is complete");
  checkpoint_metadata all;
  all.job = id;
  all.job_name = job.name;
  all.checkpoint = cut_.checkpoint;
  all.kind = cut_.kind;
  all.triggered_wall_ms = begun_wall_ms_;
  for (const auto& vertex : job.vertices)
    for (std::size_t i = 0; i < vertex.operators.size(); ++i) {
      const auto& op = vertex.operators[i];
      auto& to = all.operators.emplace_back();
      to.uid = op.uid;
      to.name = op.name;
      to.max_parallelism = vertex.max_parallelism;
      if (const auto found = coordinators_.find(op.uid); found != coordinators_.end())
        to.coordinator = found->second;
      to.subtasks.resize(vertex.parallelism);
      for (std::uint32_t s = 0; s < vertex.parallelism; ++s) {
        const auto taken = taken_.find({vertex.id, s});
        if (taken == taken_.end()) {
          to.subtasks[s].is_finished = true;
          continue;
        }
        const auto& its = taken->second.ack.state;
        to.subtasks[s].operators_finished = its.operators_finished;
        if (i < its.operators.size()) to.subtasks[s].state = its.operators[i];
        if (i == 0 && its.in_flight) {
          to.subtasks[s].in_flight = its.in_flight;
          all.shape = shape_of(job);
        }
      }
    }
  std::set<std::string> types;
  for (const auto& [where, taken] : taken_)
    types.insert(taken.ack.state.types.begin(), taken.ack.state.types.end());
  all.types.assign(types.begin(), types.end());
  return all;
}

std::vector<graph::subtask_ref> pending_checkpoint::finished() const {
  auto all = plan_.finished;
  for (const auto& [where, taken] : taken_)
    if (taken.ack.state.operators_finished) all.push_back({where.first, where.second});
  return all;
}

checkpoint_record pending_checkpoint::record(std::int64_t now_ms) const {
  checkpoint_record r;
  r.checkpoint = cut_.checkpoint;
  r.kind = cut_.kind;
  r.triggered_wall_ms = begun_wall_ms_;
  r.duration_ms = static_cast<std::uint64_t>(now_ms - begun_ms_);
  r.acknowledged = static_cast<std::uint32_t>(taken_.size());
  r.tasks = static_cast<std::uint32_t>(plan_.acknowledge.size());
  for (const auto& its : subtasks()) {
    r.bytes += its.bytes;
    r.stored_bytes += its.stored_bytes;
    r.in_flight_bytes += its.in_flight_bytes;
    r.alignment_ms = std::max(r.alignment_ms, its.alignment_ms);
    r.synchronous_ms = std::max(r.synchronous_ms, its.synchronous_ms);
    r.asynchronous_ms = std::max(r.asynchronous_ms, its.asynchronous_ms);
  }
  return r;
}

std::vector<subtask_checkpoint> pending_checkpoint::subtasks() const {
  std::vector<subtask_checkpoint> all;
  for (const auto& each : plan_.finished)
    all.push_back({each.vertex, each.subtask, subtask_checkpoint_status::ended});
  for (const auto& task : awaited_) all.push_back({task.vertex, task.subtask});
  for (const auto& [where, taken] : taken_) {
    const auto& ack = taken.ack;
    auto& its = all.emplace_back();
    its.vertex = where.first;
    its.subtask = where.second;
    its.status = subtask_checkpoint_status::acknowledged;
    its.has_emitted_all = ack.state.operators_finished;
    its.duration_ms = static_cast<std::uint64_t>(taken.taken_ms - begun_ms_);
    its.bytes = ack.state.bytes;
    its.stored_bytes = ack.state.stored_anew;
    if (ack.state.in_flight) its.in_flight_bytes = ack.state.in_flight->length;
    its.alignment_ms = ack.alignment_ms;
    its.synchronous_ms = ack.synchronous_ms;
    its.asynchronous_ms = ack.asynchronous_ms;
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return std::pair(a.vertex, a.subtask) < std::pair(b.vertex, b.subtask);
  });
  return all;
}

}  // namespace millrace
