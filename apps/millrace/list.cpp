// millrace list

#include <algorithm>
#include <chrono>
#include <iostream>

#include "command.hpp"
#include "json_output.hpp"
#include "millrace/core/human_units.hpp"
#include "quantity.hpp"
#include "text_table.hpp"

namespace millrace::cli {

namespace {

void add_list_options(boost::program_options::options_description& options) {
  options.add_options()                             //
      ("running,r", "those that run")               //
      ("scheduled,s", "those that wait for slots")  //
      ("all,a", "those that have ended, too")       //
      ("json", "for programs");
}

/// A job is running from when its tasks are scheduled; before the first has started it waits.
bool is_scheduled(const wire::job_overview& job) {
  return job.tasks_running == 0 && job.tasks_finished == 0;
}

bool is_chosen(const wire::job_overview& job,
               const boost::program_options::variables_map& options) {
  if (options.count("all") > 0) return true;
  const bool is_live = !graph::is_terminal(job.status);
  const bool running = options.count("running") > 0;
  const bool scheduled = options.count("scheduled") > 0;
  // Without a choice, everything that is alive.
  if (running == scheduled) return is_live;
  return is_live && is_scheduled(job) == scheduled;
}

void print_table(const std::vector<wire::job_overview>& jobs) {
  using enum text_table::align;
  text_table table({{"ID"}, {"STATUS"}, {"STARTED"}, {"DURATION", right}, {"TASKS"}, {"NAME"}});
  for (const wire::job_overview& job : jobs) {
    table.add(
        {to_string(job.job), std::string(to_string(job.status)), time_text(job.start_wall_ms),
         format_elapsed(std::chrono::milliseconds(job.duration_ms)),
         std::to_string(job.tasks_running + job.tasks_finished) + "/" + std::to_string(job.tasks),
         job.name});
  }
  std::cout << table.text();
}

result<exit_code> list_jobs(const cli_context& context, const parsed_line& line) {
  if (!line.positional.empty()) {
    return fail(errc::invalid_argument, "list takes no argument '" + line.positional[0] +
                                            "'; 'millrace describe JOB' shows one job");
  }
  auto client = context.connect();
  if (!client) return tl::unexpected(client.error());
  auto list = (*client)->list_jobs();
  if (!list) return tl::unexpected(list.error());
  auto& jobs = list->jobs;
  std::erase_if(jobs, [&](const auto& job) { return !is_chosen(job, line.options); });
  std::stable_sort(jobs.begin(), jobs.end(),
                   [](const auto& a, const auto& b) { return a.start_wall_ms < b.start_wall_ms; });
  if (line.options.count("json") > 0) {
    json entries = json::array();
    for (const auto& job : jobs) entries.push_back(to_json(job));
    print_json({{"jobs", entries}});
  } else if (jobs.empty()) {
    std::cout << "No jobs.\n";
  } else {
    print_table(jobs);
  }
  return exit_code::ok;
}

}  // namespace

const command list_command{
    .name = "list",
    .arguments = "",
    .summary = "show the jobs of the cluster",
    .details = "Shows the jobs that run or wait for slots, unless options choose others.",
    .add_options = add_list_options,
    .run = list_jobs,
};

}  // namespace millrace::cli
