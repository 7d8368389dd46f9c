#pragma once

#include <cstdint>
#include <vector>

#include "millrace/graph/job_graph.hpp"

// Which subtasks of an exchange talk to each other, and how their channels are numbered. Both ends
// compute this for themselves, so it is a pure function of the job graph: the channels of a target
// subtask are numbered by edge id, then by source subtask.

namespace millrace::graph {

/// Subtasks [first, first + count) of the other side of an exchange.
struct subtask_range {
  std::uint32_t first = 0;
  std::uint32_t count = 0;

  std::uint32_t end() const noexcept { return first + count; }
  bool contains(std::uint32_t subtask) const noexcept { return subtask - first < count; }
  bool operator==(const subtask_range&) const = default;
};

/// The target subtasks that a source subtask has a channel to. All of them unless the exchange is
/// pointwise; then the distribution is that of Flink's
/// VertexInputInfoComputationUtils#computeVertexInputInfoForPointwise.
subtask_range consumers_of(partitioning p, std::uint32_t source_parallelism,
                           std::uint32_t target_parallelism, std::uint32_t source_subtask);
subtask_range consumers_of(const job_graph& graph, const job_edge& edge,
                           std::uint32_t source_subtask);

/// The source subtasks that a target subtask has a channel from: t is in `consumers_of(s)` exactly
/// if s is in `producers_of(t)`.
subtask_range producers_of(partitioning p, std::uint32_t source_parallelism,
                           std::uint32_t target_parallelism, std::uint32_t target_subtask);
subtask_range producers_of(const job_graph& graph, const job_edge& edge,
                           std::uint32_t target_subtask);

/// Whether barriers may overtake what is on its way through an exchange. In a pointwise one they
/// stay in order, as nothing says which other subtask a batch could go to, and so they do where
/// each record goes to all subtasks, which would have taken it on different sides of the cut, and
/// on the way to a global committer, which is to have all that belongs to a checkpoint when it
/// takes part in it (as in Flink).
bool can_be_overtaken(const job_graph& graph, const job_edge& edge);

/// One channel as its target subtask sees it; its number is its index in `input_channels`.
struct input_channel {
  std::uint32_t edge = 0;
  std::uint32_t source_vertex = 0;
  std::uint32_t source_subtask = 0;

  bool operator==(const input_channel&) const = default;
};

/// One channel as its source subtask sees it.
struct output_channel {
  std::uint32_t edge = 0;
  std::uint32_t target_vertex = 0;
  std::uint32_t target_subtask = 0;
  std::uint32_t target_channel = 0;  ///< The channel's number at the target.

  bool operator==(const output_channel&) const = default;
};

/// All channels into a subtask, by channel number.
std::vector<input_channel> input_channels(const job_graph& graph, std::uint32_t vertex,
                                          std::uint32_t subtask);

/// All channels out of a subtask, by edge id and then by target subtask.
std::vector<output_channel> output_channels(const job_graph& graph, std::uint32_t vertex,
                                            std::uint32_t subtask);

/// The number of the channel from `source_subtask` over `edge` among those of `target_subtask`.
/// The channel must exist.
std::uint32_t input_channel_index(const job_graph& graph, const job_edge& edge,
                                  std::uint32_t source_subtask, std::uint32_t target_subtask);

}  // namespace millrace::graph
