#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/core/configuration.hpp"
#include "sim/fault.hpp"
#include "sim/job_spec.hpp"
#include "sim/network.hpp"

namespace millrace::sim {

/// What checkpoints are given in most plans. One that begins when nothing fails any more needs far
/// less, or else hangs for good.
inline constexpr std::chrono::seconds ample_checkpoint_timeout{60};

struct planned_machine {
  bool has_master = false;
  bool has_task_manager = true;
  std::uint32_t slots = 2;
  std::chrono::milliseconds starts_after{0};
  std::optional<std::chrono::milliseconds> leaves_after;  ///< In order, for ever.
};

struct planned_job {
  job_spec spec;
  std::chrono::milliseconds submit_after{0};
  std::optional<std::chrono::milliseconds> cancel_after;  ///< Since the submission.
  /// When savepoints are asked for since then, ascending.
  std::vector<std::chrono::milliseconds> savepoints_after{};
  /// When it is stopped with a savepoint, and, when another job has gone on from that, the next is.
  std::vector<std::chrono::milliseconds> stops_after{};
  bool drains = false;  ///< At the last stop its sources end, and no job goes on.
  bool claims = false;  ///< Whose the savepoints are from which jobs go on.
};

/// How the scheduler chooses among what can happen.
struct scheduling {
  unsigned burst = 1;  ///< It goes on with the same actor up to so many times.
  std::size_t slow_machine = 0;
  unsigned slow_percent = 0;  ///< The machine's chance to be passed over when it is chosen.
  duration step_time = std::chrono::microseconds(5);
};

/// All that a run consists of but the choices of its scheduler. The last machine is the client's.
struct plan {
  std::uint64_t seed = 0;
  std::string scenario;
  std::vector<planned_machine> machines;
  std::vector<planned_job> jobs;
  std::vector<fault> faults;
  configuration config;
  network_timing timing;
  scheduling scheduler;
  duration storage_latency = std::chrono::microseconds(300);
  bool probes = true;  ///< Whether a last job is run that needs all slots.

  std::size_t client_machine() const { return machines.size(); }
};

/// Their names; `any` chooses one of the others by the seed.
extern const std::vector<std::string_view> scenarios;

/// Throws std::invalid_argument for an unknown scenario.
plan make_plan(std::string_view scenario, std::uint64_t seed);

/// For people: the cluster, jobs and the numbered faults.
std::string to_string(const plan& p);

}  // namespace millrace::sim
