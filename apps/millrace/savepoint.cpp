// millrace savepoint

#include <algorithm>
#include <chrono>
#include <iostream>

#include "command.hpp"
#include "interrupt.hpp"
#include "job_argument.hpp"
#include "json_output.hpp"
#include "millrace/checkpoint/savepoint_directory.hpp"
#include "millrace/core/human_units.hpp"
#include "quantity.hpp"
#include "snapshot_report.hpp"
#include "text_table.hpp"

namespace po = boost::program_options;

namespace millrace::cli {

namespace {

void add_savepoint_command_options(po::options_description& options) {
  options.add_options()("dispose,d", po::value<std::string>()->value_name("PATH"),
                        "remove the savepoint at PATH")("json", "for programs")(
      "dump", "with inspect: every entry as a line of JSON");
}

result<exit_code> dispose(const std::string& path) {
  local_file_system files;
  if (auto done = dispose_savepoint(files, path); !done) return tl::unexpected(done.error());
  std::cout << "Savepoint " << printable(path) << " is removed.\n";
  return exit_code::ok;
}

result<exit_code> take_one(const cli_context& context, const parsed_line& line) {
  const auto& given = line.positional;
  if (given.empty() || given.size() > 2)
    return fail(errc::invalid_argument,
                "name the job, and perhaps the directory below which the savepoint is to be");
  const auto named = find_job(context, given[0]);
  if (!named) return tl::unexpected(named.error());
  const interrupt_notice notice(
      "the savepoint is being taken without this command: 'millrace checkpoints " +
      to_string(named->id) + "' shows what comes of it");
  auto taken =
      named->client->take_savepoint(named->id, given.size() == 2 ? absolute_path(given[1]) : "");
  if (!taken) return tl::unexpected(taken.error());
  if (line.options.count("json") > 0)
    print_json(to_json(*taken));
  else
    print_savepoint(*taken);
  return exit_code::ok;
}

result<exit_code> savepoint(const cli_context& context, const parsed_line& line) {
  const bool inspects = !line.positional.empty() && line.positional.front() == "inspect";
  if (line.options.count("dispose") > 0) {
    if (!line.positional.empty())
      return fail(errc::invalid_argument, "-d takes a path and nothing else");
    return dispose(line.options["dispose"].as<std::string>());
  }
  const bool dumps = line.options.count("dump") > 0;
  if (!inspects && dumps)
    return fail(errc::invalid_argument, "--dump is for 'millrace savepoint inspect PATH'");
  if (!inspects) return take_one(context, line);
  if (line.positional.size() != 2)
    return fail(errc::invalid_argument, "name one savepoint or checkpoint by its directory");
  if (dumps) return dump_snapshot_at(line.positional[1]);
  return report_snapshot_at(line.positional[1], line.options.count("json") > 0);
}

}  // namespace

const command savepoint_command{
    .name = "savepoint",
    .arguments = "JOB [DIRECTORY] | -d PATH | inspect PATH",
    .summary = "take a savepoint of a job, remove one, or show what is in one",
    .details =
        "JOB is the job's id, or a beginning of it that no other job's id has. The savepoint gets "
        "a directory\nof its own below DIRECTORY, which all nodes must see, or below "
        "state.savepoints.dir. Returns when it\nis complete, or has failed; the job goes on in any "
        "case. -d refuses what is no savepoint.\n\n"
        "inspect also takes a checkpoint's directory. It shows operators, their states, types, "
        "sizes and keys;\n--dump writes every entry as one line of JSON, as far as the types tell "
        "what the bytes mean. These\nforms need no cluster.",
    .add_options = add_savepoint_command_options,
    .run = savepoint,
};

}  // namespace millrace::cli
