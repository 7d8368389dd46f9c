#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "millrace/core/event_time.hpp"

/// Which directory a record's file lies in (Flink's BucketAssigner). A bucket is a relative path
/// below the sink's directory; the empty one is that directory itself. An assigner is an object
/// with `bucket_of(const T&, const bucket_context&)` that returns a text; each subtask has a copy.
namespace millrace {

/// What an assigner may want to know besides the record.
struct bucket_context {
  timestamp_ms timestamp = no_timestamp;  ///< The record's event time.
  timestamp_ms processing_time = 0;       ///< The wall clock, when the batch came.
};

/// Something that finds the bucket of records of type T.
template <class Assigner, class T>
concept bucket_assigner = std::copy_constructible<Assigner> &&
    requires(Assigner& assigner, const T& record, const bucket_context& context) {
  { assigner.bucket_of(record, context) } -> std::convertible_to<std::string_view>;
};

/// All into the sink's directory (Flink's BasePathBucketAssigner).
struct base_path_buckets {
  /// Always the empty one.
  template <class T>
  std::string_view bucket_of(const T&, const bucket_context&) const {
    return {};
  }
};

/// Where a date-time assigner takes the time from.
enum class bucket_time : std::uint8_t {
  processing_time,  ///< The wall clock.
  event_time,       ///< The record's timestamp; records without one fail the job.
};

/// A directory for each piece of time, by a format of strftime (Flink's DateTimeBucketAssigner).
class date_time_buckets {
 public:
  /// `offset` is how far local time is ahead of UTC, in which times are shown otherwise. Throws
  /// `failure(invalid_argument)` for a format that yields no path.
  explicit date_time_buckets(std::string format = "%Y-%m-%d--%H",
                             bucket_time time = bucket_time::processing_time,
                             std::chrono::minutes offset = std::chrono::minutes(0));

  /// The text is made once a second of the time that is shown.
  template <class T>
  std::string_view bucket_of(const T&, const bucket_context& context) {
    return bucket_at(time_ == bucket_time::event_time ? context.timestamp
                                                      : context.processing_time);
  }

 private:
  std::string_view bucket_at(timestamp_ms when) {
    if (when < shown_from_ms_ || when >= shown_from_ms_ + 1000) show(when);
    return shown_;
  }
  void show(timestamp_ms when);

  std::string format_;
  bucket_time time_;
  std::chrono::milliseconds offset_;
  timestamp_ms shown_from_ms_ = no_timestamp;
  std::string shown_;
};

/// A directory for each text that `Fn` makes of records.
template <class Fn>
struct function_buckets {
  /// What the user has given.
  Fn fn;

  /// What the function says.
  template <class T>
  decltype(auto) bucket_of(const T& record, const bucket_context&) {
    return std::invoke(fn, record);
  }
};

/// The bucket is `fn(const T&)`, or a member: `buckets_by(&order::country)`.
template <class Fn>
function_buckets<Fn> buckets_by(Fn fn) {
  return {std::move(fn)};
}

}  // namespace millrace
