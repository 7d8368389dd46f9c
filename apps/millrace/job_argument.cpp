#include "job_argument.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace millrace::cli {

namespace {

result<std::string> job_argument(const parsed_line& line) {
  if (line.positional.size() == 1) return line.positional.front();
  return fail(errc::invalid_argument, line.positional.empty()
                                          ? "name the job by its id or the beginning of it"
                                          : "name one job, not several");
}

result<job_id> find_id(cluster_client& client, const std::string& text) {
  if (const auto id = parse_id<job_id>(text)) return *id;
  std::string prefix = text;
  std::transform(prefix.begin(), prefix.end(), prefix.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  auto list = client.list_jobs();
  if (!list) return tl::unexpected(list.error());
  std::vector<job_id> found;
  for (const wire::job_overview& job : list->jobs) {
    if (!prefix.empty() && to_string(job.job).starts_with(prefix)) found.push_back(job.job);
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    return fail(errc::unknown_job,
                "there is no job '" + text + "'; 'millrace list --all' shows those there are");
  }
  return fail(errc::invalid_argument, "'" + text + "' is the beginning of " +
                                          std::to_string(found.size()) +
                                          " job ids; give more digits");
}

}  // namespace

result<named_job> find_job(const cli_context& context, const parsed_line& line) {
  return job_argument(line).and_then(
      [&](const std::string& text) { return find_job(context, text); });
}

result<named_job> find_job(const cli_context& context, const std::string& text) {
  auto client = context.connect();
  if (!client) return tl::unexpected(client.error());
  const auto id = find_id(**client, text);
  if (!id) return tl::unexpected(id.error());
  return named_job{*std::move(client), *id};
}

}  // namespace millrace::cli
