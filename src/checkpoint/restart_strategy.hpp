#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "millrace/core/configuration.hpp"

namespace millrace {

/// Decides whether, and after what pause, a job is restarted after a failure (Flink's
/// RestartBackoffTimeStrategy). Plain: told the time, and random only by its seed. Owned by one job
/// master.
class restart_strategy {
 public:
  virtual ~restart_strategy() = default;

  /// The job has failed at `now_ms`, of any clock that never goes back: how long to wait before the
  /// restart; nothing if there is to be none. Failures that come while a restart is being waited
  /// for belong to the same one, and are not to be told.
  virtual std::optional<std::chrono::milliseconds> on_failure(std::int64_t now_ms) = 0;
  /// For messages: "fixed-delay (3 attempts, 1 s)".
  virtual std::string description() const = 0;
};

/// None at all.
std::unique_ptr<restart_strategy> make_no_restart();
/// `attempts` restarts in the life of the job.
std::unique_ptr<restart_strategy> make_fixed_delay_restart(std::uint32_t attempts,
                                                           std::chrono::milliseconds delay);
/// Until more than `failures_max` failures fall into `interval`.
std::unique_ptr<restart_strategy> make_failure_rate_restart(std::uint32_t failures_max,
                                                            std::chrono::milliseconds interval,
                                                            std::chrono::milliseconds delay);

struct exponential_delay {
  std::chrono::milliseconds initial{1000};
  std::chrono::milliseconds max{60'000};
  double multiplier = 1.5;
  double jitter = 0.1;  ///< What part of the pause is added or taken off at most.
  /// After so long without a failure, counted from the end of the last pause, it begins anew.
  std::chrono::milliseconds reset_after{3'600'000};
  std::uint32_t attempts_max = 0;  ///< Before it begins anew; 0 for any number.
};
std::unique_ptr<restart_strategy> make_exponential_delay_restart(const exponential_delay& how,
                                                                 std::uint64_t seed);

/// As `restart-strategy.*` says. `is_checkpointed` decides what the default is.
std::unique_ptr<restart_strategy> make_restart_strategy(const configuration& config,
                                                        bool is_checkpointed, std::uint64_t seed);

}  // namespace millrace
