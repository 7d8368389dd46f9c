// millrace stop

#include <iostream>

#include "command.hpp"
#include "interrupt.hpp"
#include "job_argument.hpp"
#include "snapshot_report.hpp"

namespace po = boost::program_options;

namespace millrace::cli {

namespace {

void add_stop_options(po::options_description& options) {
  options.add_options()("savepoint-path,p", po::value<std::string>()->value_name("DIRECTORY"),
                        "below which the savepoint is to be, instead of state.savepoints.dir")(
      "drain", "end event time before: windows and timers fire");
}

result<exit_code> stop_job(const cli_context& context, const parsed_line& line) {
  const auto named = find_job(context, line);
  if (!named) return tl::unexpected(named.error());
  const interrupt_notice notice("job " + to_string(named->id) +
                                " is being stopped without this command: given again, it waits "
                                "for that");
  const bool has_path = line.options.count("savepoint-path") > 0;
  auto taken = named->client->stop(
      named->id,
      has_path ? absolute_path(line.options["savepoint-path"].as<std::string>()) : std::string(),
      line.options.count("drain") > 0);
  if (!taken) return tl::unexpected(taken.error());
  std::cout << "Job " << to_string(named->id) << " has stopped.\n";
  print_savepoint(*taken);
  return exit_code::ok;
}

}  // namespace

const command stop_command{
    .name = "stop",
    .arguments = "JOB",
    .summary = "stop a job with a savepoint, from which it can go on",
    .details =
        "JOB is the job's id, or a beginning of it that no other job's id has. Sources stop, the "
        "savepoint is\nthe last thing that the job does, sinks commit, and the job is FINISHED. "
        "Without --drain, windows and\ntimers wait in the savepoint; with it they fire, which is "
        "for jobs that are not to go on. If the\nsavepoint fails, the job goes on. If a task fails "
        "behind it, the job is restarted from there, and\nstopped anew; the next master does the "
        "same if the job's dies, and this command,\ngiven again, waits for it.",
    .add_options = add_stop_options,
    .run = stop_job,
};

}  // namespace millrace::cli
