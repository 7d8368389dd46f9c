#pragma once

#include <cstdint>
#include <variant>

#include "millrace/core/event_time.hpp"
#include "millrace/stream/batch.hpp"

namespace millrace {

/// A batch of rows, and what the sender's flow control charged for it. The receiver returns exactly
/// this charge when it has processed the rows.
struct record_batch {
  batch_ptr rows;
  std::uint64_t charge = 0;
};

/// Nothing follows on this channel, so event time is over there: it counts as `max_watermark`. An
/// ordinary element, so it cannot overtake data.
struct end_of_input {};

/// No record with a timestamp up to and including `at` is to come on this channel. Whoever sends
/// one all the same sends a late record.
struct watermark {
  timestamp_ms at = no_timestamp;

  bool operator==(const watermark&) const = default;
};

/// Whether a channel takes part in event time. An idle one sends nothing for the time being, and
/// nobody waits for its watermarks; it becomes active before it sends again.
enum class stream_status : std::uint8_t { active = 0, idle = 1 };

/// What travels through a channel, in order. Elements are messages of the receiving task's mailbox;
/// control elements share the path of the data and are never charged.
using element = std::variant<record_batch, end_of_input, watermark, stream_status>;

}  // namespace millrace
