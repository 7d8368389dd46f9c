#include "millrace/actors/job_description.hpp"

namespace millrace {

wire::job_overview overview_of(const graph::execution_graph& execution, const job_times& times) {
  wire::job_overview overview;
  overview.job = execution.id();
  overview.name = execution.plan().name;
  overview.status = execution.status();
  overview.start_wall_ms = times.start_wall_ms;
  overview.duration_ms = times.duration_ms;
  const auto counts = execution.state_counts();
  for (const auto count : counts) overview.tasks += count;
  overview.tasks_running = counts[static_cast<std::size_t>(graph::execution_state::running)];
  overview.tasks_finished = counts[static_cast<std::size_t>(graph::execution_state::finished)];
  return overview;
}

wire::job_details details_of(const graph::execution_graph& execution, const job_metrics& metrics,
                             const job_times& times, std::string waiting_for) {
  wire::job_details details;
  details.overview = overview_of(execution, times);
  details.graph = execution.plan();
  details.cause = cause_of_end(execution);
  details.waiting_for = std::move(waiting_for);
  for (const auto& vertex : details.graph.vertices) {
    auto& about = details.vertices.emplace_back();
    about.vertex = vertex.id;
    for (std::uint32_t i = 0; i < vertex.parallelism; ++i) {
      const auto& current = execution.vertex({vertex.id, i}).current();
      auto& subtask = about.subtasks.emplace_back();
      subtask.subtask = i;
      subtask.attempt = current.id().attempt;
      subtask.state = current.state();
      if (current.slot()) subtask.task_manager = current.slot()->address;
      subtask.cause = current.failure();
      metrics.describe({vertex.id, i}, subtask);
    }
  }
  metrics.describe(details.graph, details);
  return details;
}

wire::checkpoint_details details_of(const graph::job_graph& job, const job_id& id,
                                    checkpoint_record checkpoint,
                                    const std::vector<subtask_checkpoint>& subtasks) {
  wire::checkpoint_details details{id, std::move(checkpoint), {}};
  for (const auto& vertex : job.vertices)
    details.vertices.push_back({vertex.id, vertex.name, vertex.parallelism, {}});
  for (const auto& each : subtasks) details.vertices.at(each.vertex).subtasks.push_back(each);
  return details;
}

error no_such_checkpoint(const job_id& id, checkpoint_id asked,
                         const std::vector<checkpoint_record>& latest) {
  std::string numbers;
  for (const auto& each : latest)
    numbers += (numbers.empty() ? "" : ", ") + std::to_string(each.checkpoint.number);
  return {errc::not_found, "job " + to_string(id) + " has no checkpoint " +
                               std::to_string(asked.number) +
                               (numbers.empty() ? ": it has taken none yet"
                                                : " among its latest: there are " + numbers)};
}

accumulator_map merged(const std::map<graph::subtask_ref, accumulator_map>& accumulators) {
  accumulator_map all;
  for (const auto& [subtask, its] : accumulators) merge_into(all, its);
  return all;
}

wire::job_result job_result_of(const graph::execution_graph& execution, const job_times& times,
                               const std::map<graph::subtask_ref, accumulator_map>& accumulators) {
  wire::job_result result;
  result.job = execution.id();
  result.name = execution.plan().name;
  result.status = execution.status();
  result.cause = cause_of_end(execution);
  result.accumulators = merged(accumulators);
  result.duration_ms = times.duration_ms;
  return result;
}

std::optional<error> cause_of_end(const graph::execution_graph& execution) {
  if (const auto& root = execution.root_cause()) {
    const auto* failed = root->attempt ? execution.find(*root->attempt) : nullptr;
    if (failed == nullptr || root->cause.code != errc::task_manager_lost || !failed->failure())
      return root->cause;
    const auto& vertex = execution.plan().vertices[root->attempt->vertex];
    return error{errc::task_manager_lost, failed->failure()->message + " while running '" +
                                              vertex.name + "' (subtask " +
                                              std::to_string(root->attempt->subtask + 1) + "/" +
                                              std::to_string(vertex.parallelism) + ", attempt " +
                                              std::to_string(root->attempt->attempt) + ")"};
  }
  if (execution.status() == graph::job_status::canceled)
    return error{errc::cancelled, "job '" + execution.plan().name + "' was cancelled"};
  return std::nullopt;
}

std::string text_of(const wire::slots_missing& missing) {
  return std::to_string(missing.needed) + (missing.needed == 1 ? " slot" : " slots") + " needed, " +
         std::to_string(missing.free) + " of " + std::to_string(missing.registered) + " free";
}

}  // namespace millrace
