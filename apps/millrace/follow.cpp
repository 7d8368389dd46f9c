#include "follow.hpp"

#include <chrono>
#include <iostream>
#include <string>

#include <unistd.h>

#include "millrace/core/human_units.hpp"
#include "progress.hpp"
#include "text_table.hpp"

namespace millrace::cli {

namespace {

constexpr auto look_interval = std::chrono::milliseconds(100);
constexpr auto show_interval = std::chrono::milliseconds(500);
constexpr auto cancel_interval = std::chrono::seconds(1);

bool has_terminal() {
  return isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1;
}

void print_accumulators(std::ostream& out, const accumulator_map& accumulators) {
  for (const auto& [name, total] : accumulators)
    out << "  " << printable(name) << " = " << to_string(total) << '\n';
}

exit_code report(const job_id& job, const result<job_execution_result>& ended,
                 const follow_rules& rules) {
  if (!ended) {
    const error& cause = ended.error();
    const bool is_lost = cause.code == errc::master_lost && rules.may_detach;
    const auto what = cause.code == errc::cancelled
                          ? std::string(" was cancelled")
                          : (is_lost ? " is out of sight: " : " failed: ") + cause.message;
    std::cerr << "millrace: job " << to_string(job) << what << '\n';
    return exit_code_of_job(cause.code);
  }
  // The output of an embedded job is that of its sinks alone.
  std::ostream& out = rules.may_detach ? std::cout : std::cerr;
  if (rules.may_detach) {
    out << "Job " << to_string(job) << " has finished in " << format_elapsed(ended->duration)
        << ".\n";
  }
  print_accumulators(out, ended->accumulators);
  return exit_code::ok;
}

}  // namespace

exit_code follow(job_client& job, const follow_rules& rules, interrupt_counter& interrupts) {
  progress_display display(isatty(STDERR_FILENO) == 1);
  bool cancelling = false;
  auto cancel_next = std::chrono::steady_clock::time_point();
  auto show_next = std::chrono::steady_clock::now();
  for (;;) {
    if (const auto ended = job.wait_for(look_interval)) {
      display.clear();
      return report(job.id(), *ended, rules);
    }
    if (interrupts.take() > 0) {
      display.clear();
      // Whoever asks twice does not want to wait.
      if (cancelling) {
        if (rules.may_detach)
          std::cerr
              << "Job " << to_string(job.id())
              << " was told to end, but has not said that it has; 'millrace list' shows it.\n";
        return exit_code::cancelled;
      }
      if (rules.may_detach && has_terminal() &&
          ask("Cancel the job? If not, it goes on without this tool. [y/N] ", interrupts) ==
              answer::no) {
        std::cerr << "Job " << to_string(job.id()) << " goes on; 'millrace cancel "
                  << to_string(job.id()).substr(0, 8) << "' ends it.\n";
        return exit_code::ok;
      }
      cancelling = true;
    }
    const auto now = std::chrono::steady_clock::now();
    // Again and again, since a job manager that dies takes the request with it.
    if (cancelling && now >= cancel_next) {
      job.cancel();
      cancel_next = now + cancel_interval;
    }
    if (rules.shows_progress && now >= show_next) {
      display.show(job.progress(), now);
      show_next = now + show_interval;
    }
  }
}

}  // namespace millrace::cli
