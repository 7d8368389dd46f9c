#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "millrace/actors/job_metrics.hpp"
#include "millrace/actors/messages.hpp"
#include "millrace/graph/execution_graph.hpp"

// What a job's master tells people about the job. Pure functions of what it knows.

namespace millrace {

/// When a job began, and how long ago that is or, once it has ended, how long it took.
struct job_times {
  std::uint64_t start_wall_ms = 0;
  std::uint64_t duration_ms = 0;
};

wire::job_overview overview_of(const graph::execution_graph& execution, const job_times& times);

wire::job_details details_of(const graph::execution_graph& execution, const job_metrics& metrics,
                             const job_times& times, std::string waiting_for);

/// `subtasks` are those of a checkpoint of the job.
wire::checkpoint_details details_of(const graph::job_graph& job, const job_id& id,
                                    checkpoint_record checkpoint,
                                    const std::vector<subtask_checkpoint>& subtasks);
/// `not_found`. "job 3f has no checkpoint 7 among its latest: there are 3, 4, 9".
error no_such_checkpoint(const job_id& id, checkpoint_id asked,
                         const std::vector<checkpoint_record>& latest);

/// `accumulators` are those of all subtasks.
accumulator_map merged(const std::map<graph::subtask_ref, accumulator_map>& accumulators);

/// For a job that has ended.
wire::job_result job_result_of(const graph::execution_graph& execution, const job_times& times,
                               const std::map<graph::subtask_ref, accumulator_map>& accumulators);

/// Why a job failed: "operator 'X' (subtask 2/4, attempt 0) on task manager a:1: …", or "task
/// manager a:1 was lost (connection lost) while running 'X' (subtask 2/4, attempt 0)". Cancelled
/// jobs have a cause too.
std::optional<error> cause_of_end(const graph::execution_graph& execution);

/// "4 slots needed, 2 of 2 free".
std::string text_of(const wire::slots_missing& missing);

}  // namespace millrace
