// millrace run

#include <iostream>
#include <optional>

#include <unistd.h>

#include "command.hpp"
#include "follow.hpp"
#include "job_request.hpp"
#include "millrace/graph/slot_sharing.hpp"
#include "planned_job.hpp"
#include "progress.hpp"

namespace millrace::cli {

namespace {

void add_run_options(boost::program_options::options_description& options) {
  add_parallelism_option(options);
  options.add_options()("detached,d", "return once the job is submitted, printing its id only");
  add_savepoint_options(options);
}

/// In this process; ends with it.
result<exit_code> run_embedded(const cli_context& context, planned_job job) {
  interrupt_counter interrupts;
  auto runner = make_embedded_runner(context.config(), graph::slots_needed(job.plan.graph));
  if (!runner) return tl::unexpected(runner.error());
  auto client = (*runner)->submit(std::move(job.plan.graph), std::move(job.plan.program));
  if (!client) return tl::unexpected(client.error());
  // A progress line would mix with the lines of sinks that print to the same terminal.
  const bool shows_progress = isatty(STDOUT_FILENO) == 0 && isatty(STDERR_FILENO) == 1;
  return follow(**client, {.may_detach = false, .shows_progress = shows_progress}, interrupts);
}

result<job_id> submit(cluster_client& client, const planned_job& job) {
  progress_display display(isatty(STDERR_FILENO) == 1);
  return client.submit(
      job.plan.graph, job.library_file,
      [&](std::uint64_t sent, std::uint64_t size) { display.show_upload(sent, size); });
}

/// The processes of a cluster have read their configuration long ago.
void warn_of_idle_settings(const cli_context& context) {
  for (const auto& key : context.idle_settings())
    std::cerr << "millrace: warning: -D " << key
              << " has no effect on a cluster that runs: set it in the configuration of its "
                 "processes\n";
}

result<exit_code> run_on_cluster(const cli_context& context, const planned_job& job,
                                 bool detached) {
  warn_of_idle_settings(context);
  auto cluster = context.connect();
  if (!cluster) return tl::unexpected(cluster.error());
  // From here on there may be a job, which must not be lost sight of.
  std::optional<interrupt_counter> interrupts;
  if (!detached) interrupts.emplace();
  auto id = submit(**cluster, job);
  if (!id) return tl::unexpected(id.error());
  if (detached) {
    std::cout << to_string(*id) << '\n';
    return exit_code::ok;
  }
  std::cout << "Job " << to_string(*id) << " is submitted." << std::endl;
  auto client = (*cluster)->job(*id);
  if (!client) return tl::unexpected(client.error());
  return follow(**client, {.may_detach = true}, *interrupts);
}

result<exit_code> run_job(const cli_context& context, const parsed_line& line) {
  const bool detached = line.options.count("detached") > 0;
  if (detached && !context.names_cluster()) {
    return fail(
        errc::invalid_argument,
        "-d needs a cluster, which -m host:port names: a job that runs in this process ends "
        "with it");
  }
  auto request = read_job_request(line);
  if (!request) return tl::unexpected(request.error());
  auto job = plan_job(*request, context);
  if (!job) return tl::unexpected(job.error());
  if (!*job) return exit_code::ok;
  return context.names_cluster() ? run_on_cluster(context, **job, detached)
                                 : run_embedded(context, **std::move(job));
}

}  // namespace

const command run_command{
    .name = "run",
    .arguments = "job.so [job argument...]",
    .summary = "run a job on a cluster, or in this process if no cluster is named",
    .details =
        "Options of millrace stand before job.so; what follows it is for the job. An attached run\n"
        "shows the job's progress and waits for its end. Ctrl-C on a terminal asks whether to "
        "cancel\n"
        "the job or leave it to the cluster; without a terminal SIGINT cancels it.\n\n"
        "-s starts the job from a savepoint or a retained checkpoint, at any parallelism up to the "
        "one that was\nthe maximum then. State is found again by the uids of operators.",
    .rule = positional_rule::end_options,
    .add_options = add_run_options,
    .run = run_job,
};

}  // namespace millrace::cli
