#include "snapshot_report.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <numeric>

#include "json_output.hpp"
#include "millrace/checkpoint/snapshot_directory.hpp"
#include "millrace/checkpoint/snapshot_inspection.hpp"
#include "millrace/core/human_units.hpp"
#include "quantity.hpp"
#include "text_table.hpp"

namespace millrace::cli {

namespace {

std::string type_of(const keyed_state_summary& state) {
  auto text = state.key_type;
  if (state.namespace_type != "{}") text += " in " + state.namespace_type;
  if (!state.map_key_type.empty()) text += ", " + state.map_key_type;
  if (!state.value_type.empty()) text += " -> " + state.value_type;
  return text;
}

/// "5 keys in 3 of 128 key groups, at most 2 in one"
std::string keys_text(const std::vector<std::uint64_t>& per_group) {
  const auto all = std::accumulate(per_group.begin(), per_group.end(), std::uint64_t{0});
  const auto filled = per_group.size() - static_cast<std::size_t>(std::count(
                                             per_group.begin(), per_group.end(), std::uint64_t{0}));
  return count_text(all) + " keys in " + std::to_string(filled) + " of " +
         std::to_string(per_group.size()) + " key groups, at most " +
         count_text(*std::max_element(per_group.begin(), per_group.end())) + " in one";
}

void print_operator(const operator_summary& op) {
  std::cout << '\n'
            << printable(op.name) << "  (uid " << printable(op.uid) << ", " << op.parallelism
            << " of at most " << op.max_parallelism << " subtasks";
  if (op.finished_subtasks != 0) std::cout << ", " << op.finished_subtasks << " had finished";
  std::cout << ")\n";
  if (op.coordinator_bytes != 0)
    std::cout << "  coordinator: " << format_memory(op.coordinator_bytes) << '\n';
  if (op.in_flight_records != 0)
    std::cout << "  on their way: " << count_text(op.in_flight_records) << " records\n";
  if (!op.keys_per_group.empty()) std::cout << "  " << keys_text(op.keys_per_group) << '\n';
  if (op.keyed.empty() && op.operators.empty()) return;
  using enum text_table::align;
  text_table table({{"STATE"}, {"KIND"}, {"ENTRIES", right}, {"SIZE", right}, {"TYPE"}});
  for (const auto& state : op.keyed)
    table.add({state.name, std::string(to_string(state.kind)) + (state.has_ttl ? " with TTL" : ""),
               count_text(state.entries), format_memory(state.bytes), type_of(state)});
  for (const auto& state : op.operators)
    table.add({state.name, std::string(to_string(state.mode)), count_text(state.elements),
               format_memory(state.bytes), state.type});
  std::cout << table.text();
}

json to_json(const operator_summary& op) {
  json keyed = json::array();
  for (const auto& state : op.keyed)
    keyed.push_back({{"name", state.name},
                     {"kind", std::string(to_string(state.kind))},
                     {"has_ttl", state.has_ttl},
                     {"key_type", state.key_type},
                     {"namespace_type", state.namespace_type},
                     {"map_key_type", state.map_key_type},
                     {"value_type", state.value_type},
                     {"entries", state.entries},
                     {"bytes", state.bytes}});
  json operators = json::array();
  for (const auto& state : op.operators)
    operators.push_back({{"name", state.name},
                         {"kind", std::string(to_string(state.mode))},
                         {"type", state.type},
                         {"elements", state.elements},
                         {"bytes", state.bytes}});
  return {{"uid", op.uid},
          {"name", op.name},
          {"parallelism", op.parallelism},
          {"max_parallelism", op.max_parallelism},
          {"finished_subtasks", op.finished_subtasks},
          {"coordinator_bytes", op.coordinator_bytes},
          {"in_flight_records", op.in_flight_records},
          {"keyed_states", keyed},
          {"operator_states", operators},
          {"keys_per_key_group", op.keys_per_group}};
}

}  // namespace

std::string absolute_path(const std::string& path) {
  std::error_code problem;
  const auto whole = std::filesystem::absolute(path, problem);
  return problem ? path : whole.lexically_normal().string();
}

void print_savepoint(const checkpoint_record& taken) {
  std::cout << "Savepoint of " << format_memory(taken.bytes) << " in "
            << format_duration(std::chrono::milliseconds(taken.duration_ms)) << ", at "
            << printable(taken.location) << '\n';
}

result<exit_code> report_snapshot_at(const std::string& path, bool as_json) {
  local_file_system files;
  const auto found = inspect_snapshot(files, path);
  if (!found) return tl::unexpected(found.error());
  const auto& about = found->metadata;
  if (as_json) {
    json operators = json::array();
    for (const auto& op : found->operators) operators.push_back(to_json(op));
    print_json({{"kind", std::string(to_string(about.kind))},
                {"job", to_string(about.job)},
                {"job_name", about.job_name},
                {"checkpoint", about.checkpoint.number},
                {"trigger_time_ms", about.triggered_wall_ms},
                {"operators", operators}});
    return exit_code::ok;
  }
  std::string kind(to_string(about.kind));
  kind[0] = static_cast<char>(kind[0] - 'a' + 'A');
  std::cout << kind << ' ' << about.checkpoint.number << " of job " << to_string(about.job) << " ("
            << printable(about.job_name) << "), taken " << time_text(about.triggered_wall_ms)
            << '\n';
  for (const auto& op : found->operators) print_operator(op);
  return exit_code::ok;
}

result<exit_code> dump_snapshot_at(const std::string& path) {
  local_file_system files;
  const auto done = dump_snapshot(files, path, [](const std::string& line) {
    std::cout << line << '\n';
    return std::cout.good();
  });
  if (!done) return tl::unexpected(done.error());
  return exit_code::ok;
}

}  // namespace millrace::cli
