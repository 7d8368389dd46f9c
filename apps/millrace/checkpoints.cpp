// millrace checkpoint, millrace checkpoints

#include <chrono>
#include <cstdint>
#include <iostream>

#include "command.hpp"
#include "job_argument.hpp"
#include "json_output.hpp"
#include "millrace/core/human_units.hpp"
#include "quantity.hpp"
#include "subtask_tables.hpp"
#include "text_table.hpp"

namespace millrace::cli {

namespace {

void add_options(boost::program_options::options_description& options) {
  options.add_options()("json", "for programs");
}

void add_checkpoints_options(boost::program_options::options_description& options) {
  options.add_options()("id", boost::program_options::value<std::int64_t>()->value_name("N"),
                        "show that checkpoint, by subtask");
  add_options(options);
}

std::string ms_text(std::uint64_t ms) {
  return format_duration(std::chrono::milliseconds(ms));
}

void print_table(const wire::checkpoint_list& list) {
  using enum text_table::align;
  text_table table({{"ID", right},
                    {"KIND"},
                    {"STATUS"},
                    {"STARTED"},
                    {"DURATION", right},
                    {"TASKS", right},
                    {"STATE", right},
                    {"STORED", right},
                    {"IN FLIGHT", right},
                    {"ALIGNMENT", right},
                    {"STOOD STILL", right},
                    {"WRITING", right},
                    {"LOCATION OR FAILURE"}});
  for (const auto& c : list.checkpoints)
    table.add({std::to_string(c.checkpoint.number), std::string(to_string(c.kind)),
               std::string(to_string(c.status)), time_text(c.triggered_wall_ms),
               ms_text(c.duration_ms),
               std::to_string(c.acknowledged) + "/" + std::to_string(c.tasks),
               format_memory(c.bytes), format_memory(c.stored_bytes),
               format_memory(c.in_flight_bytes), ms_text(c.alignment_ms), ms_text(c.synchronous_ms),
               ms_text(c.asynchronous_ms), c.failure.empty() ? c.location : c.failure});
  std::cout << table.text() << count_text(list.completed) << " completed, "
            << count_text(list.failed) << " failed in all\n";
}

void print_details(const wire::checkpoint_details& details) {
  const auto& c = details.checkpoint;
  const auto tables = subtask_tables(details);
  std::cout << to_string(c.kind) << ' ' << c.checkpoint.number << " of job "
            << to_string(details.job) << '\n'
            << "Status    " << to_string(c.status) << '\n'
            << "Started   " << time_text(c.triggered_wall_ms) << ", "
            << format_elapsed(std::chrono::milliseconds(c.duration_ms))
            << (c.status == checkpoint_status::in_progress ? " ago" : " in all") << '\n';
  if (!c.location.empty()) std::cout << "Location  " << printable(c.location) << '\n';
  if (!c.failure.empty()) std::cout << "Failure   " << printable(c.failure) << '\n';
  std::cout << (tables.empty() ? "No subtask was told of it.\n" : tables);
}

/// The number that --id names.
result<checkpoint_id> checkpoint_named(const parsed_line& line) {
  const auto given = line.options["id"].as<std::int64_t>();
  if (given >= 1) return checkpoint_id{static_cast<std::uint64_t>(given)};
  return fail(errc::invalid_argument,
              "--id is the number of a checkpoint, 1 or more, and not " + std::to_string(given));
}

result<exit_code> show(const cli_context& context, const parsed_line& line) {
  const auto which = checkpoint_named(line);
  if (!which) return tl::unexpected(which.error());
  const auto named = find_job(context, line);
  if (!named) return tl::unexpected(named.error());
  const auto details = named->client->describe_checkpoint(named->id, *which);
  if (!details) return tl::unexpected(details.error());
  if (line.options.count("json") > 0)
    print_json(to_json(*details));
  else
    print_details(*details);
  return exit_code::ok;
}

result<exit_code> list(const cli_context& context, const parsed_line& line) {
  if (line.options.count("id") > 0) return show(context, line);
  const auto named = find_job(context, line);
  if (!named) return tl::unexpected(named.error());
  auto all = named->client->checkpoints(named->id);
  if (!all) return tl::unexpected(all.error());
  if (line.options.count("json") > 0)
    print_json(to_json(*all));
  else if (all->checkpoints.empty())
    std::cout << "No checkpoints; execution.checkpointing.interval makes a job take them.\n";
  else
    print_table(*all);
  return exit_code::ok;
}

result<exit_code> take(const cli_context& context, const parsed_line& line) {
  const auto named = find_job(context, line);
  if (!named) return tl::unexpected(named.error());
  auto taken = named->client->take_checkpoint(named->id);
  if (!taken) return tl::unexpected(taken.error());
  if (line.options.count("json") > 0)
    print_json(to_json(*taken));
  else
    std::cout << "Checkpoint " << taken->checkpoint.number << " of job " << to_string(named->id)
              << ": " << format_memory(taken->bytes) << " in " << ms_text(taken->duration_ms)
              << ", at " << printable(taken->location) << '\n';
  return exit_code::ok;
}

}  // namespace

const command checkpoint_command{
    .name = "checkpoint",
    .arguments = "JOB",
    .summary = "take a checkpoint of a job now",
    .details =
        "JOB is the job's id, or a beginning of it that no other job's id has. Returns when the "
        "checkpoint\nis complete, or has failed. Only jobs that take checkpoints by themselves "
        "can take one.",
    .add_options = add_options,
    .run = take,
};

const command checkpoints_command{
    .name = "checkpoints",
    .arguments = "JOB",
    .summary = "show the latest checkpoints of a job, or one by subtask",
    .details =
        "JOB is the job's id, or a beginning of it that no other job's id has. ALIGNMENT is the "
        "longest\nthat a task waited for the barriers of all its inputs, STOOD STILL the longest "
        "that one\nprocessed nothing while its state was copied, WRITING the longest that one "
        "wrote and stored its\nstate afterwards.\n\nWith --id, a line for each subtask: DURATION "
        "is until it acknowledged the checkpoint. One that\nhas not, or never did before the "
        "checkpoint failed, is AWAITED; one that had ended before is ENDED.",
    .add_options = add_checkpoints_options,
    .run = list,
};

}  // namespace millrace::cli
