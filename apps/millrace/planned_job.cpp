#include "planned_job.hpp"

#include <filesystem>
#include <utility>

#include "millrace/api/job_library.hpp"
#include "millrace/api/plan.hpp"

namespace millrace::cli {

result<std::optional<planned_job>> plan_job(const job_request& request,
                                            const cli_context& context) {
  auto library = load_job_library(request.library);
  if (!library) return tl::unexpected(library.error());
  graph::job_defaults defaults;
  defaults.job_name = std::filesystem::path(request.library).stem().string();
  defaults.command_line_parallelism = request.parallelism;
  defaults.configuration = context.job_settings();
  defaults.configuration.insert(defaults.configuration.end(), request.settings.begin(),
                                request.settings.end());
  const arguments args(request.arguments);
  auto plan = make_plan(library->entry->build, args, context.config(), std::move(defaults));
  if (!plan && plan.error().code == errc::empty_job && args.has("help")) return std::nullopt;
  if (!plan) return tl::unexpected(plan.error());
  return planned_job{request.library, std::move(*plan)};
}

}  // namespace millrace::cli
