#include "millrace/graph/stream_graph.hpp"

#include <utility>

namespace millrace::graph {

const record_type* stream_node::output_type(const std::string& side_output_tag) const noexcept {
  if (side_output_tag.empty()) return &output;
  for (const auto& side : side_outputs)
    if (side.tag == side_output_tag) return &side.type;
  return nullptr;
}

std::uint32_t stream_graph::add_node(stream_node node) {
  node.id = static_cast<std::uint32_t>(nodes_.size());
  if (node.name.empty()) node.name = node.kind;
  nodes_.push_back(std::move(node));
  return nodes_.back().id;
}

std::uint32_t stream_graph::add_edge(stream_edge edge) {
  edge.id = static_cast<std::uint32_t>(edges_.size());
  edges_.push_back(edge);
  return edge.id;
}

}  // namespace millrace::graph
