#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "millrace/graph/partitioning.hpp"

namespace millrace::graph {

/// What a record type looks like to a human, and the hash by which two ends of a stream agree.
struct record_type {
  std::string description;
  std::uint64_t fingerprint = 0;

  bool operator==(const record_type&) const = default;
};

/// Whether an operator may share a task with its neighbours (Flink's ChainingStrategy).
enum class chaining : std::uint8_t {
  always,  ///< With both its input and its consumers, whenever possible.
  head,    ///< Starts a chain: with its consumers only (`start_new_chain`).
  never,   ///< Alone (`disable_chaining`).
  /// With its input whatever that and the configuration say: nothing may lie between the two.
  with_input,
};

/// A stream that an operator emits beside its main one.
struct side_output {
  std::string tag;
  record_type type;

  bool operator==(const side_output&) const = default;
};

/// One operator as the user described it. What is empty is decided by `build_job_graph`.
struct stream_node {
  std::uint32_t id = 0;  ///< Assigned by `stream_graph::add_node`.
  std::string kind;      ///< What sort of operator: "source", "map", "sink", …; free text.
  std::string name;      ///< As plans, logs and errors show it; empty means `kind`.
  std::string uid;       ///< Empty: derived from position and name.

  /// Empty: that of the inputs where they agree, else "default".
  std::string slot_sharing_group;
  std::optional<std::uint32_t> parallelism;
  std::optional<std::uint32_t> max_parallelism;
  millrace::graph::chaining chaining = millrace::graph::chaining::always;

  bool is_source = false;
  bool is_sink = false;
  bool bounded = true;           ///< Sources only: whether it ends by itself.
  bool non_parallel = false;     ///< Can only run with parallelism 1 (a socket, a collection).
  bool has_coordinator = false;  ///< Its factory makes an operator_coordinator for the job master.
  bool commits = false;          ///< Makes output visible when a checkpoint is complete.
  /// Whose event times it waits for by taking no more records; empty: none. It must be in one task
  /// with its source: behind a channel, what it does not take would hold up barriers.
  std::string alignment_group;
  /// Where records of a loop come back, on its last input: see "millrace/graph/iterations.hpp".
  bool is_iteration_head = false;

  std::vector<record_type> inputs;  ///< One per logical input; several edges may feed one (union).
  record_type output;               ///< Meaningless for a sink.
  std::vector<side_output> side_outputs;  ///< Those that the job asked for, by unique tags.

  /// The type of the main output (no tag) or of a side output; null if there is none of that tag.
  const record_type* output_type(const std::string& side_output_tag) const noexcept;

  bool operator==(const stream_node&) const = default;
};

/// A stream from one operator to one logical input of another.
struct stream_edge {
  std::uint32_t id = 0;            ///< Assigned by `stream_graph::add_edge`.
  std::uint32_t source = 0;        ///< Node id.
  std::uint32_t target = 0;        ///< Node id.
  std::uint32_t target_input = 0;  ///< Index into the target's `inputs`.
  std::string side_output{};       ///< Tag of the source's side output; empty: its main output.

  /// Only what the user asked for if `is_explicit`; otherwise the edge becomes `forward` when both
  /// ends have the same parallelism, else `rebalance`.
  millrace::graph::partitioning partitioning = millrace::graph::partitioning::forward;
  bool is_explicit = false;

  /// Leads back to an iteration's head. Left out wherever the graph has to be acyclic.
  bool is_feedback = false;

  bool operator==(const stream_edge&) const = default;
};

/// What the DataStream API builds: one node per operator, nothing decided yet (Flink's
/// StreamGraph). A mutable value without invariants beyond its ids; `build_job_graph` judges it.
class stream_graph {
 public:
  /// Returns the node's id: 0, 1, 2, … in the order of the calls.
  std::uint32_t add_node(stream_node node);

  /// Returns the edge's id: 0, 1, 2, … in the order of the calls. Node ids are checked when the job
  /// graph is built.
  std::uint32_t add_edge(stream_edge edge);

  /// A node by id, for the API's setters (`.name()`, `.uid()`, …). `id` must exist.
  stream_node& node(std::uint32_t id) { return nodes_.at(id); }
  const stream_node& node(std::uint32_t id) const { return nodes_.at(id); }

  const std::vector<stream_node>& nodes() const noexcept { return nodes_; }
  const std::vector<stream_edge>& edges() const noexcept { return edges_; }

 private:
  std::vector<stream_node> nodes_;
  std::vector<stream_edge> edges_;
};

}  // namespace millrace::graph
