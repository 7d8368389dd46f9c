#pragma once

#include <string>

#include "millrace/core/error.hpp"

namespace millrace::cli {

/// What `millrace` ends with. Scripts rely on the numbers: do not renumber.
enum class exit_code : int {
  ok = 0,             ///< Done; a run was finished, or is on its way if detached.
  job_failed = 1,     ///< The job failed, or something that no other code covers went wrong.
  invalid_input = 2,  ///< A command line, configuration, file or job library that cannot be used.
  unreachable = 3,    ///< The cluster cannot be reached, or refuses this user.
  unknown_job = 4,    ///< No job has this id.
  cancelled = 5,      ///< The job was cancelled.
};

/// The code for a command that could not do its work.
exit_code exit_code_of(errc code) noexcept;

/// The code for a job that ran and did not finish.
exit_code exit_code_of_job(errc code) noexcept;

/// The codes and what they mean, a line each, for `--help`.
std::string exit_codes_text();

}  // namespace millrace::cli
