#include "millrace/checkpoint/checkpoint_plan.hpp"

#include <algorithm>

#include "millrace/graph/channels.hpp"

namespace millrace {

result<checkpoint_plan> plan_checkpoint(const graph::execution_graph& execution) {
  using graph::execution_state;
  const auto& job = execution.plan();
  const auto state_of = [&](std::uint32_t vertex, std::uint32_t subtask) {
    return execution.vertex({vertex, subtask}).current().state();
  };
  checkpoint_plan plan;
  for (const auto& vertex : job.vertices)
    for (std::uint32_t i = 0; i < vertex.parallelism; ++i) {
      const auto& e = execution.vertex({vertex.id, i}).current();
      if (e.state() == execution_state::finished) {
        plan.finished.push_back({vertex.id, i});
        continue;
      }
      if (e.state() != execution_state::running)
        return fail(errc::stale, "not all tasks run: '" + vertex.name + "' (subtask " +
                                     std::to_string(i + 1) + "/" +
                                     std::to_string(vertex.parallelism) + ") is " +
                                     std::string(graph::to_string(e.state())));
      plan.acknowledge.push_back(e.id());
      const auto inputs = graph::input_channels(job, vertex.id, i);
      if (std::all_of(inputs.begin(), inputs.end(), [&](const auto& in) {
            return state_of(in.source_vertex, in.source_subtask) == execution_state::finished;
          }))
        plan.trigger.push_back(e.id());
    }
  if (plan.acknowledge.empty()) return fail(errc::stale, "all tasks have finished");
  return plan;
}

}  // namespace millrace
