#include "watermark_table.hpp"

#include <algorithm>

#include "text_table.hpp"

namespace millrace::cli {

namespace {

bool has_event_time(const wire::task_report& report) {
  const auto is_known = [](timestamp_ms t) { return t != no_timestamp && t != max_watermark; };
  return std::any_of(report.inputs.begin(), report.inputs.end(),
                     [&](const auto& input) { return is_known(input.watermark); }) ||
         std::any_of(report.operators.begin(), report.operators.end(),
                     [&](const auto& op) { return is_known(op.output_watermark); });
}

std::string subtask_text(std::uint32_t subtask, std::uint32_t parallelism) {
  return std::to_string(subtask + 1) + "/" + std::to_string(parallelism);
}

/// "v0 clicks 2/4", "idle", or "-".
std::string holder_text(const graph::job_graph& graph, const wire::input_time_report& input) {
  if (input.is_idle) return "all idle";
  if (!input.held_back_by || input.held_back_by->vertex >= graph.vertices.size()) return "-";
  const auto& vertex = graph.vertices[input.held_back_by->vertex];
  return "v" + std::to_string(vertex.id) + " " + vertex.name + " " +
         subtask_text(input.held_back_by->subtask, vertex.parallelism);
}

}  // namespace

bool has_event_time(const wire::job_details& job) {
  return std::any_of(job.vertices.begin(), job.vertices.end(), [](const auto& vertex) {
    return std::any_of(vertex.subtasks.begin(), vertex.subtasks.end(),
                       [](const auto& subtask) { return has_event_time(subtask.report); });
  });
}

std::string watermark_table(const graph::job_graph& graph, const wire::vertex_details& details) {
  const auto parallelism = graph.vertices[details.vertex].parallelism;
  text_table table({{"SUBTASK"}, {"INPUT"}, {"WATERMARK"}, {"WAITS FOR"}, {"OUTPUT WATERMARK"}}, 4);
  for (const auto& subtask : details.subtasks) {
    const auto& report = subtask.report;
    const auto name = subtask_text(subtask.subtask, parallelism);
    const auto passed_on = report.operators.empty()
                               ? std::string("-")
                               : format_timestamp(report.operators.back().output_watermark);
    if (report.inputs.empty()) table.add({name, "-", "-", "-", passed_on});
    for (std::size_t i = 0; i < report.inputs.size(); ++i)
      table.add({i == 0 ? name : "", std::to_string(i + 1),
                 format_timestamp(report.inputs[i].watermark), holder_text(graph, report.inputs[i]),
                 i == 0 ? passed_on : ""});
  }
  return table.text();
}

}  // namespace millrace::cli
