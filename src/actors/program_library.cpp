#include "millrace/actors/program_library.hpp"

#include "millrace/api/job_library.hpp"
#include "millrace/api/plan.hpp"

namespace millrace {

result<std::shared_ptr<const job_program>> library_program_provider::load(
    const job_id&, const graph::job_graph& graph, const std::string& library) {
  auto loaded = load_job_library(library);
  if (!loaded) return tl::unexpected(loaded.error());
  configuration config = config_;
  for (const auto& [key, value] : graph.configuration) {
    if (auto set = config.set(key, value, "job '" + graph.name + "'"); !set)
      return tl::unexpected(set.error());
  }
  graph::job_defaults defaults;
  defaults.job_name = graph.name;
  auto plan = make_plan(loaded->entry->build, arguments(graph.arguments), config, defaults);
  if (!plan) return tl::unexpected(plan.error());
  if (auto same = check_same_program(*plan->program, graph); !same)
    return tl::unexpected(same.error());
  return plan->program;
}

}  // namespace millrace
