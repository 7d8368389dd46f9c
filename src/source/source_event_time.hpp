#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "millrace/operators/emit_observed.hpp"
#include "millrace/operators/split_watermarks.hpp"
#include "millrace/source/source_reader.hpp"

namespace millrace {

/// What stands between a reader and the operator's output when the source has event time. Abstract,
/// so that sources without it need not have the code of watermark strategies.
class any_source_event_time : public split_listener {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  virtual void open(operator_context& context) = 0;
  /// By the name that the reader has for it. It holds back event time from now on, read or not.
  virtual void add_split(const std::string& name) = 0;
  /// To be called at next_look(), or later.
  virtual void on_time(time_point now) = 0;
  virtual time_point next_look() const noexcept = 0;
  virtual void on_alignment_limit(const std::string& group, timestamp_ms limit) = 0;
  /// Splits that are to wait, if there are others than at the last call. If the reader can't pause
  /// any now, none are named, and it waits as a whole. For a hybrid source the answer may change.
  virtual std::optional<std::set<std::string>> take_paused(bool can_pause_splits) = 0;
  /// Whether all that is read is to wait.
  virtual bool is_held() const noexcept = 0;
  /// Nothing more is read.
  virtual void end() = 0;
};

/// The same with the records.
template <class T>
class source_event_time_base : public any_source_event_time {
 public:
  /// Puts itself between the two.
  virtual void bind(source_output<T>& from, output& to, const batch_limits& limits) = 0;
};

/// Event time of a source operator: each split has a watermark generator of its own, and the
/// operator is as far as the slowest of them. Belongs to one subtask. In batch mode there is no
/// watermark but the last, so that no record is late.
///
/// As members of an alignment group, splits whose watermark is beyond the group's limit wait, if
/// the reader can pause them; else the whole reader waits when its own watermark is.
template <class T>
class source_event_time final : public source_event_time_base<T>, private batch_consumer {
 public:
  using typename source_event_time_base<T>::time_point;

  explicit source_event_time(const watermark_strategy<T>& strategy) : strategy_(strategy) {}

  void bind(source_output<T>& from, output& to, const batch_limits& limits) override {
    in_.add(*this);
    from.bind(in_, limits);
    from.listen(this);
    out_.bind(to, limits);
  }

  void open(operator_context& context) override {
    context_ = &context;
    if (context.runtime().mode() == runtime_mode::batch) strategy_ = strategy_.timestamps_only();
    interval_ = context.auto_watermark_interval();
    splits_.emplace(strategy_, interval_, context.time());
    const auto now = context.time().now();
    if (interval_.count() > 0 && (strategy_.emits_watermarks() || strategy_.idleness()))
      next_interval_ = now + interval_;
    if (strategy_.alignment()) next_report_ = now + strategy_.alignment()->update_interval;
  }

  void add_split(const std::string& name) override { splits_->add(name); }

  void on_begin_split(const std::string& id) override {
    current_ = splits_->find(id);
    if (current_ == nullptr)
      throw failure(errc::internal,
                    "the source's reader begins split '" + id + "', which it was not given");
  }

  void on_end_split(const std::string& id) override {
    if (current_ == splits_->find(id)) current_ = nullptr;
    splits_->remove(id);
    tell();
  }

  void on_time(time_point now) override {
    if (now >= next_interval_) {
      next_interval_ = now + interval_;
      splits_->on_interval(now, paused_);
      tell();
    }
    if (now >= next_report_) {
      next_report_ = now + strategy_.alignment()->update_interval;
      report();
    }
  }

  time_point next_look() const noexcept override { return std::min(next_interval_, next_report_); }

  void on_alignment_limit(const std::string& group, timestamp_ms limit) override {
    if (strategy_.alignment() && strategy_.alignment()->group == group) limit_ = limit;
  }

  std::optional<std::set<std::string>> take_paused(bool can_pause_splits) override {
    if (!strategy_.alignment()) return std::nullopt;
    can_pause_splits_ = can_pause_splits;
    if (!can_pause_splits) {
      paused_.clear();
      return std::nullopt;
    }
    auto beyond = splits_->beyond(limit_);
    if (beyond == paused_) return std::nullopt;
    paused_ = std::move(beyond);
    return paused_;
  }

  bool is_held() const noexcept override {
    if (has_ended_ || !splits_ || !strategy_.alignment()) return false;
    if (can_pause_splits_) return !paused_.empty() && paused_.size() == splits_->size();
    return told_.watermark() > limit_;
  }

  void end() override {
    has_ended_ = true;
    report();
  }

 private:
  static constexpr auto never = time_point::max();

  void consume(batch& rows, rows_access) override {
    if (current_ == nullptr)
      throw failure(errc::internal,
                    "the source's reader emits records without saying of which split: call "
                    "begin_split first");
    emit_observed(*current_, rows, out_, [this] { tell(); });
  }

  void tell() {
    splits_->combine(told_);
    if (told_.has_news()) told_.tell(out_.target());
  }

  void report() {
    if (!strategy_.alignment()) return;
    const auto& how = *strategy_.alignment();
    context_->report_alignment({how.group, told_.watermark(),
                                has_ended_ || told_.status() == stream_status::idle,
                                how.max_drift.count()});
  }

  watermark_strategy<T> strategy_;
  operator_context* context_ = nullptr;
  bool can_pause_splits_ = false;
  std::chrono::milliseconds interval_{0};
  output in_;         // what the reader emits into
  collector<T> out_;  // parts of batches, to the operator's output
  std::optional<split_watermarks<T>> splits_;
  event_time_tracker<T>* current_ = nullptr;
  watermark_output told_;
  time_point next_interval_ = never;
  time_point next_report_ = never;
  timestamp_ms limit_ = max_watermark;
  std::set<std::string> paused_;
  bool has_ended_ = false;
};

/// Null if the strategy does nothing.
template <class T>
std::unique_ptr<source_event_time_base<T>> make_source_event_time(
    const watermark_strategy<T>& strategy) {
  if (strategy.assigner() == nullptr && !strategy.emits_watermarks() && !strategy.idleness() &&
      !strategy.alignment())
    return nullptr;
  return std::make_unique<source_event_time<T>>(strategy);
}

}  // namespace millrace
