#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "millrace/graph/job_graph.hpp"

// Slot sharing as Flink's LocalInputPreferredSlotSharingStrategy does it for equal resources:
// subtask i of every vertex of a slot sharing group goes to the group's slot i, so that a slot
// holds a slice of the whole pipeline and forward channels stay within one process.

namespace millrace::graph {

/// One slot that a job asks for.
struct slot_request {
  std::string slot_sharing_group;
  std::uint32_t index = 0;  ///< Within its group.

  bool operator==(const slot_request&) const = default;
};

/// A job's slots and who goes where.
struct slot_plan {
  std::vector<slot_request> requests;  ///< Groups in the order of their first vertex.

  /// By vertex, then subtask: an index into `requests`.
  std::vector<std::vector<std::uint32_t>> slot_of;
};

/// The sum over slot sharing groups of the highest parallelism in the group.
std::uint32_t slots_needed(const job_graph& graph);

/// One request per slot; every execution vertex is in exactly one.
slot_plan assign_slots(const job_graph& graph);

}  // namespace millrace::graph
