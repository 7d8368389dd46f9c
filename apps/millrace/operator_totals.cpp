#include "operator_totals.hpp"

#include <algorithm>
#include <cstddef>

namespace millrace::cli {

namespace {

void add(wire::operator_report& total, const wire::operator_report& report) {
  total.rows_in += report.rows_in;
  total.rows_out += report.rows_out;
  for (const auto& [name, value] : report.metrics) {
    const auto known = std::find_if(total.metrics.begin(), total.metrics.end(),
                                    [&](const auto& metric) { return metric.first == name; });
    if (known == total.metrics.end()) {
      total.metrics.emplace_back(name, value);
    } else {
      known->second += value;
    }
  }
}

}  // namespace

std::vector<wire::operator_report> operator_totals(const graph::job_vertex& vertex,
                                                   const wire::vertex_details& details) {
  std::vector<wire::operator_report> totals(vertex.operators.size());
  for (const wire::subtask_details& subtask : details.subtasks) {
    // A task that has not reported yet has no operators.
    const std::size_t count = std::min(totals.size(), subtask.report.operators.size());
    for (std::size_t i = 0; i < count; ++i) add(totals[i], subtask.report.operators[i]);
  }
  return totals;
}

}  // namespace millrace::cli
