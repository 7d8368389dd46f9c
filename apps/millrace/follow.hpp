#pragma once

#include "interrupt.hpp"
#include "millrace/api/job_runner.hpp"
#include "millrace/core/exit_code.hpp"

namespace millrace::cli {

/// How an attached run behaves.
struct follow_rules {
  bool may_detach = false;     ///< The job can go on without this process.
  bool shows_progress = true;  ///< Else nothing is said before the job ends.
};

/// Waits for the end of a job, shows its progress and result, and lets Ctrl-C cancel it or leave it
/// alone. Without a terminal SIGINT cancels.
exit_code follow(job_client& job, const follow_rules& rules, interrupt_counter& interrupts);

}  // namespace millrace::cli
