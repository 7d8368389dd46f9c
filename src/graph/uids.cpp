#include "millrace/graph/uids.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "millrace/core/ids.hpp"

namespace millrace::graph {

namespace {

/// Length-prefixed, so that no two different lists of texts have the same bytes.
void append(std::string& bytes, const std::string& text) {
  bytes += std::to_string(text.size());
  bytes += ':';
  bytes += text;
}

void append(std::string& bytes, std::uint32_t number) {
  append(bytes, std::to_string(number));
}

std::string hash_of(const std::string& bytes) {
  XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return format_hex_id(hash.high64, hash.low64);
}

/// What the node is and reads. Union's edges into one input keep no order: swapping them changes
/// nothing about the operator.
std::string description(const stream_graph& graph, std::uint32_t node,
                        const std::vector<std::vector<const stream_edge*>>& edges_into,
                        const std::vector<std::string>& uids) {
  struct fed_input {
    std::uint32_t index;
    std::string uid;
    std::string side_output;
    auto operator<=>(const fed_input&) const = default;
  };
  std::vector<fed_input> inputs;
  for (const stream_edge* edge : edges_into[node])
    inputs.push_back({edge->target_input, uids[edge->source], edge->side_output});
  std::sort(inputs.begin(), inputs.end());

  std::string bytes = "millrace uid 1;";
  append(bytes, graph.node(node).kind);
  append(bytes, graph.node(node).name);
  for (const auto& input : inputs) {
    append(bytes, input.index);
    append(bytes, input.uid);
    if (input.side_output.empty()) continue;
    bytes += "side output:";  // a length comes first everywhere else
    append(bytes, input.side_output);
  }
  return bytes;
}

}  // namespace

result<std::vector<std::string>> operator_uids(const stream_graph& graph,
                                               const std::vector<std::uint32_t>& topological) {
  const auto& nodes = graph.nodes();
  std::vector<std::vector<const stream_edge*>> edges_into(nodes.size());
  for (const auto& edge : graph.edges())
    if (!edge.is_feedback) edges_into[edge.target].push_back(&edge);

  // Ordinals are given in topological order, where equals are in the order the user wrote them.
  std::vector<std::string> uids(nodes.size());
  std::map<std::string, std::uint32_t> equals;
  for (auto id : topological) {
    if (!nodes[id].uid.empty()) {
      uids[id] = nodes[id].uid;
      continue;
    }
    auto bytes = description(graph, id, edges_into, uids);
    auto ordinal = equals[bytes]++;
    append(bytes, ordinal);
    uids[id] = hash_of(bytes);
  }

  std::unordered_map<std::string, std::uint32_t> owners;
  for (const auto& node : nodes) {
    auto [owner, is_new] = owners.emplace(uids[node.id], node.id);
    if (!is_new)
      return fail(errc::invalid_graph, "operators '" + nodes[owner->second].name + "' and '" +
                                           node.name + "' have the same uid '" + uids[node.id] +
                                           "'; give each operator a uid of its own");
  }
  return uids;
}

}  // namespace millrace::graph
