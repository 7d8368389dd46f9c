#include "millrace/actors/task_actor_report.hpp"

namespace millrace {

wire::task_report report_of(const stream_task& task) {
  wire::task_report report;
  report.task = task.id();
  const auto& chain = task.chain();
  for (std::size_t i = 0; i < chain.size(); ++i) {
    const auto counts = chain.counts(i);
    auto& op = report.operators.emplace_back();
    op.rows_in = counts.rows_in;
    op.rows_out = counts.rows_out;
    for (const auto& [name, value] : chain.runtime(i).metrics())
      op.metrics.emplace_back(name, value.value());
  }
  const auto times = task.times();
  report.busy_ns = times.busy_ns;
  report.idle_ns = times.idle_ns;
  report.blocked_ns = times.blocked_ns;
  for (const auto& e : chain.exchanges()) report.bytes_out += e->bytes_sent();
  if (const auto* source = chain.source()) {
    const auto progress = source->progress();
    report.progress_done = progress.done;
    report.progress_total = progress.total;
  }
  return report;
}

}  // namespace millrace
