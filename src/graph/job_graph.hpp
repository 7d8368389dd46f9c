#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/graph/partitioning.hpp"
#include "millrace/graph/runtime_mode.hpp"

// The JobGraph: what a client submits. Plain aggregates without behaviour, so that the byte codec
// encodes them by reflection; add fields only at the end and raise `job_graph_format_version`.

namespace millrace::graph {

inline constexpr std::uint32_t job_graph_format_version = 4;

/// The most subtasks or key groups an operator may have (Flink's UPPER_BOUND_MAX_PARALLELISM).
inline constexpr std::uint32_t max_parallelism_limit = 32768;

/// Where one logical input of a chained operator comes from.
struct chained_input {
  /// Index of the feeding operator in the same chain; nothing if records arrive over exchanges.
  std::optional<std::uint32_t> from_operator;
  std::uint32_t input = 0;  ///< Index of the operator's logical input.
  /// Tag of the feeding operator's side output; empty for its main output, and over exchanges.
  std::string side_output{};

  bool operator==(const chained_input&) const = default;
};

/// One operator of a vertex. The operators of a vertex form a tree: the first is its head (the only
/// one that exchanges feed), every other is fed by exactly one operator before it, and an operator
/// may feed several operators and exchanges.
struct chained_operator {
  std::uint32_t node = 0;  ///< Id in the stream graph, by which a re-run of `build` is matched.
  std::string uid;         ///< Stable name of its state.
  std::string name;
  std::string kind;
  std::vector<chained_input> inputs;  ///< By input index; empty for a source.
  bool is_source = false;
  bool is_sink = false;
  bool has_coordinator = false;  ///< Something in the job master speaks for all its subtasks.
  /// Makes output visible when a checkpoint is complete, which an earlier one knows nothing of.
  bool commits = false;

  bool operator==(const chained_operator&) const = default;
};

/// A chain of operators that every subtask runs in one task.
struct job_vertex {
  std::uint32_t id = 0;  ///< Its index in `job_graph::vertices`.
  std::string uid;       ///< The head's.
  std::string name;      ///< "Source: lines -> flat_map"
  std::uint32_t parallelism = 1;
  std::uint32_t max_parallelism = 128;  ///< Also the number of key groups.
  std::string slot_sharing_group = "default";
  std::vector<chained_operator> operators;
  bool is_source = false;  ///< Its head is a source.
  bool is_sink = false;    ///< Some operator of it is a sink.

  bool operator==(const job_vertex&) const = default;
};

/// An exchange between two vertices; always pipelined.
struct job_edge {
  std::uint32_t id = 0;  ///< Its index in `job_graph::edges`.
  std::uint32_t source_vertex = 0;
  std::uint32_t source_operator = 0;  ///< Index in the source vertex's `operators`.
  std::uint32_t target_vertex = 0;
  std::uint32_t target_operator = 0;  ///< Index in the target vertex's `operators`; the head.
  std::uint32_t target_input = 0;     ///< The target operator's logical input.
  millrace::graph::partitioning partitioning = millrace::graph::partitioning::forward;
  std::string type;               ///< Description of the record type.
  std::uint64_t fingerprint = 0;  ///< Of the record type.
  std::uint32_t stream_edge =
      0;                      ///< Id in the stream graph: finds key selectors, custom partitioners.
  std::string side_output{};  ///< Tag of the source operator's side output; empty: its main output.
  bool is_feedback = false;   ///< Leads back to the head of an iteration, the target vertex.

  bool operator==(const job_edge&) const = default;
};

/// A job, ready to run: validated, with every default resolved (Flink's JobGraph).
/// Vertices are in topological order: every edge leads from a lower to a higher vertex id, save the
/// feedback edges of iterations, which lead the other way or from a vertex to itself.
struct job_graph {
  std::uint32_t format_version = job_graph_format_version;
  std::string name;
  runtime_mode mode = runtime_mode::streaming;
  bool bounded = false;  ///< Every source ends by itself, thus the job does.
  std::vector<std::pair<std::string, std::string>> configuration;  ///< Job-level settings.
  std::string artifact;  ///< SHA-256 of the job library, 64 hex digits; empty if embedded.
  std::vector<std::string> arguments;  ///< What `build` was given and is given again on each node.
  std::vector<job_vertex> vertices;
  std::vector<job_edge> edges;

  bool operator==(const job_graph&) const = default;
};

/// The exchanges that feed a vertex, by edge id. Pointers live as long as the graph is unchanged.
std::vector<const job_edge*> in_edges(const job_graph& graph, std::uint32_t vertex);

/// The exchanges that a vertex feeds, by edge id. Pointers live as long as the graph is unchanged.
std::vector<const job_edge*> out_edges(const job_graph& graph, std::uint32_t vertex);

/// The chained operators that operator `from` of a vertex feeds directly, by operator index.
std::vector<std::uint32_t> chained_consumers(const job_vertex& vertex, std::uint32_t from);

}  // namespace millrace::graph
