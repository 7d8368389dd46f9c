#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "millrace/source/source.hpp"
#include "sim/rows.hpp"

// Sources of simulated jobs that wait for event time: for as long as they do they are idle, or hold
// it up.

namespace millrace::sim {

/// How far event time has come behind a job's operators. Shared by all its nodes, which are one
/// thread.
struct reached_time {
  timestamp_ms at = no_timestamp;
  /// Nobody waits any more: readers go on from a checkpoint, and what they had read before it makes
  /// no watermark again.
  bool is_waited_for = true;

  bool is_past(timestamp_ms time) const noexcept { return !is_waited_for || at >= time; }
};

/// What a staged source has, and when.
struct stage_of_rows {
  std::function<row(std::uint64_t index)> make;
  std::uint64_t first = 0;  ///< Index of the first row.
  std::uint64_t rows = 0;
  bool is_of_one_reader = false;          ///< The others have nothing.
  timestamp_ms begins_at = no_timestamp;  ///< Nothing is read before event time is there,
  timestamp_ms ends_at = no_timestamp;    ///< and no reader ends before it is there.
};

std::shared_ptr<const source_base<row>> make_staged_source(stage_of_rows stage,
                                                           std::shared_ptr<reached_time> reached);

}  // namespace millrace::sim
