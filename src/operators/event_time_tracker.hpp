#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "millrace/core/io.hpp"
#include "millrace/operators/idleness_timer.hpp"
#include "millrace/operators/watermark_strategy.hpp"

namespace millrace {

/// A watermark strategy at work on one stream of records: those of a subtask, or of one split of a
/// source (Flink's TimestampsAndWatermarks). Assigns timestamps, runs the generator and notices
/// idleness; the caller emits rows and tells `out()`'s news to whoever listens. Not thread-safe.
///
///     tracker.begin(rows, timestamps);              // per batch
///     tell out()'s news, if any                     // no longer idle
///     for (from = 0; from < rows.size();) {
///       next = tracker.observe(rows, timestamps, from);
///       emit rows [from, next); tell out()'s news; from = next;
///     }
///     tracker.on_interval(now)                      // each auto-watermark interval
template <class T>
class event_time_tracker {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  /// `interval` is the auto-watermark interval; `time` outlives the tracker.
  event_time_tracker(watermark_strategy<T> strategy, std::chrono::milliseconds interval,
                     const clock& time)
      : strategy_(std::move(strategy)), generator_(strategy_.make_generator()), time_(&time) {
    if (strategy_.idleness()) idleness_.emplace(*strategy_.idleness(), interval);
  }

  /// Gives the rows of a batch their timestamps.
  void begin(const row_vector<T>& rows, timestamp_column& timestamps) {
    if (strategy_.is_ingestion_time())
      timestamps.assign(rows.size(), ingestion_time());
    else if (const auto* assigner = strategy_.assigner())
      assigner->assign(rows, timestamps);
    if (rows.empty() || !idleness_) return;
    idleness_->on_activity();
    if (std::exchange(is_idle_, false)) out_.mark_active();
  }

  /// Looks at rows from `from` on, up to the first that makes a watermark; returns the next one.
  std::size_t observe(const row_vector<T>& rows, const timestamp_column& timestamps,
                      std::size_t from) {
    return generator_->on_events(rows, timestamps, from, out_);
  }

  /// `could_have_records` is false while the caller does not let any come (alignment).
  void on_interval(time_point now, bool could_have_records = true) {
    if (idleness_ && idleness_->look(now, could_have_records)) {
      is_idle_ = true;
      return out_.mark_idle();
    }
    if (is_idle_) return;
    if (strategy_.is_ingestion_time())
      out_.emit_watermark(ingestion_time() - 1);  // more may come in this millisecond
    else
      generator_->on_periodic_emit(out_);
  }

  watermark_output& out() noexcept { return out_; }
  const watermark_output& out() const noexcept { return out_; }

 private:
  /// The wall clock may be set back.
  timestamp_ms ingestion_time() { return ingested_ = std::max(ingested_, time_->wall_ms()); }

  watermark_strategy<T> strategy_;
  std::unique_ptr<batch_watermark_generator<T>> generator_;
  const clock* time_;
  timestamp_ms ingested_ = no_timestamp;
  std::optional<idleness_timer> idleness_;
  watermark_output out_;
  bool is_idle_ = false;
};

}  // namespace millrace
