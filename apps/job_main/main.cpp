// The main function of jobs that run embedded: the whole cluster lives in this process.

#include <csignal>
#include <iostream>

#include "command_line.hpp"
#include "millrace/api/job_entry.hpp"
#include "millrace/core/exit_code.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/graph/slot_sharing.hpp"
#include "millrace/operators/late_records.hpp"

extern "C" const millrace::job_entry millrace_job_entry;

namespace {

using namespace millrace;
using namespace millrace::job_main;

constexpr int exit_signalled = 128;  // plus the signal's number, as shells have it

volatile std::sig_atomic_t caught_signal = 0;

extern "C" void on_signal(int signal) {
  caught_signal = signal;
  std::signal(signal, SIG_DFL);  // a second one ends the process at once
}

int report(const command_line& line, const error& problem, exit_code code) {
  std::cout.flush();
  std::cerr << line.program << ": " << problem.message << '\n';
  return static_cast<int>(code);
}

/// What kept the job from being begun.
int refuse(const command_line& line, const error& problem) {
  return report(line, problem, exit_code_of(problem.code));
}

int show_help(const command_line& line) {
  std::cout << help_text(line.program);
  // A job that has a --help of its own prints it when it is built, and is not run.
  const auto job_help = make_plan(millrace_job_entry.build, arguments({"--help"}), line.config);
  static_cast<void>(job_help);
  return 0;
}

void print_summary(const command_line& line, const job_execution_result& result) {
  std::cerr << line.program << ": finished in " << result.duration.count() << " ms\n";
  for (const auto& [name, total] : result.accumulators)
    std::cerr << "  " << name << ": " << to_string(total) << '\n';
}

/// Said in any case: results that lack records look like others.
void warn_of_late_records(const command_line& line, const job_execution_result& result) {
  const auto late = result.accumulators.find(late_records_accumulator);
  if (late != result.accumulators.end())
    std::cerr << line.program << ": " << late->first << ": " << to_string(late->second) << '\n';
}

/// Nothing if the job ended because of a signal.
std::optional<result<job_execution_result>> wait_or_cancel(job_client& client) {
  constexpr std::chrono::milliseconds between_looks(50);
  for (;;) {
    if (auto ended = client.wait_for(between_looks)) return ended;
    if (caught_signal == 0) continue;
    client.cancel();
    static_cast<void>(client.wait());
    return std::nullopt;
  }
}

int run(const command_line& line) {
  // What matters to the user is said by the job's result, once.
  const auto level = line.verbose ? log_level::info : log_level::off;
  if (auto ok = init_logging(line.config, line.program, level); !ok)
    return refuse(line, ok.error());
  graph::job_defaults defaults;
  defaults.job_name = line.program;
  defaults.command_line_parallelism = line.parallelism;
  auto plan = make_plan(millrace_job_entry.build, arguments(line.job_arguments), line.config,
                        std::move(defaults));
  if (!plan) return refuse(line, plan.error());
  auto runner = make_embedded_runner(line.config, graph::slots_needed(plan->graph));
  if (!runner) return refuse(line, runner.error());
  auto client = (*runner)->submit(std::move(plan->graph), std::move(plan->program));
  if (!client) return refuse(line, client.error());

  const auto ended = wait_or_cancel(**client);
  if (!ended) return exit_signalled + caught_signal;
  if (!*ended) {
    const error& cause = ended->error();
    return report(line, cause, exit_code_of_job(cause.code));
  }
  if (line.verbose)
    print_summary(line, **ended);
  else
    warn_of_late_records(line, **ended);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto line = read_command_line(argc, argv);
  if (!line) {
    std::cerr << (argc > 0 ? argv[0] : "job") << ": " << line.error().message << '\n';
    return static_cast<int>(exit_code::invalid_input);
  }
  if (line->wants_version) {
    std::cout << line->program << " (Millrace " << MILLRACE_VERSION << ")\n";
    return 0;
  }
  if (line->wants_help) return show_help(*line);
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  return run(*line);
}
