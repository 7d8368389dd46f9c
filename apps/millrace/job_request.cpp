#include "job_request.hpp"

#include "millrace/core/configuration.hpp"
#include "millrace/core/options.hpp"
#include "millrace/graph/job_graph.hpp"
#include "snapshot_report.hpp"

namespace po = boost::program_options;

namespace millrace::cli {

namespace {

constexpr std::int64_t parallelism_max = graph::max_parallelism_limit;

}  // namespace

void add_parallelism_option(po::options_description& options) {
  options.add_options()("parallelism,p", po::value<std::int64_t>()->value_name("N"),
                        "subtasks of operators that the job gives no parallelism");
}

void add_savepoint_options(po::options_description& options) {
  options.add_options()("from-savepoint,s", po::value<std::string>()->value_name("PATH"),
                        "start from the savepoint or retained checkpoint there")(
      "allow-non-restored-state,n",
      "leave out state of operators that the job does not have any more")(
      "claim-mode", po::value<std::string>()->value_name("MODE"),
      "whose the files at PATH are then: the user's (NO_CLAIM), or the job's (CLAIM)");
}

namespace {

status read_savepoint_options(const po::variables_map& given, job_request& request) {
  // Commands that plan jobs without running them have none of these.
  const auto has = [&](const char* name) { return given.count(name) > 0; };
  if (!has("from-savepoint")) {
    if (has("allow-non-restored-state") || has("claim-mode"))
      return fail(errc::invalid_argument, "-n and --claim-mode are for jobs that start with -s");
    return {};
  }
  const auto set = [&](const option_info& option, std::string value) {
    request.settings.emplace_back(option.key, std::move(value));
  };
  set(options::savepoint_path, absolute_path(given["from-savepoint"].as<std::string>()));
  if (has("allow-non-restored-state")) set(options::savepoint_ignore_unclaimed, "true");
  if (has("claim-mode"))
    set(options::savepoint_restore_mode, given["claim-mode"].as<std::string>());
  configuration checked;
  for (const auto& [key, value] : request.settings)
    if (auto good = checked.set(key, value, "the command line"); !good) return good;
  return {};
}

}  // namespace

result<job_request> read_job_request(const parsed_line& line) {
  job_request request;
  if (line.positional.empty()) {
    return fail(errc::invalid_argument, "name the job's library, as in 'millrace run job.so'");
  }
  request.library = line.positional.front();
  request.arguments.assign(line.positional.begin() + 1, line.positional.end());
  if (line.options.count("parallelism") > 0) {
    const auto given = line.options["parallelism"].as<std::int64_t>();
    if (given < 1 || given > parallelism_max) {
      return fail(errc::invalid_argument, "-p must be from 1 to " +
                                              std::to_string(parallelism_max) + ", is " +
                                              std::to_string(given));
    }
    request.parallelism = static_cast<std::uint32_t>(given);
  }
  if (auto good = read_savepoint_options(line.options, request); !good)
    return tl::unexpected(good.error());
  return request;
}

}  // namespace millrace::cli
