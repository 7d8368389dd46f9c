#pragma once

#include <string>

#include "command_line.hpp"
#include "millrace/actors/cluster_client.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/ids.hpp"

namespace millrace::cli {

/// The one JOB on the command line. Errors: `invalid_argument` if there is none, or several.
result<std::string> job_argument(const parsed_line& line);

/// The job whose id starts with `text`. Errors: `unknown_job`; `invalid_argument` if several do.
result<job_id> find_job(cluster_client& client, const std::string& text);

}  // namespace millrace::cli
