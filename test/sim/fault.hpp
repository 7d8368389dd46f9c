#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sim/random.hpp"

namespace millrace::sim {

enum class fault_kind : std::uint8_t {
  crash,            ///< Machine `a`'s process dies and comes back after the time.
  pause,            ///< It does nothing for the time, then goes on: a zombie if it was given up.
  cut,              ///< Between `a` and `b`, both ways.
  cut_one_way,      ///< From `a` to `b`.
  slow_link,        ///< Between `a` and `b`, `amount` times as slow.
  storage_fails,    ///< `amount` per cent of `a`'s calls.
  storage_torn,     ///< `amount` per cent of `a`'s writes stop in the middle.
  storage_unsure,   ///< `amount` per cent of `a`'s changes fail, as many only say so.
  storage_slow,     ///< Calls of `a` take up to `amount` ms.
  timers_late,      ///< `a`'s timers wait up to `amount` ms.
  library_lost,     ///< What `a` keeps of job libraries is deleted.
  dispatcher_dies,  ///< The actor alone. As the next two, it happens on machine 0.
  resource_manager_dies,  ///< The actor alone.
  job_master_dies,        ///< The actor of any job, alone.
  task_dies,              ///< The actor of the `amount`-th of `a`'s tasks, in turn, alone.
  /// The master's process, for the time. Another one takes its place meanwhile; then the first goes
  /// on for as long again, cut off from all but the storage.
  master_hangs,
};

/// Something bad that begins when the cluster has made so many steps and heals after some time.
struct fault {
  std::uint64_t at_step = 0;
  fault_kind kind = fault_kind::crash;
  std::size_t a = 0;
  std::size_t b = 0;
  std::chrono::milliseconds length{0};
  unsigned amount = 0;
};

/// Whether jobs may fail from it, where `latency_max` is the longest delay of a message otherwise.
/// The others only disturb order and time.
bool may_fail_jobs(const fault& f, std::chrono::nanoseconds latency_max);

/// "at step 812: crash n2 for 1500 ms"
std::string to_string(const fault& f);

}  // namespace millrace::sim
