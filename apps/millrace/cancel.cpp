// millrace cancel

#include <iostream>

#include "command.hpp"
#include "job_argument.hpp"

namespace millrace::cli {

namespace {

result<exit_code> cancel_job(const cli_context& context, const parsed_line& line) {
  const auto named = find_job(context, line);
  if (!named) return tl::unexpected(named.error());
  if (auto done = named->client->cancel(named->id); !done) return tl::unexpected(done.error());
  std::cout << "Job " << to_string(named->id) << " is being cancelled.\n";
  return exit_code::ok;
}

}  // namespace

const command cancel_command{
    .name = "cancel",
    .arguments = "JOB",
    .summary = "end a job",
    .details =
        "JOB is the job's id, or a beginning of it that no other job's id has. Returns once "
        "the job\nmanager has accepted; 'millrace list -a' shows when the job has ended.",
    .run = cancel_job,
};

}  // namespace millrace::cli
