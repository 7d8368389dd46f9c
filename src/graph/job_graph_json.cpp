#include "millrace/graph/job_graph_json.hpp"

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "millrace/graph/job_graph_check.hpp"
#include "millrace/graph/json_cursor.hpp"

namespace millrace::graph {

namespace {

using json = nlohmann::ordered_json;

std::string id_text(char prefix, std::uint32_t id) {
  return prefix + std::to_string(id);
}

std::string hex64(std::uint64_t number) {
  std::array<char, 16> digits{};
  auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
  std::string text(digits.data(), end);
  return std::string(16 - text.size(), '0') + text;
}

json to_json_value(const chained_operator& op) {
  json inputs = json::array();
  for (const auto& in : op.inputs)
    inputs.push_back({{"from_operator", in.from_operator ? json(*in.from_operator) : json()},
                      {"input", in.input},
                      {"side_output", in.side_output}});
  return {{"name", op.name},       {"kind", op.kind},
          {"uid", op.uid},         {"node", op.node},
          {"inputs", inputs},      {"is_source", op.is_source},
          {"is_sink", op.is_sink}, {"has_coordinator", op.has_coordinator},
          {"commits", op.commits}};
}

json to_json_value(const job_vertex& vertex) {
  json operators = json::array();
  for (const auto& op : vertex.operators) operators.push_back(to_json_value(op));
  return {{"id", id_text('v', vertex.id)},
          {"name", vertex.name},
          {"uid", vertex.uid},
          {"parallelism", vertex.parallelism},
          {"max_parallelism", vertex.max_parallelism},
          {"slot_sharing_group", vertex.slot_sharing_group},
          {"is_source", vertex.is_source},
          {"is_sink", vertex.is_sink},
          {"operators", operators}};
}

json to_json_value(const job_edge& edge) {
  return {{"id", id_text('e', edge.id)},
          {"source_vertex", id_text('v', edge.source_vertex)},
          {"source_operator", edge.source_operator},
          {"target_vertex", id_text('v', edge.target_vertex)},
          {"target_operator", edge.target_operator},
          {"target_input", edge.target_input},
          {"partitioning", to_string(edge.partitioning)},
          {"type", edge.type},
          {"fingerprint", hex64(edge.fingerprint)},
          {"stream_edge", edge.stream_edge},
          {"side_output", edge.side_output},
          {"is_feedback", edge.is_feedback}};
}

chained_operator read_operator(const json_cursor& at) {
  at.expect_fields({"name", "kind", "uid", "node", "inputs", "is_source", "is_sink",
                    "has_coordinator", "commits"});
  chained_operator op;
  op.name = at.field("name").text();
  op.kind = at.field("kind").text();
  op.uid = at.field("uid").text();
  op.node = at.field("node").number();
  at.field("inputs").items([&](const json_cursor& in) {
    in.expect_fields({"from_operator", "input", "side_output"});
    chained_input input;
    auto from = in.field("from_operator");
    if (!from.is_null()) input.from_operator = from.number();
    input.input = in.field("input").number();
    input.side_output = in.field("side_output").text();
    op.inputs.push_back(input);
  });
  op.is_source = at.field("is_source").boolean();
  op.is_sink = at.field("is_sink").boolean();
  op.has_coordinator = at.field("has_coordinator").boolean();
  op.commits = at.field("commits").boolean();
  return op;
}

job_vertex read_vertex(const json_cursor& at) {
  at.expect_fields({"id", "name", "uid", "parallelism", "max_parallelism", "slot_sharing_group",
                    "is_source", "is_sink", "operators"});
  job_vertex vertex;
  vertex.id = at.field("id").id('v');
  vertex.name = at.field("name").text();
  vertex.uid = at.field("uid").text();
  vertex.parallelism = at.field("parallelism").number();
  vertex.max_parallelism = at.field("max_parallelism").number();
  vertex.slot_sharing_group = at.field("slot_sharing_group").text();
  vertex.is_source = at.field("is_source").boolean();
  vertex.is_sink = at.field("is_sink").boolean();
  at.field("operators").items([&](const json_cursor& op) {
    vertex.operators.push_back(read_operator(op));
  });
  return vertex;
}

job_edge read_edge(const json_cursor& at) {
  at.expect_fields({"id", "source_vertex", "source_operator", "target_vertex", "target_operator",
                    "target_input", "partitioning", "type", "fingerprint", "stream_edge",
                    "side_output", "is_feedback"});
  job_edge edge;
  edge.id = at.field("id").id('e');
  edge.source_vertex = at.field("source_vertex").id('v');
  edge.source_operator = at.field("source_operator").number();
  edge.target_vertex = at.field("target_vertex").id('v');
  edge.target_operator = at.field("target_operator").number();
  edge.target_input = at.field("target_input").number();
  if (auto how = parse_partitioning(at.field("partitioning").text()))
    edge.partitioning = *how;
  else
    at.field("partitioning").complain("must be a partitioning such as \"hash\"");
  edge.type = at.field("type").text();
  edge.fingerprint = at.field("fingerprint").hex64();
  edge.stream_edge = at.field("stream_edge").number();
  edge.side_output = at.field("side_output").text();
  edge.is_feedback = at.field("is_feedback").boolean();
  return edge;
}

job_graph read_graph(const json_cursor& at) {
  at.expect_fields({"format_version", "name", "mode", "bounded", "configuration", "artifact",
                    "arguments", "vertices", "edges"});
  job_graph graph;
  graph.format_version = at.field("format_version").number();
  graph.name = at.field("name").text();
  if (auto mode = parse_runtime_mode(at.field("mode").text()))
    graph.mode = *mode;
  else
    at.field("mode").complain("must be \"streaming\" or \"batch\"");
  graph.bounded = at.field("bounded").boolean();
  at.field("configuration").items([&](const json_cursor& setting) {
    setting.expect_fields({"key", "value"});
    graph.configuration.emplace_back(setting.field("key").text(), setting.field("value").text());
  });
  graph.artifact = at.field("artifact").text();
  at.field("arguments").items([&](const json_cursor& argument) {
    graph.arguments.push_back(argument.text());
  });
  at.field("vertices").items([&](const json_cursor& vertex) {
    graph.vertices.push_back(read_vertex(vertex));
  });
  at.field("edges").items([&](const json_cursor& edge) { graph.edges.push_back(read_edge(edge)); });
  return graph;
}

}  // namespace

std::string to_json(const job_graph& graph) {
  json configuration = json::array();
  for (const auto& [key, value] : graph.configuration)
    configuration.push_back({{"key", key}, {"value", value}});
  json vertices = json::array();
  for (const auto& vertex : graph.vertices) vertices.push_back(to_json_value(vertex));
  json edges = json::array();
  for (const auto& edge : graph.edges) edges.push_back(to_json_value(edge));
  json root = {{"format_version", graph.format_version},
               {"name", graph.name},
               {"mode", to_string(graph.mode)},
               {"bounded", graph.bounded},
               {"configuration", configuration},
               {"artifact", graph.artifact},
               {"arguments", graph.arguments},
               {"vertices", vertices},
               {"edges", edges}};
  return root.dump(2, ' ', false, json::error_handler_t::replace);
}

result<job_graph> job_graph_from_json(std::string_view text) {
  auto invalid = [](const std::string& what) {
    return fail(errc::invalid_graph, "job graph: " + what);
  };
  // Without exceptions the parser only says that the text is no JSON, with them also where.
  json root;
  try {
    root = json::parse(text);
  } catch (const json::parse_error& e) {
    return invalid("no valid JSON at byte " + std::to_string(e.byte));
  } catch (const json::exception&) {
    return invalid("no valid JSON: a number is too large");
  }
  json_problem problem;
  auto graph = read_graph(json_cursor(root, problem));
  if (problem) return invalid(*problem);
  if (auto ok = check_job_graph(graph); !ok) return invalid(ok.error().message);
  return graph;
}

}  // namespace millrace::graph
