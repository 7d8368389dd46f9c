// millrace chaos

#include <array>
#include <charconv>
#include <iostream>
#include <optional>
#include <string>

#include "command.hpp"
#include "job_argument.hpp"

namespace millrace::cli {

namespace {

struct victim_kind {
  std::string_view name;
  wire::chaos_target target;
  std::size_t arguments;  ///< Behind it.
};

constexpr std::array<victim_kind, 5> victim_kinds{
    {{"task", wire::chaos_target::task, 3},
     {"job-master", wire::chaos_target::job_master, 1},
     {"resource-manager", wire::chaos_target::resource_manager, 0},
     {"dispatcher", wire::chaos_target::dispatcher, 0},
     {"task-manager", wire::chaos_target::task_manager, 1}}};

result<std::uint32_t> number_in(const std::string& text, const std::string& what) {
  std::uint32_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, code] = std::from_chars(text.data(), end, number);
  if (code == std::errc{} && rest == end && !text.empty()) return number;
  return fail(errc::invalid_argument, "the number of a " + what + " is expected, not '" + text +
                                          "'; `millrace describe JOB` shows them");
}

result<exit_code> kill(const cli_context& context, const parsed_line& line) {
  const auto& words = line.positional;
  const victim_kind* kind = nullptr;
  for (const auto& each : victim_kinds)
    if (words.size() >= 2 && words[0] == "kill" && words[1] == each.name) kind = &each;
  if (kind == nullptr || words.size() != 2 + kind->arguments)
    return fail(errc::invalid_argument,
                "expected one of: kill task JOB VERTEX SUBTASK, kill job-master JOB, kill "
                "resource-manager, kill dispatcher, kill task-manager HOST:PORT");
  wire::kill_actor which;
  which.target = kind->target;
  std::unique_ptr<cluster_client> client;
  if (kind->target == wire::chaos_target::task || kind->target == wire::chaos_target::job_master) {
    auto named = find_job(context, words[2]);
    if (!named) return tl::unexpected(named.error());
    client = std::move(named->client);
    which.task.job = named->id;
  } else {
    auto connected = context.connect();
    if (!connected) return tl::unexpected(connected.error());
    client = std::move(*connected);
  }
  if (kind->target == wire::chaos_target::task) {
    const auto vertex = number_in(words[3], "vertex");
    if (!vertex) return tl::unexpected(vertex.error());
    const auto subtask = number_in(words[4], "subtask");
    if (!subtask) return tl::unexpected(subtask.error());
    which.task.vertex = *vertex;
    which.task.subtask = *subtask;
  }
  if (kind->target == wire::chaos_target::task_manager) which.task_manager = words[2];
  if (auto done = client->kill(which); !done) return tl::unexpected(done.error());
  std::cout << "Killed the " << words[1] << ".\n";
  return exit_code::ok;
}

}  // namespace

const command chaos_command{
    .name = "chaos",
    .arguments = "kill WHAT...",
    .summary = "kill an actor of a cluster, to test recovery",
    .details =
        "WHAT is one of\n"
        "  task JOB VERTEX SUBTASK    a subtask, numbered from 0 as 'describe --json' does\n"
        "  job-master JOB             the master of a job\n"
        "  resource-manager           and with it the dispatcher\n"
        "  dispatcher                 and with it all job masters\n"
        "  task-manager HOST:PORT     a worker, as 'nodes' shows it; its process ends\n"
        "Refused by every node where debug.chaos.enabled is not true.",
    .run = kill,
};

}  // namespace millrace::cli
