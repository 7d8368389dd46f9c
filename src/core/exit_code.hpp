#pragma once

#include "millrace/core/error.hpp"

namespace millrace {

/// What `millrace` and executables of jobs end with. Scripts rely on the numbers: do not renumber.
enum class exit_code : int {
  ok = 0,             ///< Done; a run was finished, or is on its way if detached.
  job_failed = 1,     ///< The job failed, or something that no other code covers went wrong.
  invalid_input = 2,  ///< A command line, configuration, file or job library that cannot be used.
  unreachable = 3,    ///< The cluster cannot be reached, or refuses this user.
  unknown_job = 4,    ///< No job has this id.
  cancelled = 5,      ///< The job was cancelled.
};

/// The code for a command, or a job, that could not be begun.
exit_code exit_code_of(errc code) noexcept;

/// The code for a job that ran and did not finish.
exit_code exit_code_of_job(errc code) noexcept;

}  // namespace millrace
