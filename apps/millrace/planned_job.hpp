#pragma once

#include <optional>
#include <string>

#include "cli_context.hpp"
#include "job_request.hpp"
#include "millrace/api/job_plan.hpp"
#include "millrace/core/error.hpp"

namespace millrace::cli {

/// A job's library and what its `build` function made of the arguments.
struct planned_job {
  std::string library_file;
  job_plan plan;
};

/// Loads the library and plans the job. Nothing if the job was asked for its `--help`, which it
/// printed instead of describing operators. Errors: as of load_job_library and make_plan.
result<std::optional<planned_job>> plan_job(const job_request& request, const cli_context& context);

}  // namespace millrace::cli
