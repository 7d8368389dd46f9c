#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>

#include "millrace/operators/watermark_output.hpp"
#include "millrace/stream/batch.hpp"

namespace millrace {

/// Watermarks that follow the greatest timestamp at a fixed distance, for records that are at most
/// so much out of order; with a distance of 0, for ascending timestamps (Flink's
/// BoundedOutOfOrdernessWatermarks and AscendingTimestampsWatermarks).
class bounded_out_of_orderness {
 public:
  /// `max_out_of_orderness_ms` must not be negative.
  explicit bounded_out_of_orderness(timestamp_ms max_out_of_orderness_ms) noexcept
      : distance_(max_out_of_orderness_ms) {}

  /// Looks at the timestamps from index `from` on.
  void on_events(const timestamp_column& timestamps, std::size_t from) noexcept {
    for (std::size_t i = from; i < timestamps.size(); ++i)
      greatest_ = std::max(greatest_, timestamps[i]);
  }
  /// Emits the greatest timestamp, less the distance and one millisecond. Nothing before the first
  /// record.
  void on_periodic_emit(watermark_output& out) noexcept {
    // A millisecond less: another record with the greatest timestamp may still come.
    if (greatest_ > no_timestamp + distance_ + 1) out.emit_watermark(greatest_ - distance_ - 1);
  }

 private:
  timestamp_ms distance_;
  timestamp_ms greatest_ = no_timestamp;
};

/// A generator of the user's: sees every record, and is called each auto-watermark interval.
template <class G, class T>
concept watermark_generator = std::copy_constructible<G> &&
    requires(G& generator, const T& record, timestamp_ms timestamp, watermark_output& out) {
  generator.on_event(record, timestamp, out);
  generator.on_periodic_emit(out);
};

/// A generator of any kind, a virtual call per batch. One per subtask or split; not thread-safe.
template <class T>
class batch_watermark_generator {
 public:
  virtual ~batch_watermark_generator() = default;
  /// Looks at records from index `from` on, until `out` has news or there are no more; returns the
  /// index of the first one it has not seen. The caller emits the records before it, then the news.
  virtual std::size_t on_events(const row_vector<T>& rows, const timestamp_column& timestamps,
                                std::size_t from, watermark_output& out) = 0;
  /// Each `pipeline.auto-watermark-interval`, but not while the stream counts as idle.
  virtual void on_periodic_emit(watermark_output& out) = 0;
};

namespace detail {

template <class T>
class bounded_generator final : public batch_watermark_generator<T> {
 public:
  explicit bounded_generator(bounded_out_of_orderness how) : how_(how) {}

  std::size_t on_events(const row_vector<T>& rows, const timestamp_column& timestamps,
                        std::size_t from, watermark_output&) override {
    how_.on_events(timestamps, from);
    return rows.size();
  }
  void on_periodic_emit(watermark_output& out) override { how_.on_periodic_emit(out); }

 private:
  bounded_out_of_orderness how_;
};

template <class T, class G>
class custom_generator final : public batch_watermark_generator<T> {
 public:
  explicit custom_generator(G generator) : generator_(std::move(generator)) {}

  std::size_t on_events(const row_vector<T>& rows, const timestamp_column& timestamps,
                        std::size_t from, watermark_output& out) override {
    while (from < rows.size() && !out.has_news()) {
      const auto timestamp = timestamps.empty() ? no_timestamp : timestamps[from];
      generator_.on_event(rows[from], timestamp, out);
      ++from;
    }
    return from;
  }
  void on_periodic_emit(watermark_output& out) override { generator_.on_periodic_emit(out); }

 private:
  G generator_;
};

template <class T>
class no_generator final : public batch_watermark_generator<T> {
 public:
  std::size_t on_events(const row_vector<T>& rows, const timestamp_column&, std::size_t,
                        watermark_output&) override {
    return rows.size();
  }
  void on_periodic_emit(watermark_output&) override {}
};

}  // namespace detail

}  // namespace millrace
