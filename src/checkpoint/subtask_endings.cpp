#include "millrace/checkpoint/subtask_endings.hpp"

#include <algorithm>

#include "millrace/core/mutant.hpp"
#include "millrace/graph/channels.hpp"

namespace millrace {

namespace {

subtask_ending ending_of(const subtask_metadata& saved) {
  if (saved.is_finished && !MILLRACE_MUTANT(finished_forgotten)) return subtask_ending::ended;
  if (saved.operators_finished && !MILLRACE_MUTANT(finished_operators_run))
    return subtask_ending::operators_finished;
  return subtask_ending::none;
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
  const auto inputs = graph::input_channels(job_, subtask.vertex, subtask.subtask);
  return std::any_of(inputs.begin(), inputs.end(), [this](const graph::input_channel& in) {
    return !job_.edges[in.edge].is_feedback &&
           of({in.source_vertex, in.source_subtask}) == subtask_ending::none;
  });
}

}  // namespace millrace
