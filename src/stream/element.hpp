#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "millrace/core/event_time.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/stream/batch.hpp"

namespace millrace {

/// A batch of rows, and what the sender's flow control charged for it. The receiver returns exactly
/// this charge when it has processed the rows.
struct record_batch {
  batch_ptr rows;            ///< Never null.
  std::uint64_t charge = 0;  ///< In bytes.
};

/// Nothing follows on this channel, so event time is over there: it counts as `max_watermark`. An
/// ordinary element, so it cannot overtake data.
struct end_of_input {};

/// The same, but barriers may still follow: the sender has emitted everything, and ends after one
/// more checkpoint (Flink's EndOfData). Comes at most once, and before the end of input.
struct end_of_data {};

/// No record with a timestamp up to and including `at` is to come on this channel. Whoever sends
/// one all the same sends a late record.
struct watermark {
  timestamp_ms at = no_timestamp;  ///< `max_watermark`: no record is to come at all.

  /// The same time.
  bool operator==(const watermark&) const = default;
};

/// Whether a channel takes part in event time. An idle one sends nothing for the time being, and
/// nobody waits for its watermarks; it becomes active before it sends again.
enum class stream_status : std::uint8_t { active = 0, idle = 1 };

/// How a checkpoint's barriers go through the job.
enum class barrier_alignment : std::uint8_t {
  exactly_once = 0,   ///< A channel whose barrier has come waits for those of the others.
  at_least_once = 1,  ///< No channel waits.
  unaligned = 2,      ///< The barrier overtakes what is queued, which becomes part of the snapshot.
  aligned_at_first = 3,  ///< As exactly_once; unaligned from the first task on where it takes long.
};

/// What a checkpoint is for.
enum class checkpoint_kind : std::uint8_t {
  checkpoint = 0,       ///< To recover from failures; the engine keeps and removes it.
  savepoint = 1,        ///< Asked for by somebody, who owns it.
  final_savepoint = 2,  ///< The job stops behind it: sources emit nothing after its barrier.
};

/// Cuts a stream: what came before it belongs to the checkpoint, what comes after it does not
/// (Chandy and Lamport 1985; Carbone et al. 2015, "Lightweight Asynchronous Snapshots").
struct barrier {
  checkpoint_id checkpoint;  ///< The one whose border this is.
  /// The same in all barriers of a checkpoint.
  checkpoint_kind kind = checkpoint_kind::checkpoint;
  barrier_alignment alignment = barrier_alignment::exactly_once;  ///< How it goes through the job.
  /// Of an incremental checkpoint, the latest that was complete when it began: files that this one
  /// has are there until the new one has ended, and need not be stored again. 0 if there is none.
  std::optional<checkpoint_id> base{};

  /// The same in all of it.
  bool operator==(const barrier&) const = default;
};

/// The checkpoint was given up: whoever waits for its barriers waits no longer.
struct cancel_barrier {
  checkpoint_id checkpoint;  ///< The one that was given up.

  /// The same checkpoint.
  bool operator==(const cancel_barrier&) const = default;
};

/// What travels through a channel, in order. Elements are messages of the receiving task's mailbox;
/// control elements share the path of the data and are never charged.
using element = std::variant<record_batch, end_of_input, watermark, stream_status, barrier,
                             cancel_barrier, end_of_data>;

}  // namespace millrace
