#include "job_request.hpp"

#include "millrace/graph/job_graph.hpp"

namespace po = boost::program_options;

namespace millrace::cli {

namespace {

constexpr std::int64_t parallelism_max = graph::max_parallelism_limit;

}  // namespace

void add_parallelism_option(po::options_description& options) {
  options.add_options()("parallelism,p", po::value<std::int64_t>()->value_name("N"),
                        "subtasks of operators that the job gives no parallelism");
}

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
  return request;
}

}  // namespace millrace::cli
