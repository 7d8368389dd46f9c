#pragma once

#include <string>

#include "millrace/actors/messages.hpp"

namespace millrace::cli {

/// Whether any subtask of the job has seen a watermark.
bool has_event_time(const wire::job_details& job);

/// How far event time is in each subtask of a vertex, and which producer each input waits for: a
/// table with a line per subtask and input. Worth showing for all vertices of a job that has event
/// time anywhere: where none has arrived yet, it says who is waited for.
std::string watermark_table(const graph::job_graph& graph, const wire::vertex_details& details);

}  // namespace millrace::cli
