#pragma once

#include <algorithm>

#include "millrace/stream/element.hpp"

namespace millrace {

/// Where a watermark generator puts its watermarks and says whether it is idle. Remembers what is
/// still to be told; whoever owns the generator fetches it. Plain, so that a generator that emits
/// after each record costs a store.
class watermark_output {
 public:
  /// No record up to and including `at` is to come. Ends idleness; one that goes back is ignored.
  void emit_watermark(timestamp_ms at) noexcept {
    mark_active();
    if (at <= watermark_) return;
    watermark_ = at;
    has_news_ = true;
  }
  /// Nothing is to be expected for now: do not wait for us.
  void mark_idle() noexcept { set(stream_status::idle); }
  /// Records are to be expected again. A watermark says so by itself.
  void mark_active() noexcept { set(stream_status::active); }

  /// The last watermark that was emitted; `no_timestamp` if there was none.
  timestamp_ms watermark() const noexcept { return watermark_; }
  /// Whether the generator says that it is idle.
  stream_status status() const noexcept { return status_; }

  /// Whether anything changed since the last call of `tell` or `mark_told`.
  bool has_news() const noexcept { return has_news_; }
  /// Whoever reads watermark() and status() by itself knows them now.
  void mark_told() noexcept { has_news_ = false; }
  /// Tells `to`, which has push_watermark and push_status, how things are.
  template <class Output>
  void tell(Output& to) {
    has_news_ = false;
    if (status_ == stream_status::active) to.push_status(status_);
    to.push_watermark(watermark_);
    if (status_ == stream_status::idle) to.push_status(status_);
  }

 private:
  void set(stream_status now) noexcept {
    has_news_ |= now != status_;
    status_ = now;
  }

  timestamp_ms watermark_ = no_timestamp;
  stream_status status_ = stream_status::active;
  bool has_news_ = false;
};

}  // namespace millrace
