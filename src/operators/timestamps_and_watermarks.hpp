#pragma once

#include <memory>
#include <string>
#include <utility>

#include "millrace/operators/emit_observed.hpp"
#include "millrace/operators/typed_factory.hpp"

namespace millrace {

/// Gives the records of a stream timestamps and emits watermarks, as a strategy says (Flink's
/// TimestampsAndWatermarksOperator). Watermarks and idleness that come in are replaced. In batch
/// mode there is no watermark but the last, so that no record is late.
///
/// As a member of an alignment group it takes no more records while its watermark is beyond the
/// group's limit, so that the source in its task waits, too. The job graph sees to it that there is
/// one: a channel would fill, and barriers would wait in it for members whose own records cannot
/// come through where barriers are aligned.
template <class T>
class timestamps_and_watermarks final : public producing<T> {
 public:
  explicit timestamps_and_watermarks(const watermark_strategy<T>& strategy) : strategy_(strategy) {}

  void open(operator_context& context) override {
    context_ = &context;
    if (context.runtime().mode() == runtime_mode::batch) strategy_ = strategy_.timestamps_only();
    interval_ = context.auto_watermark_interval();
    tracker_.emplace(strategy_, interval_, context.time());
    next_report_ = context.time().now();
    if (is_periodic() || strategy_.alignment()) look_again();
  }

  void process(std::size_t, batch& rows, rows_access access) override {
    if (access == rows_access::exclusive) return observe(rows);
    // Others read the rows, and see the timestamps that the rows have for them.
    typed_batch_ptr<T> ours(new typed_batch<T>);
    ours->rows = rows_of<T>(rows);
    ours->timestamps = timestamps_of<T>(rows);
    observe(*ours);
  }

  void on_watermark(timestamp_ms at) override {
    if (at != max_watermark) return;
    has_ended_ = true;
    report();
    this->forwarded().push_watermark(at);
  }
  void on_status(stream_status) override {}

  void on_processing_time(timestamp_ms) override {
    const auto now = context_->time().now();
    if (is_periodic()) tracker_->on_interval(now, !is_busy());
    tell();
    if (strategy_.alignment() && now >= next_report_) {
      next_report_ = now + strategy_.alignment()->update_interval;
      report();
    }
    look_again();
  }

  void on_alignment_limit(const std::string& group, timestamp_ms limit) override {
    if (strategy_.alignment() && strategy_.alignment()->group == group) limit_ = limit;
  }

  /// To wait on would keep the task from its last checkpoints, and the slower members may be
  /// waiting for the barriers of these.
  void on_source_end() override { has_source_ended_ = true; }

  bool is_busy() const noexcept override {
    return !has_source_ended_ && !has_ended_ && tracker_ && tracker_->out().watermark() > limit_;
  }
  bool lets_barriers_pass() const noexcept override { return is_busy(); }

 private:
  bool is_periodic() const {
    return interval_.count() > 0 && (strategy_.emits_watermarks() || strategy_.idleness());
  }

  void look_again() {
    const auto pause = is_periodic() ? interval_ : strategy_.alignment()->update_interval;
    context_->wake_at(context_->time().now() + pause);
  }

  void observe(batch& rows) {
    emit_observed(*tracker_, rows, this->out_, [this] { tell(); });
  }

  void tell() {
    if (tracker_->out().has_news()) tracker_->out().tell(this->forwarded());
  }

  void report() {
    if (!strategy_.alignment()) return;
    const auto& out = tracker_->out();
    context_->report_alignment({strategy_.alignment()->group, out.watermark(),
                                has_ended_ || out.status() == stream_status::idle,
                                strategy_.alignment()->max_drift.count()});
  }

  watermark_strategy<T> strategy_;
  operator_context* context_ = nullptr;
  std::chrono::milliseconds interval_{0};
  std::optional<event_time_tracker<T>> tracker_;
  std::chrono::steady_clock::time_point next_report_{};
  timestamp_ms limit_ = max_watermark;
  bool has_source_ended_ = false;
  bool has_ended_ = false;
};

template <class T>
operator_factory_ptr make_timestamps_and_watermarks(watermark_strategy<T> strategy) {
  return make_factory<T, T>([strategy = std::move(strategy)] {
    return std::make_unique<timestamps_and_watermarks<T>>(strategy);
  });
}

}  // namespace millrace
