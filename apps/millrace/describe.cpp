// millrace describe

#include <chrono>
#include <iostream>
#include <map>

#include "command.hpp"
#include "job_argument.hpp"
#include "json_output.hpp"
#include "millrace/core/human_units.hpp"
#include "operator_totals.hpp"
#include "quantity.hpp"
#include "text_table.hpp"
#include "watermark_table.hpp"

namespace millrace::cli {

namespace {

using enum text_table::align;

void add_describe_options(boost::program_options::options_description& options) {
  options.add_options()("json", "for programs");
}

std::string rate_text(std::uint64_t per_ks) {
  return format_count(static_cast<double>(per_ks) / 1000);
}

/// A subtask's "host:port", or "-" while it has no slot.
std::string place_text(const wire::subtask_details& subtask) {
  return subtask.task_manager.empty() ? "-" : subtask.task_manager;
}

void print_header(const wire::job_details& job) {
  const wire::job_overview& overview = job.overview;
  std::cout << "Job       " << printable(overview.name) << '\n'
            << "ID        " << to_string(overview.job) << '\n'
            << "Status    " << to_string(overview.status) << '\n'
            << "Started   " << time_text(overview.start_wall_ms) << ", "
            << format_elapsed(std::chrono::milliseconds(overview.duration_ms))
            << (graph::is_terminal(overview.status) ? " in all" : " ago") << '\n'
            << "Records   " << count_text(job.source_rows) << " from all sources";
  if (job.progress_total > 0) {
    std::cout << ", " << job.progress_done * 100 / job.progress_total << " % of the input";
  }
  std::cout << '\n';
  if (job.restarts > 0) std::cout << "Restarts  " << count_text(job.restarts) << '\n';
  if (job.last_failure && !job.cause)
    std::cout << "Failure   " << printable(job.last_failure->message) << '\n';
  if (const auto& last = job.last_checkpoint)
    std::cout << "Latest    checkpoint "
              << last->checkpoint.number
              // Of an earlier job master's no more is known.
              << (last->triggered_wall_ms == 0
                      ? std::string()
                      : " of " + time_text(last->triggered_wall_ms) + ", " +
                            format_memory(last->bytes) + " in " +
                            format_duration(std::chrono::milliseconds(last->duration_ms)))
              << '\n'
              << (last->location.empty() || overview.status == graph::job_status::finished
                      ? std::string()
                      : "          in " + printable(last->location) + '\n');
  if (!job.savepoint.empty())
    std::cout << "Stopped   with a savepoint in " << printable(job.savepoint) << '\n';
  if (!job.waiting_for.empty()) std::cout << "Waiting   " << printable(job.waiting_for) << '\n';
  if (job.cause) std::cout << "Cause     " << printable(job.cause->message) << '\n';
  for (const auto& [name, total] : job.accumulators)
    std::cout << "Result    " << printable(name) << " = " << to_string(total) << '\n';
}

/// "2 RUNNING, 1 FINISHED"
std::string states_text(const wire::vertex_details& details) {
  std::map<graph::execution_state, int> counts;
  for (const auto& subtask : details.subtasks) ++counts[subtask.state];
  std::string text;
  for (const auto& [state, count] : counts) {
    if (!text.empty()) text += ", ";
    text += std::to_string(count) + ' ' + std::string(to_string(state));
  }
  return text;
}

void print_vertex(const graph::job_vertex& vertex, const wire::vertex_details& details) {
  std::cout << "\nv" << vertex.id << "  " << printable(vertex.name) << "  (" << states_text(details)
            << ")\n";

  text_table operators({{"OPERATOR"}, {"RECORDS IN", right}, {"RECORDS OUT", right}}, 4);
  const auto totals = operator_totals(vertex, details);
  for (std::size_t i = 0; i < totals.size(); ++i) {
    const graph::chained_operator& op = vertex.operators[i];
    operators.add({op.name, op.is_source ? "-" : count_text(totals[i].rows_in),
                   op.is_sink ? "-" : count_text(totals[i].rows_out)});
    for (const auto& [name, value] : totals[i].metrics) {
      operators.add({"  " + name + " = " + count_text(value), "", ""});
    }
  }
  std::cout << operators.text();

  text_table subtasks({{"SUBTASK"},
                       {"STATE"},
                       {"ATTEMPT", right},
                       {"IN/S", right},
                       {"OUT/S", right},
                       {"BUSY", right},
                       {"BACK PRESSURE", right},
                       {"TASK MANAGER"}},
                      4);
  for (const wire::subtask_details& subtask : details.subtasks) {
    subtasks.add({std::to_string(subtask.subtask + 1) + "/" + std::to_string(vertex.parallelism),
                  std::string(to_string(subtask.state)), std::to_string(subtask.attempt),
                  rate_text(subtask.rows_in_per_ks), rate_text(subtask.rows_out_per_ks),
                  percent_text(subtask.busy_permille), percent_text(subtask.blocked_permille),
                  place_text(subtask)});
  }
  std::cout << subtasks.text();
}

result<exit_code> describe_job(const cli_context& context, const parsed_line& line) {
  const auto named = find_job(context, line);
  if (!named) return tl::unexpected(named.error());
  auto job = named->client->describe(named->id);
  if (!job) return tl::unexpected(job.error());
  if (line.options.count("json") > 0) {
    print_json(to_json(*job));
    return exit_code::ok;
  }
  print_header(*job);
  const bool shows_time = has_event_time(*job);
  for (const wire::vertex_details& details : job->vertices) {
    if (details.vertex < job->graph.vertices.size()) {
      print_vertex(job->graph.vertices[details.vertex], details);
      if (shows_time) std::cout << watermark_table(job->graph, details);
    }
  }
  return exit_code::ok;
}

}  // namespace

const command describe_command{
    .name = "describe",
    .arguments = "JOB",
    .summary = "show what the operators and subtasks of a job do",
    .details =
        "JOB is the job's id, or a beginning of it that no other job's id has. Records are "
        "counted\nsince the start, rates are of the last reporting interval; BUSY and BACK "
        "PRESSURE are parts of\nthe subtask's time: at work, and waiting for the subtasks "
        "that follow. For jobs with event time,\nWATERMARK is how far it is on each input, and "
        "WAITS FOR the active producer that is\nleast far. FAILURE is the latest that tasks were "
        "restarted after, RESULT what the accumulators of a job\nthat has finished came to.",
    .add_options = add_describe_options,
    .run = describe_job,
};

}  // namespace millrace::cli
