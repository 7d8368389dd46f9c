#include "millrace/graph/plan_text.hpp"

#include "millrace/graph/slot_sharing.hpp"

namespace millrace::graph {

namespace {

std::string counted(std::size_t n, const std::string& noun, const std::string& plural) {
  return std::to_string(n) + " " + (n == 1 ? noun : plural);
}

void add_operator(std::string& text, const job_graph& graph, const job_vertex& vertex,
                  std::uint32_t index, std::size_t indent) {
  const auto& op = vertex.operators[index];
  text += std::string(indent, ' ') + op.name;
  if (op.kind != op.name) text += " (" + op.kind + ")";
  text += "  uid " + op.uid;
  if (!op.inputs.empty() && !op.inputs.front().side_output.empty())
    text += ", reads side output '" + op.inputs.front().side_output + "'";
  text += "\n";
  for (auto consumer : chained_consumers(vertex, index))
    add_operator(text, graph, vertex, consumer, indent + 2);
  for (const job_edge* edge : out_edges(graph, vertex.id)) {
    if (edge->source_operator != index) continue;
    const auto& target = graph.vertices[edge->target_vertex];
    text += std::string(indent + 2, ' ') + (edge->is_feedback ? "=> back to [" : "=> [") +
            std::to_string(target.id) + "] " + target.operators[edge->target_operator].name;
    if (target.operators[edge->target_operator].inputs.size() > 1)
      text += " input " + std::to_string(edge->target_input);
    if (!edge->side_output.empty()) text += ", side output '" + edge->side_output + "'";
    text += ", " + std::string(to_string(edge->partitioning));
    if (!edge->type.empty()) text += ", " + edge->type;
    text += "\n";
  }
}

}  // namespace

std::string plan_text(const job_graph& graph) {
  std::size_t subtasks = 0;
  for (const auto& vertex : graph.vertices) subtasks += vertex.parallelism;
  std::string text = "Job '" + graph.name + "': " + std::string(to_string(graph.mode)) + ", " +
                     (graph.bounded ? "bounded" : "unbounded") + ", " +
                     counted(graph.vertices.size(), "vertex", "vertices") + ", " +
                     counted(subtasks, "subtask", "subtasks") + ", " +
                     counted(slots_needed(graph), "slot", "slots") + "\n";
  for (const auto& vertex : graph.vertices) {
    text += "\n[" + std::to_string(vertex.id) + "] " + vertex.name + "\n    parallelism " +
            std::to_string(vertex.parallelism) + " (max " + std::to_string(vertex.max_parallelism) +
            ")";
    if (vertex.slot_sharing_group != "default")
      text += ", slot sharing group " + vertex.slot_sharing_group;
    text += "\n";
    add_operator(text, graph, vertex, 0, 4);
  }
  return text;
}

}  // namespace millrace::graph
