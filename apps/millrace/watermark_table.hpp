#pragma once

#include <string>

#include "millrace/actors/messages.hpp"

namespace millrace::cli {

/// How far event time is in each subtask of a vertex, and which producer each input waits for: a
/// table with a line per subtask and input. Empty if the vertex has no event time.
std::string watermark_table(const graph::job_graph& graph, const wire::vertex_details& details);

}  // namespace millrace::cli
