#pragma once

#include <memory>
#include <string>

#include "cli_context.hpp"
#include "command_line.hpp"
#include "millrace/actors/cluster_client.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/ids.hpp"

namespace millrace::cli {

/// A job and the cluster that it runs on.
struct named_job {
  std::unique_ptr<cluster_client> client;
  job_id id;
};

/// The one JOB on the command line: an id, or a beginning of it that no other job's id has. Errors:
/// `invalid_argument` if there is none, or several; `unknown_job`; those of connecting.
result<named_job> find_job(const cli_context& context, const parsed_line& line);
/// The same for a word of the command line.
result<named_job> find_job(const cli_context& context, const std::string& text);

}  // namespace millrace::cli
