#include "json_output.hpp"

#include <cstddef>
#include <iostream>
#include <string>
#include <variant>

#include "operator_totals.hpp"

namespace millrace::cli {

namespace {

std::string text(std::string_view view) {
  return std::string(view);
}

json json_of(const std::optional<error>& cause) {
  if (!cause) return nullptr;
  return {{"code", text(to_string(cause->code))}, {"message", cause->message}};
}

double per_second(std::uint64_t per_ks) {
  return static_cast<double>(per_ks) / 1000;
}
double fraction(std::uint32_t permille) {
  return permille / 1000.0;
}

json json_of(const wire::operator_report& report) {
  json metrics = json::object();
  for (const auto& [name, value] : report.metrics) metrics[name] = value;
  return {{"records_in", report.rows_in}, {"records_out", report.rows_out}, {"metrics", metrics}};
}

/// Milliseconds since the epoch; null before the first watermark, "end" behind the last record.
json watermark_json(timestamp_ms watermark) {
  if (watermark == no_timestamp) return nullptr;
  if (watermark == max_watermark) return "end";
  return watermark;
}

json json_of(const wire::input_time_report& input) {
  json producer = nullptr;
  if (input.held_back_by)
    producer = {{"vertex", input.held_back_by->vertex}, {"subtask", input.held_back_by->subtask}};
  return {{"watermark", watermark_json(input.watermark)},
          {"idle", input.is_idle},
          {"held_back_by", producer}};
}

json json_of(const wire::subtask_details& subtask) {
  json operators = json::array();
  for (const auto& report : subtask.report.operators) {
    json entry = json_of(report);
    entry["output_watermark"] = watermark_json(report.output_watermark);
    operators.push_back(entry);
  }
  json inputs = json::array();
  for (const auto& input : subtask.report.inputs) inputs.push_back(json_of(input));
  return {{"subtask", subtask.subtask},
          {"attempt", subtask.attempt},
          {"state", text(to_string(subtask.state))},
          {"task_manager", subtask.task_manager},
          {"cause", json_of(subtask.cause)},
          {"records_in_per_second", per_second(subtask.rows_in_per_ks)},
          {"records_out_per_second", per_second(subtask.rows_out_per_ks)},
          {"busy", fraction(subtask.busy_permille)},
          {"back_pressure", fraction(subtask.blocked_permille)},
          {"bytes_out", subtask.report.bytes_out},
          {"inputs", inputs},
          {"operators", operators}};
}

json json_of(const graph::job_vertex& vertex, const wire::vertex_details& details) {
  json operators = json::array();
  const auto totals = operator_totals(vertex, details);
  for (std::size_t i = 0; i < totals.size(); ++i) {
    json entry{{"name", vertex.operators[i].name}, {"uid", vertex.operators[i].uid}};
    entry.update(json_of(totals[i]));
    operators.push_back(entry);
  }
  json subtasks = json::array();
  for (const auto& subtask : details.subtasks) subtasks.push_back(json_of(subtask));
  return {{"id", vertex.id},        {"uid", vertex.uid},
          {"name", vertex.name},    {"parallelism", vertex.parallelism},
          {"operators", operators}, {"subtasks", subtasks}};
}

json json_of(const accumulator_map& accumulators) {
  json all = json::object();
  for (const auto& [name, total] : accumulators)
    std::visit([&, &key = name](auto value) { all[key] = value; }, total.value);
  return all;
}

/// What is not known of a subtask that has not acknowledged is null.
json json_of(const subtask_checkpoint& subtask) {
  const auto number = [&](std::uint64_t value) {
    return subtask.status == subtask_checkpoint_status::acknowledged ? json(value) : json();
  };
  return {{"subtask", subtask.subtask},
          {"status", text(to_string(subtask.status))},
          {"has_emitted_all", subtask.has_emitted_all},
          {"duration_ms", number(subtask.duration_ms)},
          {"state_bytes", number(subtask.bytes)},
          {"stored_bytes", number(subtask.stored_bytes)},
          {"in_flight_bytes", number(subtask.in_flight_bytes)},
          {"alignment_ms", number(subtask.alignment_ms)},
          {"synchronous_ms", number(subtask.synchronous_ms)},
          {"asynchronous_ms", number(subtask.asynchronous_ms)}};
}

}  // namespace

json to_json(const wire::job_overview& job) {
  return {
      {"id", to_string(job.job)},
      {"name", job.name},
      {"status", text(to_string(job.status))},
      {"start_time_ms", job.start_wall_ms},
      {"duration_ms", job.duration_ms},
      {"tasks",
       {{"total", job.tasks}, {"running", job.tasks_running}, {"finished", job.tasks_finished}}}};
}

json to_json(const wire::job_details& job) {
  json document = to_json(job.overview);
  document["cause"] = json_of(job.cause);
  document["waiting_for"] = job.waiting_for;
  document["progress"] = {{"done", job.progress_done}, {"total", job.progress_total}};
  document["source_records"] = job.source_rows;
  document["restarts"] = job.restarts;
  document["last_failure"] = json_of(job.last_failure);
  document["last_checkpoint"] = job.last_checkpoint ? to_json(*job.last_checkpoint) : json();
  document["savepoint"] = job.savepoint.empty() ? json() : json(job.savepoint);
  document["accumulators"] = json_of(job.accumulators);
  json vertices = json::array();
  for (const wire::vertex_details& details : job.vertices) {
    if (details.vertex < job.graph.vertices.size()) {
      vertices.push_back(json_of(job.graph.vertices[details.vertex], details));
    }
  }
  document["vertices"] = vertices;
  return document;
}

json to_json(const checkpoint_record& checkpoint) {
  return {{"id", checkpoint.checkpoint.number},
          {"kind", text(to_string(checkpoint.kind))},
          {"status", text(to_string(checkpoint.status))},
          {"trigger_time_ms", checkpoint.triggered_wall_ms},
          {"duration_ms", checkpoint.duration_ms},
          {"tasks_acknowledged", checkpoint.acknowledged},
          {"tasks", checkpoint.tasks},
          {"state_bytes", checkpoint.bytes},
          {"stored_bytes", checkpoint.stored_bytes},
          {"in_flight_bytes", checkpoint.in_flight_bytes},
          {"alignment_ms", checkpoint.alignment_ms},
          {"synchronous_ms", checkpoint.synchronous_ms},
          {"asynchronous_ms", checkpoint.asynchronous_ms},
          {"location", checkpoint.location},
          {"failure", checkpoint.failure}};
}

json to_json(const wire::checkpoint_list& list) {
  json checkpoints = json::array();
  for (const auto& each : list.checkpoints) checkpoints.push_back(to_json(each));
  return {{"job", to_string(list.job)},
          {"completed", list.completed},
          {"failed", list.failed},
          {"checkpoints", checkpoints}};
}

json to_json(const wire::checkpoint_details& details) {
  json document = to_json(details.checkpoint);
  document["job"] = to_string(details.job);
  json vertices = json::array();
  for (const auto& vertex : details.vertices) {
    json subtasks = json::array();
    for (const auto& each : vertex.subtasks) subtasks.push_back(json_of(each));
    vertices.push_back({{"id", vertex.vertex},
                        {"name", vertex.name},
                        {"parallelism", vertex.parallelism},
                        {"subtasks", subtasks}});
  }
  document["vertices"] = vertices;
  return document;
}

json to_json(const wire::node_overview& node) {
  return {{"id", to_string(node.resource)},
          {"address", node.address},
          {"slots", node.slots},
          {"slots_free", node.slots_free},
          {"pid", node.pid},
          {"last_heartbeat_ms", node.last_heartbeat_ms}};
}

void print_json(const json& document) {
  std::cout << document.dump(2, ' ', false, json::error_handler_t::replace) << '\n';
}

}  // namespace millrace::cli
