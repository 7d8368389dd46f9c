#pragma once

#include <string>
#include <string_view>

#include "millrace/core/error.hpp"
#include "millrace/graph/job_graph.hpp"

namespace millrace::graph {

/// The job graph as JSON: two spaces of indentation, fields in a fixed order, so that two versions
/// of a job can be compared line by line. Ids are strings ("v0", "e0"), fingerprints 16 hex digits.
/// Text that is not UTF-8 (names, arguments) is repaired with U+FFFD, never an error.
std::string to_json(const job_graph& graph);

/// The inverse of `to_json`. Takes any text: what is malformed, of the wrong type, unknown, missing
/// or contradictory is an error (`errc::invalid_graph`) that names the path, as
/// "job graph: vertices[2].parallelism: must be a number from 0 to 4294967295, is \"two\"".
result<job_graph> job_graph_from_json(std::string_view text);

}  // namespace millrace::graph
