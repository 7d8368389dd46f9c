#pragma once

#include "millrace/core/error.hpp"
#include "millrace/graph/job_graph.hpp"

namespace millrace::graph {

/// Whether a job graph that came from outside (JSON, another process) keeps every promise that the
/// rest of the engine relies on: ids equal indices, numbers are in range, chains are trees,
/// edges lead forward to operators that exist and take their records, uids are unique.
/// Errors (`errc::invalid_graph`) name the offending path, as "vertices[2].parallelism: …".
status check_job_graph(const job_graph& graph);

}  // namespace millrace::graph
