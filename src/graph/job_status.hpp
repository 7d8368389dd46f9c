#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

// The life of one job, as in Flink:
//
//   created -> running ------------------> finished
//                | ^ |
//                | | +--> failing -------> failed
//                | |         |
//                | |         v
//                | |      cancelling ----> canceled
//                v |
//             restarting
//
//   created, running and restarting -> failing      the job cannot go on
//   all of these and failing        -> cancelling   somebody asked for it
//   every state that is not terminal -> suspended   its master lost the leadership

namespace millrace::graph {

/// Numbers travel between nodes: do not renumber.
enum class job_status : std::uint8_t {
  created = 0,     ///< Accepted; nothing was scheduled yet.
  running = 1,     ///< Some subtasks are scheduled, running or finished, none is to be restarted.
  failing = 2,     ///< A failure ends the job; its tasks are being canceled.
  failed = 3,      ///< Terminal.
  cancelling = 4,  ///< A user ends the job; its tasks are being canceled.
  canceled = 5,    ///< Terminal.
  finished = 6,    ///< Terminal: all subtasks finished.
  restarting = 7,  ///< After a failure, some tasks are being canceled or wait to run again.
  suspended = 8,   ///< Terminal for this master; another one may take the job over.
};

inline constexpr std::size_t job_status_count = 9;

/// Upper case, as Flink shows it.
std::string_view to_string(job_status status) noexcept;

/// failed, canceled, finished or suspended: this master does nothing for the job any more.
bool is_terminal(job_status status) noexcept;

/// failed, canceled or finished: no master does.
bool is_globally_terminal(job_status status) noexcept;

/// Whether the diagram above has this arrow. Nothing leads from a status to itself.
bool can_transition(job_status from, job_status to) noexcept;

}  // namespace millrace::graph
