#include "millrace/graph/job_graph_check.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "millrace/graph/iterations.hpp"

namespace millrace::graph {

namespace {

/// Far beyond any real chain; bounds the recursion of whoever walks the tree of operators.
constexpr std::size_t chain_length_max = 4096;

std::string at(const char* list, std::size_t index) {
  return std::string(list) + "[" + std::to_string(index) + "]";
}

tl::unexpected<error> invalid(const std::string& path, const std::string& what) {
  return fail(errc::invalid_graph, path + ": " + what);
}

status check_head(const std::string& path, const chained_operator& op) {
  if (op.is_source != op.inputs.empty())
    return invalid(path + ".inputs", op.is_source ? "a source has no inputs"
                                                  : "an operator that is no source needs one");
  for (std::size_t i = 0; i < op.inputs.size(); ++i) {
    const auto here = path + "." + at("inputs", i);
    if (op.inputs[i].from_operator)
      return invalid(here + ".from_operator",
                     "the first operator of a chain is fed by exchanges only");
    if (!op.inputs[i].side_output.empty())
      return invalid(here + ".side_output", "is said by the edges of an exchange");
  }
  return {};
}

/// Everything behind the head has one input, from an operator before it: that makes a tree.
status check_member(const std::string& path, const job_vertex& vertex, std::size_t index) {
  const auto& op = vertex.operators[index];
  if (op.is_source) return invalid(path + ".is_source", "only the first operator may be a source");
  if (op.inputs.size() != 1)
    return invalid(path + ".inputs", "a chained operator has exactly one input");
  auto from = op.inputs[0].from_operator;
  if (!from || *from >= index)
    return invalid(path + ".inputs[0].from_operator", "must name an operator before this one");
  if (vertex.operators[*from].is_sink)
    return invalid(path + ".inputs[0].from_operator", "a sink has no output");
  return {};
}

status check_operators(const std::string& path, const job_vertex& vertex,
                       std::set<std::string>& uids) {
  for (std::size_t i = 0; i < vertex.operators.size(); ++i) {
    const auto& op = vertex.operators[i];
    auto here = path + "." + at("operators", i);
    if (op.uid.empty()) return invalid(here + ".uid", "must not be empty");
    if (!uids.insert(op.uid).second)
      return invalid(here + ".uid", "'" + op.uid + "' is the uid of another operator");
    for (std::size_t in = 0; in < op.inputs.size(); ++in)
      if (op.inputs[in].input != in)
        return invalid(here + "." + at("inputs", in) + ".input", "must be " + std::to_string(in));
    auto ok = i == 0 ? check_head(here, op) : check_member(here, vertex, i);
    if (!ok) return ok;
  }
  return {};
}

status check_vertex(const std::string& path, const job_vertex& vertex, std::size_t index,
                    std::set<std::string>& uids) {
  if (vertex.id != index) return invalid(path + ".id", "must be " + std::to_string(index));
  if (vertex.max_parallelism < 1 || vertex.max_parallelism > max_parallelism_limit)
    return invalid(path + ".max_parallelism", "must be from 1 to " +
                                                  std::to_string(max_parallelism_limit) + ", is " +
                                                  std::to_string(vertex.max_parallelism));
  if (vertex.parallelism < 1 || vertex.parallelism > vertex.max_parallelism)
    return invalid(path + ".parallelism", "must be from 1 to the max parallelism " +
                                              std::to_string(vertex.max_parallelism) + ", is " +
                                              std::to_string(vertex.parallelism));
  if (vertex.slot_sharing_group.empty())
    return invalid(path + ".slot_sharing_group", "must not be empty");
  if (vertex.operators.empty()) return invalid(path + ".operators", "must not be empty");
  if (vertex.operators.size() > chain_length_max)
    return invalid(path + ".operators",
                   "must be at most " + std::to_string(chain_length_max) + " operators");
  if (auto ok = check_operators(path, vertex, uids); !ok) return ok;
  if (vertex.uid != vertex.operators[0].uid)
    return invalid(path + ".uid", "must be that of the first operator");
  if (vertex.is_source != vertex.operators[0].is_source)
    return invalid(path + ".is_source", "contradicts the first operator");
  auto has_sink = std::any_of(vertex.operators.begin(), vertex.operators.end(),
                              [](const auto& op) { return op.is_sink; });
  if (vertex.is_sink != has_sink) return invalid(path + ".is_sink", "contradicts the operators");
  return {};
}

status check_edge(const job_graph& graph, const std::string& path, std::size_t index) {
  const auto& edge = graph.edges[index];
  const auto& vertices = graph.vertices;
  if (edge.id != index) return invalid(path + ".id", "must be " + std::to_string(index));
  if (edge.target_vertex >= vertices.size())
    return invalid(path + ".target_vertex", "no such vertex");
  if (edge.source_vertex >= vertices.size())
    return invalid(path + ".source_vertex", "no such vertex");
  if (!edge.is_feedback && edge.source_vertex >= edge.target_vertex)
    return invalid(path + ".source_vertex", "must come before the target vertex");
  if (edge.is_feedback && edge.source_vertex < edge.target_vertex)
    return invalid(path + ".source_vertex", "feedback must not come before the target vertex");
  const auto& source = vertices[edge.source_vertex];
  const auto& target = vertices[edge.target_vertex];
  if (edge.source_operator >= source.operators.size())
    return invalid(path + ".source_operator", "no such operator");
  if (source.operators[edge.source_operator].is_sink)
    return invalid(path + ".source_operator", "a sink has no output");
  if (edge.target_operator != 0)
    return invalid(path + ".target_operator", "only the first operator of a chain is fed");
  if (edge.target_input >= target.operators[0].inputs.size())
    return invalid(path + ".target_input", "no such input");
  if (edge.partitioning > partitioning::custom)
    return invalid(path + ".partitioning", "unknown partitioning");
  if (edge.partitioning == partitioning::forward && source.parallelism != target.parallelism)
    return invalid(path + ".partitioning", "forward needs the same parallelism at both ends");
  return {};
}

/// Where records come back, nothing else comes in, and there is another way into the loop.
status check_feedback(const job_graph& graph) {
  for (const auto& back : graph.edges) {
    if (!back.is_feedback) continue;
    bool has_entry = false;
    for (const auto& other : graph.edges) {
      if (other.target_vertex != back.target_vertex) continue;
      if (other.is_feedback != (other.target_input == back.target_input))
        return invalid(at("edges", other.id) + ".is_feedback",
                       "one input of an iteration's head is for feedback, and for it alone");
      has_entry |= !other.is_feedback;
    }
    if (!has_entry)
      return invalid(at("edges", back.id) + ".target_vertex", "nothing but feedback leads to it");
  }
  if (graph.mode == runtime_mode::batch && has_iterations(graph))
    return invalid("mode", "iterations can't run in batch mode");
  if (auto loops = find_iterations(graph); !loops) return invalid("edges", loops.error().message);
  return {};
}

status check_header(const job_graph& graph) {
  if (graph.format_version != job_graph_format_version)
    return invalid("format_version", "must be " + std::to_string(job_graph_format_version) +
                                         ", is " + std::to_string(graph.format_version) +
                                         "; use client and cluster of the same release");
  if (graph.mode > runtime_mode::batch) return invalid("mode", "unknown runtime mode");
  if (graph.mode == runtime_mode::batch && !graph.bounded)
    return invalid("mode", "batch needs a bounded job");
  auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (!graph.artifact.empty() &&
      (graph.artifact.size() != 64 ||
       !std::all_of(graph.artifact.begin(), graph.artifact.end(), is_hex)))
    return invalid("artifact", "must be a SHA-256 of 64 lower-case hex digits, or empty");
  if (graph.vertices.empty()) return invalid("vertices", "must not be empty");
  return {};
}

}  // namespace

status check_job_graph(const job_graph& graph) {
  if (auto ok = check_header(graph); !ok) return ok;
  std::set<std::string> uids;
  std::vector<std::vector<bool>> fed;
  for (std::size_t i = 0; i < graph.vertices.size(); ++i) {
    if (auto ok = check_vertex(at("vertices", i), graph.vertices[i], i, uids); !ok) return ok;
    fed.emplace_back(graph.vertices[i].operators[0].inputs.size(), false);
  }
  for (std::size_t i = 0; i < graph.edges.size(); ++i) {
    if (auto ok = check_edge(graph, at("edges", i), i); !ok) return ok;
    fed[graph.edges[i].target_vertex][graph.edges[i].target_input] = true;
  }
  for (std::size_t v = 0; v < fed.size(); ++v) {
    auto unfed = std::find(fed[v].begin(), fed[v].end(), false);
    if (unfed != fed[v].end())
      return invalid(at("vertices", v) + ".operators[0]." +
                         at("inputs", static_cast<std::size_t>(unfed - fed[v].begin())),
                     "no edge feeds it");
  }
  if (std::none_of(graph.vertices.begin(), graph.vertices.end(),
                   [](const auto& vertex) { return vertex.is_sink; }))
    return invalid("vertices", "none holds a sink");
  return check_feedback(graph);
}

}  // namespace millrace::graph
