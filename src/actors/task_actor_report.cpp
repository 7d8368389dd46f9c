#include "millrace/actors/task_actor_report.hpp"

namespace millrace {

wire::task_report report_of(const stream_task& task,
                            const std::vector<execution_attempt_id>& producers) {
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
    op.output_watermark = chain.output_watermark(i);
  }
  const auto& time = task.watermarks();
  for (std::size_t i = 0; i < time.input_count(); ++i) {
    const auto progress = time.progress(i);
    auto& input = report.inputs.emplace_back();
    input.watermark = progress.watermark;
    input.is_idle = progress.is_idle;
    if (progress.held_back_by) {
      const auto& producer = producers.at(*progress.held_back_by);
      input.held_back_by = {producer.vertex, producer.subtask};
    }
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
