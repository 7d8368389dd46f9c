#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "millrace/api/data_stream.hpp"
#include "sim/random.hpp"
#include "sim/rows.hpp"

// What simulated jobs do with event time: windows of one stream, and joins of two. As with
// job_spec, plain data, built by the DataStream API and worked out by code that knows nothing of
// the engine.

namespace millrace::sim {

enum class stage_kind : std::uint8_t {
  none,
  connect,  ///< No event time needed: adds 1 to the values of one stream, 2 to those of the other.
  tumbling,
  sliding,
  session,
  window_join,
  co_group,
  interval_join,
  timers,  ///< A function that sets a timer for each row; each timer that fires gives a row.
};

/// Whether the stage has two inputs.
bool is_of_two(stage_kind kind);

struct event_time_stage {
  stage_kind kind = stage_kind::none;
  /// Of windows or intervals or the gap of sessions, or how much later timers are, in ms.
  std::int64_t size = 1;
  std::int64_t slide = 1;  ///< Of sliding windows, in ms.
  bool is_local = false;   ///< Aggregates before the exchange, too.
  std::uint32_t parallelism = 1;
};

event_time_stage make_stage(stage_kind kind, std::uint32_t parallelism, random_source& random);
std::string to_string(const event_time_stage& stage);

std::vector<timed_row> interpret(const event_time_stage& stage, const std::vector<timed_row>& first,
                                 const std::vector<timed_row>& second);

/// `second` is not used by stages of one input.
data_stream<row> extend(const data_stream<row>& first, const data_stream<row>& second,
                        const event_time_stage& stage);

}  // namespace millrace::sim
