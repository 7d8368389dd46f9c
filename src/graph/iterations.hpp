#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "millrace/core/error.hpp"
#include "millrace/graph/job_graph.hpp"
#include "millrace/graph/stream_graph.hpp"

namespace millrace::graph {

/// A loop: the head, to which feedback edges lead, and every operator between it and them (Flink's
/// iteration). What only reads from the loop, or only feeds it, is not part of it.
///
/// A vertex is part of a loop if its first operator is: whoever is chained behind that and is part
/// of the loop gets its records from there.
struct iteration {
  std::uint32_t head = 0;               ///< Vertex id.
  std::vector<std::uint32_t> vertices;  ///< Ids, in order; the head is the first.
  std::vector<std::vector<std::uint32_t>>
      operators;                     ///< Indices by vertex of `vertices`, in order.
  std::vector<std::uint32_t> edges;  ///< Ids of those between its operators, feedback included.

  bool operator==(const iteration&) const = default;
};

/// Whether records go around anywhere in the job.
bool has_iterations(const job_graph& graph) noexcept;

/// The loops of a job, by head. Edges must lead to existing operators. Errors (`invalid_graph`)
/// name the operators: feedback that does not come from the loop, loops inside of others.
result<std::vector<iteration>> find_iterations(const job_graph& graph);

/// What a vertex is to the loop that it is part of.
struct iteration_role {
  bool is_head = false;
  std::vector<bool> has_operator;  ///< By index in the vertex: those that are part of the loop.
  std::vector<bool> has_edge;      ///< By edge id.
};

/// Nothing for a vertex that is part of none. The graph must have been checked.
std::optional<iteration_role> iteration_role_of(const job_graph& graph, std::uint32_t vertex);

/// The same check of what the user wrote, before it is made a job graph.
status check_iterations(const stream_graph& graph);

}  // namespace millrace::graph
