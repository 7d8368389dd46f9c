#pragma once

#include <functional>
#include <memory>

#include "millrace/actors/master_access.hpp"
#include "millrace/api/job_runner.hpp"

namespace millrace {

/// A client of a job that a master knows, and that goes on when the master or its dispatcher was
/// replaced. `on_end` is called once in an actor, when the job has ended.
std::unique_ptr<job_client> make_job_client(std::shared_ptr<master_access> cluster,
                                            const job_id& job, std::function<void()> on_end);

}  // namespace millrace
