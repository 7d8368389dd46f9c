#include "millrace/actors/job_metrics.hpp"

namespace millrace {

namespace {

graph::subtask_ref subtask_of(const execution_attempt_id& task) {
  return {task.vertex, task.subtask};
}

std::uint64_t rows_in(const wire::task_report& report) {
  return report.operators.empty() ? 0 : report.operators.front().rows_in;
}

std::uint64_t rows_out(const wire::task_report& report) {
  return report.operators.empty() ? 0 : report.operators.back().rows_out;
}

/// 0 for a count that went back, which only a confused reporter sends.
std::uint64_t growth(std::uint64_t before, std::uint64_t after) {
  return after > before ? after - before : 0;
}

std::uint64_t per_kilosecond(std::uint64_t count, std::chrono::milliseconds during) {
  return static_cast<std::uint64_t>(static_cast<double>(count) * 1e6 /
                                    static_cast<double>(during.count()));
}

std::uint32_t permille(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<std::uint32_t>(part * 1000 / whole);
}

}  // namespace

void job_metrics::update(const wire::task_report& report, time_point now) {
  readings& r = subtasks_[subtask_of(report.task)];
  const auto during = std::chrono::duration_cast<std::chrono::milliseconds>(now - r.at);
  if (r.at == time_point{} || r.latest.task != report.task) {
    r = {};
    r.at = now;
  } else if (during >= std::chrono::milliseconds(1)) {
    r.rows_in_per_ks = per_kilosecond(growth(rows_in(r.latest), rows_in(report)), during);
    r.rows_out_per_ks = per_kilosecond(growth(rows_out(r.latest), rows_out(report)), during);
    const auto busy = growth(r.latest.busy_ns, report.busy_ns);
    const auto blocked = growth(r.latest.blocked_ns, report.blocked_ns);
    const auto all = busy + blocked + growth(r.latest.idle_ns, report.idle_ns);
    r.busy_permille = permille(busy, all);
    r.blocked_permille = permille(blocked, all);
    r.at = now;
  }
  r.latest = report;
}

void job_metrics::finish(const wire::task_report& report) {
  readings& r = subtasks_[subtask_of(report.task)];
  r = {};
  r.latest = report;
}

void job_metrics::describe(graph::subtask_ref subtask, wire::subtask_details& into) const {
  const auto found = subtasks_.find(subtask);
  if (found == subtasks_.end()) return;
  const readings& r = found->second;
  into.report = r.latest;
  into.rows_in_per_ks = r.rows_in_per_ks;
  into.rows_out_per_ks = r.rows_out_per_ks;
  into.busy_permille = r.busy_permille;
  into.blocked_permille = r.blocked_permille;
}

void job_metrics::describe(const graph::job_graph& graph, wire::job_details& into) const {
  bool all_known = true;
  for (const auto& vertex : graph.vertices) {
    if (!vertex.is_source) continue;
    for (std::uint32_t i = 0; i < vertex.parallelism; ++i) {
      const auto found = subtasks_.find({vertex.id, i});
      if (found == subtasks_.end()) {
        all_known = false;
        continue;
      }
      const auto& report = found->second.latest;
      if (!report.operators.empty()) into.source_rows += report.operators.front().rows_out;
      into.progress_done += report.progress_done;
      into.progress_total += report.progress_total;
      all_known = all_known && report.progress_total != 0;
    }
  }
  if (!all_known) into.progress_total = 0;
}

}  // namespace millrace
