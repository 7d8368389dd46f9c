#include "millrace/checkpoint/subtask_endings.hpp"

#include <algorithm>

#include "millrace/graph/channels.hpp"

namespace millrace {

namespace {

subtask_ending ending_of(const subtask_metadata& saved) {
  if (saved.is_finished) return subtask_ending::ended;
  return saved.operators_finished ? subtask_ending::operators_finished : subtask_ending::none;
}

subtask_ending ending_of(const operator_metadata& op, std::uint32_t subtask,
                         std::uint32_t parallelism) {
  if (op.subtasks.size() == parallelism) return ending_of(op.subtasks[subtask]);
  auto least = subtask_ending::ended;
  for (const auto& each : op.subtasks) least = std::min(least, ending_of(each));
  return least;
}

}  // namespace

subtask_endings::subtask_endings(const checkpoint_metadata& metadata, const graph::job_graph& job)
    : job_(job) {
  for (const auto& op : metadata.operators) saved_.emplace(op.uid, &op);
}

subtask_ending subtask_endings::of(const graph::subtask_ref& subtask) {
  if (const auto found = known_.find(subtask); found != known_.end()) return found->second;
  auto ending = as_saved(subtask);
  if (ending != subtask_ending::none && is_fed(subtask)) ending = subtask_ending::none;
  return known_[subtask] = ending;
}

subtask_ending subtask_endings::as_saved(const graph::subtask_ref& subtask) const {
  const auto& vertex = job_.vertices.at(subtask.vertex);
  auto least = subtask_ending::ended;
  for (const auto& op : vertex.operators) {
    const auto found = saved_.find(op.uid);
    if (found == saved_.end()) return subtask_ending::none;
    least = std::min(least, ending_of(*found->second, subtask.subtask, vertex.parallelism));
  }
  return least;
}

/// What is fed back comes from a loop, which ends as a whole.
bool subtask_endings::is_fed(const graph::subtask_ref& subtask) {
  for (const auto* edge : graph::in_edges(job_, subtask.vertex)) {
    if (edge->is_feedback) continue;
    if (!graph::is_pointwise(edge->partitioning)) {
      if (goes_on(edge->source_vertex)) return true;
      continue;
    }
    const auto producers = graph::producers_of(job_, *edge, subtask.subtask);
    for (auto s = producers.first; s < producers.end(); ++s)
      if (of({edge->source_vertex, s}) == subtask_ending::none) return true;
  }
  return false;
}

bool subtask_endings::goes_on(std::uint32_t vertex) {
  if (const auto found = goes_on_.find(vertex); found != goes_on_.end()) return found->second;
  bool any = false;
  for (std::uint32_t s = 0; s < job_.vertices[vertex].parallelism && !any; ++s)
    any = of({vertex, s}) == subtask_ending::none;
  return goes_on_[vertex] = any;
}

}  // namespace millrace
