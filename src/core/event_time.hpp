#pragma once

#include <cstdint>
#include <limits>
#include <string>

namespace millrace {

/// A point in time in milliseconds since 1970-01-01 UTC: of event time, when something happened, or
/// of processing time, the wall clock of the node that handles it.
using timestamp_ms = std::int64_t;

/// What a record without a timestamp has, and the event time before the first watermark (Flink's
/// Long.MIN_VALUE).
inline constexpr timestamp_ms no_timestamp = std::numeric_limits<timestamp_ms>::min();

/// The watermark behind the last record of a stream: event time is over (Flink's MAX_WATERMARK).
inline constexpr timestamp_ms max_watermark = std::numeric_limits<timestamp_ms>::max();

/// For people: "2026-03-01T12:30:00.250Z" in UTC; "-" for `no_timestamp` and "end" for
/// `max_watermark`. Beyond the years 0 to 9999, the milliseconds as a number.
std::string format_timestamp(timestamp_ms when);

}  // namespace millrace
