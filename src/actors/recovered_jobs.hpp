#pragma once

#include <memory>
#include <vector>

#include "millrace/actors/job_outcome.hpp"
#include "millrace/checkpoint/job_store.hpp"
#include "millrace/core/configuration.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"

namespace millrace {

/// What a dispatcher finds in the store when it begins.
struct recovered_jobs {
  std::vector<stored_job> running;
  std::vector<job_outcome_record> ended;  ///< Oldest first.
  bool is_whole = true;                   ///< Or some could not be read, and wait to be mended.
};

/// Reads it, and finishes what masters of jobs that had ended have left undone: their checkpoints
/// go as those of any job. `config` is the node's. Blocks.
result<recovered_jobs> recover_jobs(job_store& store, const std::shared_ptr<file_system>& files,
                                    const configuration& config);

/// The outcome of a job that has one, after finishing what its master has left undone. `not_found`
/// if it has not ended. Blocks.
result<job_outcome_record> conclude_job(job_store& store, const std::shared_ptr<file_system>& files,
                                        const stored_job& job, const configuration& config);

/// The node's configuration with a job's over it. `invalid_config` for what can't be set.
result<configuration> configuration_of(const graph::job_graph& graph, const configuration& node);

}  // namespace millrace
