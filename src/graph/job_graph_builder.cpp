#include "millrace/graph/job_graph_builder.hpp"

#include <algorithm>
#include <bit>

#include "millrace/graph/in_quotes.hpp"
#include "millrace/graph/resolve.hpp"
#include "millrace/graph/stream_graph_check.hpp"
#include "millrace/graph/topology.hpp"
#include "millrace/graph/uids.hpp"

namespace millrace::graph {

namespace {

/// Where a node ends up.
struct place {
  std::uint32_t vertex = 0;
  std::uint32_t op = 0;
};

std::string display_name(const chained_operator& op) {
  if (op.is_source) return "Source: " + op.name;
  if (op.is_sink) return "Sink: " + op.name;
  return op.name;
}

/// "a -> b", and "a -> (b -> c, d)" where a chain branches.
std::string chain_name(const job_vertex& vertex) {
  // Operators come after what feeds them: from the back, every consumer's text is ready.
  std::vector<std::string> names(vertex.operators.size());
  for (auto i = static_cast<std::uint32_t>(names.size()); i-- > 0;) {
    names[i] = display_name(vertex.operators[i]);
    auto consumers = chained_consumers(vertex, i);
    if (consumers.empty()) continue;
    std::string list;
    for (auto consumer : consumers) list += (list.empty() ? "" : ", ") + names[consumer];
    names[i] += consumers.size() == 1 ? " -> " + list : " -> (" + list + ")";
  }
  return names.front();
}

chained_operator describe(const stream_node& node, std::string uid) {
  chained_operator op;
  op.node = node.id;
  op.uid = std::move(uid);
  op.name = node.name;
  op.kind = node.kind;
  op.is_source = node.is_source;
  op.is_sink = node.is_sink;
  op.has_coordinator = node.has_coordinator;
  op.commits = node.commits;
  for (std::uint32_t i = 0; i < node.inputs.size(); ++i) op.inputs.push_back({std::nullopt, i, {}});
  return op;
}

job_vertex start_chain(std::uint32_t id, const chained_operator& head, const resolved_node& node) {
  job_vertex vertex;
  vertex.id = id;
  vertex.uid = head.uid;
  vertex.parallelism = node.parallelism;
  vertex.max_parallelism = node.max_parallelism;
  vertex.slot_sharing_group = node.slot_sharing_group;
  vertex.is_source = head.is_source;
  return vertex;
}

/// Turns a checked graph with all settings resolved into vertices and edges.
class chain_builder {
 public:
  chain_builder(const stream_graph& graph, const std::vector<resolved_node>& nodes,
                const std::vector<partitioning>& edges, bool chaining)
      : graph_(graph), nodes_(nodes), edges_(edges), chained_into_(nodes.size(), nullptr) {
    std::vector<std::uint32_t> in_degree(nodes.size(), 0);
    for (const auto& edge : graph.edges()) ++in_degree[edge.target];
    for (const auto& edge : graph.edges())
      if (is_chainable(graph, edge, edges[edge.id], nodes, in_degree, chaining))
        chained_into_[edge.target] = &edge;
  }

  /// A head comes after all that feeds its chain, because only the head is fed from elsewhere:
  /// vertices in the order of their heads are in topological order.
  void add_vertices(const std::vector<std::uint32_t>& topological,
                    const std::vector<std::string>& uids, job_graph& job) {
    places_.resize(nodes_.size());
    for (auto id : topological) {
      auto op = describe(graph_.node(id), uids[id]);
      auto& place = places_[id];
      if (const stream_edge* edge = chained_into_[id]) {
        place.vertex = places_[edge->source].vertex;
        op.inputs.front().from_operator = places_[edge->source].op;
        op.inputs.front().side_output = edge->side_output;
      } else {
        place.vertex = static_cast<std::uint32_t>(job.vertices.size());
        job.vertices.push_back(start_chain(place.vertex, op, nodes_[id]));
      }
      auto& vertex = job.vertices[place.vertex];
      place.op = static_cast<std::uint32_t>(vertex.operators.size());
      vertex.is_sink |= op.is_sink;
      vertex.operators.push_back(std::move(op));
    }
    for (auto& vertex : job.vertices) vertex.name = chain_name(vertex);
  }

