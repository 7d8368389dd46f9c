#pragma once

#include <cstdint>
#include <vector>

#include "millrace/actors/messages.hpp"
#include "millrace/graph/job_graph.hpp"

namespace millrace::cli {

/// What the subtasks of a vertex have done together, by operator index. Counters of one name are
/// added up.
std::vector<wire::operator_report> operator_totals(const graph::job_vertex& vertex,
                                                   const wire::vertex_details& details);

}  // namespace millrace::cli
