// millrace info

#include <iostream>

#include "command.hpp"
#include "job_request.hpp"
#include "millrace/graph/job_graph_json.hpp"
#include "millrace/graph/plan_text.hpp"
#include "planned_job.hpp"

namespace millrace::cli {

namespace {

void add_info_options(boost::program_options::options_description& options) {
  add_parallelism_option(options);
  options.add_options()("json", "for programs: the job graph");
}

result<exit_code> show_plan(const cli_context& context, const parsed_line& line) {
  parsed_line ours = line;
  // Unlike those of run, the options of info may also follow the library.
  const bool trailing_json = ours.positional.size() > 1 && ours.positional[1] == "--json";
  if (trailing_json) ours.positional.erase(ours.positional.begin() + 1);
  auto request = read_job_request(ours);
  if (!request) return tl::unexpected(request.error());
  auto job = plan_job(*request, context);
  if (!job) return tl::unexpected(job.error());
  if (!*job) return exit_code::ok;
  const graph::job_graph& plan = (*job)->plan.graph;
  if (trailing_json || line.options.count("json") > 0) {
    std::cout << graph::to_json(plan) << '\n';
  } else {
    std::cout << graph::plan_text(plan);
  }
  return exit_code::ok;
}

}  // namespace

const command info_command{
    .name = "info",
    .arguments = "job.so [--json] [job argument...]",
    .summary = "show the plan of a job without running it",
    .details =
        "Options of millrace stand before job.so, but for --json right behind it; what follows "
        "is for the\njob. Needs no cluster.",
    .rule = positional_rule::end_options,
    .add_options = add_info_options,
    .run = show_plan,
};

}  // namespace millrace::cli