  /// After `add_vertices`.
  status check_alignment(const job_graph& job) const {
    for (const auto& node : graph_.nodes())
      if (!node.alignment_group.empty() && !job.vertices[places_[node.id].vertex].is_source)
        return fail(errc::invalid_graph,
                    "operator " + in_quotes(node.name) + " is in watermark alignment group " +
                        in_quotes(node.alignment_group) +
                        ", but not in one task with a source: the records that it holds back would "
                        "hold up checkpoints; give from_source() the strategy, or assign it right "
                        "behind each source: before any union or exchange, with the source's "
                        "parallelism, and chained with all that lies between");
    return {};
  }

  /// After `add_vertices`.
  void add_edges(job_graph& job) const {
    for (const auto& edge : graph_.edges()) {
      if (chained_into_[edge.target] == &edge) continue;
      const auto& type = *graph_.node(edge.source).output_type(edge.side_output);
      job_edge exchange;
      exchange.id = static_cast<std::uint32_t>(job.edges.size());
      exchange.source_vertex = places_[edge.source].vertex;
      exchange.source_operator = places_[edge.source].op;
      exchange.target_vertex = places_[edge.target].vertex;
      exchange.target_operator = places_[edge.target].op;
      exchange.target_input = edge.target_input;
      exchange.partitioning = edges_[edge.id];
      exchange.type = type.description;
      exchange.fingerprint = type.fingerprint;
      exchange.stream_edge = edge.id;
      exchange.side_output = edge.side_output;
      exchange.is_feedback = edge.is_feedback;
      job.edges.push_back(std::move(exchange));
    }
  }

 private:
  const stream_graph& graph_;
  const std::vector<resolved_node>& nodes_;
  const std::vector<partitioning>& edges_;
  std::vector<const stream_edge*> chained_into_;  ///< By node id; null for heads.
  std::vector<place> places_;                     ///< By node id.
};

}  // namespace

result<job_graph> build_job_graph(const stream_graph& graph, const job_defaults& defaults) {
  if (auto ok = check_stream_graph(graph, defaults.mode); !ok) return tl::unexpected(ok.error());
  auto order = topological_order(graph);
  if (!order) return tl::unexpected(order.error());
  auto uids = operator_uids(graph, *order);
  if (!uids) return tl::unexpected(uids.error());
  auto nodes = resolve_nodes(graph, *order, defaults);
  if (!nodes) return tl::unexpected(nodes.error());
  auto edges = resolve_edges(graph, *nodes);
  if (!edges) return tl::unexpected(edges.error());

  job_graph job;
  job.name = defaults.job_name;
  job.mode = defaults.mode;
  job.bounded = std::all_of(graph.nodes().begin(), graph.nodes().end(),
                            [](const stream_node& n) { return !n.is_source || n.bounded; });
  job.configuration = defaults.configuration;
  job.artifact = defaults.artifact;
  job.arguments = defaults.arguments;

  chain_builder chains(graph, *nodes, *edges, defaults.chaining);
  chains.add_vertices(*order, *uids, job);
  if (job.mode == runtime_mode::streaming)  // batch mode has no watermarks to align
    if (auto ok = chains.check_alignment(job); !ok) return tl::unexpected(ok.error());
  chains.add_edges(job);
  return job;
}

std::uint32_t default_max_parallelism(std::uint32_t parallelism) noexcept {
  std::uint64_t wanted = std::uint64_t{parallelism} + parallelism / 2;
  return static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(std::bit_ceil(wanted), 128, max_parallelism_limit));
}

}  // namespace millrace::graph
