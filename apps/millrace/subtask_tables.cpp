#include "subtask_tables.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "millrace/core/human_units.hpp"
#include "text_table.hpp"

namespace millrace::cli {

namespace {

std::string elapsed_text(std::uint64_t ms) {
  return format_duration(std::chrono::milliseconds(ms));
}

/// A column with a number of each subtask that has acknowledged.
struct number_column {
  const char* title;
  std::uint64_t subtask_checkpoint::*number;
  std::string (*text)(std::uint64_t);
};

constexpr std::array<number_column, 7> subtask_numbers{{
    {"DURATION", &subtask_checkpoint::duration_ms, elapsed_text},
    {"STATE", &subtask_checkpoint::bytes, format_memory},
    {"STORED", &subtask_checkpoint::stored_bytes, format_memory},
    {"IN FLIGHT", &subtask_checkpoint::in_flight_bytes, format_memory},
    {"ALIGNMENT", &subtask_checkpoint::alignment_ms, elapsed_text},
    {"STOOD STILL", &subtask_checkpoint::synchronous_ms, elapsed_text},
    {"WRITING", &subtask_checkpoint::asynchronous_ms, elapsed_text},
}};

bool has_acknowledged(const subtask_checkpoint& subtask) {
  return subtask.status == subtask_checkpoint_status::acknowledged;
}

void add_subtask(text_table& table, const subtask_checkpoint& its, std::uint32_t parallelism) {
  std::vector<std::string> cells{
      std::to_string(its.subtask + 1) + "/" + std::to_string(parallelism),
      std::string(to_string(its.status)) + (its.has_emitted_all ? " (has emitted all)" : "")};
  for (const auto& column : subtask_numbers)
    cells.push_back(has_acknowledged(its) ? column.text(its.*column.number) : "-");
  table.add(std::move(cells));
}

void add_summary(text_table& table, const std::vector<subtask_checkpoint>& acknowledged) {
  std::vector<std::string> least{"min", ""}, mean{"avg", ""}, most{"max", ""};
  for (const auto& column : subtask_numbers) {
    std::uint64_t low = acknowledged.front().*column.number, sum = 0, high = 0;
    for (const auto& its : acknowledged) {
      const auto number = its.*column.number;
      low = std::min(low, number);
      high = std::max(high, number);
      sum += number;
    }
    least.push_back(column.text(low));
    mean.push_back(column.text(sum / acknowledged.size()));
    most.push_back(column.text(high));
  }
  for (auto* line : {&least, &mean, &most}) table.add(std::move(*line));
}

}  // namespace

std::string subtask_tables(const wire::checkpoint_details& checkpoint) {
  using enum text_table::align;
  std::string text;
  for (const auto& vertex : checkpoint.vertices) {
    if (vertex.subtasks.empty()) continue;
    std::vector<text_table::column> columns{{"SUBTASK"}, {"STATUS"}};
    for (const auto& column : subtask_numbers) columns.push_back({column.title, right});
    text_table table(std::move(columns), 4);
    std::vector<subtask_checkpoint> acknowledged;
    std::size_t takes_part = 0;
    for (const auto& its : vertex.subtasks) {
      add_subtask(table, its, vertex.parallelism);
      takes_part += its.status != subtask_checkpoint_status::ended ? 1 : 0;
      if (has_acknowledged(its)) acknowledged.push_back(its);
    }
    if (acknowledged.size() > 1) add_summary(table, acknowledged);
    text += "\nv" + std::to_string(vertex.vertex) + "  " + printable(vertex.name) + "  (" +
            std::to_string(acknowledged.size()) + "/" + std::to_string(takes_part) +
            " acknowledged)\n" + table.text();
  }
  return text;
}

}  // namespace millrace::cli
