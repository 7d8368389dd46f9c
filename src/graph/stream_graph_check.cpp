#include "millrace/graph/stream_graph_check.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "millrace/graph/in_quotes.hpp"
#include "millrace/graph/iterations.hpp"

namespace millrace::graph {

namespace {

tl::unexpected<error> invalid(std::string message) {
  return fail(errc::invalid_graph, std::move(message));
}

std::string type_text(const record_type& type) {
  return type.description.empty() ? "an unnamed type" : type.description;
}

status check_edge(const stream_graph& graph, const stream_edge& edge) {
  const auto size = graph.nodes().size();
  if (edge.source >= size || edge.target >= size)
    return invalid("edge " + std::to_string(edge.id) + " connects operators " +
                   std::to_string(edge.source) + " and " + std::to_string(edge.target) +
                   ", but there are only " + std::to_string(size));
  const auto& source = graph.node(edge.source);
  const auto& target = graph.node(edge.target);
  if (target.is_source)
    return invalid("source " + in_quotes(target.name) + " has an input, from operator " +
                   in_quotes(source.name) + "; sources read from outside the job");
  if (source.is_sink)
    return invalid("sink " + in_quotes(source.name) + " feeds operator " + in_quotes(target.name) +
                   "; sinks have no output");
  if (edge.target_input >= target.inputs.size())
    return invalid("operator " + in_quotes(source.name) + " feeds input " +
                   std::to_string(edge.target_input) + " of operator " + in_quotes(target.name) +
                   ", which has " + std::to_string(target.inputs.size()));
  const bool leads_to_head =
      target.is_iteration_head && edge.target_input + 1 == target.inputs.size();
  if (edge.is_feedback && !leads_to_head)
    return invalid("operator " + in_quotes(source.name) + " is fed back to operator " +
                   in_quotes(target.name) + ", which is no iteration's head there");
  if (!edge.is_feedback && leads_to_head)
    return invalid("operator " + in_quotes(source.name) + " feeds the input of iteration " +
                   in_quotes(target.name) + " that is for what is fed back");
  const auto* produced = source.output_type(edge.side_output);
  if (produced == nullptr)
    return invalid("operator " + in_quotes(target.name) + " reads side output " +
                   in_quotes(edge.side_output) + " of operator " + in_quotes(source.name) +
                   ", which has no such side output");
  const auto& wanted = target.inputs[edge.target_input];
  if (produced->fingerprint != wanted.fingerprint)
    return fail(
        errc::type_mismatch,
        "operator " + in_quotes(source.name) + " produces " + type_text(*produced) +
            (edge.side_output.empty() ? "" : " on side output " + in_quotes(edge.side_output)) +
            ", but operator " + in_quotes(target.name) + " reads " + type_text(wanted) +
            " on input " + std::to_string(edge.target_input));
  return {};
}

status check_side_outputs(const stream_node& node) {
  for (auto side = node.side_outputs.begin(); side != node.side_outputs.end(); ++side) {
    if (side->tag.empty())
      return invalid("operator " + in_quotes(node.name) + " has a side output without a tag");
    const auto twin = std::find_if(node.side_outputs.begin(), side,
                                   [&](const auto& other) { return other.tag == side->tag; });
    if (twin != side)
      return fail(errc::type_mismatch,
                  "side output " + in_quotes(side->tag) + " of operator " + in_quotes(node.name) +
                      " is read as " + type_text(twin->type) + " and as " + type_text(side->type) +
                      "; give each type a tag of its own");
  }
  return {};
}

status check_iteration_head(const stream_node& node, bool is_closed, runtime_mode mode) {
  if (!is_closed)
    return invalid("iteration " + in_quotes(node.name) +
                   " is open: nothing is fed back to it; call close_with()");
  if (mode == runtime_mode::batch)
    return invalid("iteration " + in_quotes(node.name) +
                   " can't run in batch mode; use execution.runtime-mode = streaming, in which "
                   "bounded jobs end, too");
  return {};
}

status check_node(const stream_node& node, const std::vector<bool>& input_is_fed,
                  runtime_mode mode) {
  if (node.is_source && !node.inputs.empty())
    return invalid("source " + in_quotes(node.name) + " declares an input; sources have none");
  if (!node.is_source && node.inputs.empty())
    return invalid("operator " + in_quotes(node.name) + " is no source and has no input");
  if (node.is_iteration_head)
    if (auto ok = check_iteration_head(node, input_is_fed.back(), mode); !ok) return ok;
  auto unfed = std::find(input_is_fed.begin(), input_is_fed.end(), false);
  if (unfed != input_is_fed.end())
    return invalid("input " + std::to_string(unfed - input_is_fed.begin()) + " of operator " +
                   in_quotes(node.name) + " is not connected to anything");
  if (mode == runtime_mode::batch && node.is_source && !node.bounded)
    return invalid("source " + in_quotes(node.name) +
                   " is unbounded and cannot run in batch mode; use "
                   "execution.runtime-mode = streaming, or a bounded source");
  return {};
}

}  // namespace

status check_stream_graph(const stream_graph& graph, runtime_mode mode) {
  const auto& nodes = graph.nodes();
  if (nodes.empty()) return fail(errc::empty_job, "the job has no operators: start with a source");

  std::vector<std::vector<bool>> fed;
  for (const auto& node : nodes) fed.emplace_back(node.inputs.size(), false);
  for (const auto& node : nodes)
    if (auto ok = check_side_outputs(node); !ok) return ok;
  for (const auto& edge : graph.edges()) {
    if (auto ok = check_edge(graph, edge); !ok) return ok;
    fed[edge.target][edge.target_input] = true;
  }
  for (const auto& node : nodes)
    if (auto ok = check_node(node, fed[node.id], mode); !ok) return ok;

  if (std::none_of(nodes.begin(), nodes.end(), [](const auto& n) { return n.is_sink; }))
    return invalid("job has no sink: nothing would come out of operator " +
                   in_quotes(nodes.back().name) + "; end each stream with one, such as print()");
  return check_iterations(graph);
}

}  // namespace millrace::graph
