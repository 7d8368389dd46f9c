#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "millrace/checkpoint/restart_strategy.hpp"

namespace millrace {

/// Which regions of a job are to be restarted, and when. Failures that come while a restart is
/// being waited for belong to the same one: a lost task manager takes many tasks with it. Plain;
/// owned by the job master.
class restart_schedule {
 public:
  explicit restart_schedule(std::unique_ptr<restart_strategy> strategy)
      : strategy_(std::move(strategy)) {}

  /// A region has failed. False if the job is not to be restarted.
  bool on_failure(std::int64_t now_ms);
  /// A region that has failed stands still.
  void add(std::uint32_t region);

  /// The pause is over, and the restart is prepared: a failure from now on is another one.
  void on_preparation() noexcept { due_ms_.reset(); }

  /// When to `take`; nothing if nothing waits.
  std::optional<std::int64_t> due_ms() const;
  /// The regions that stand still.
  const std::vector<std::uint32_t>& waiting() const noexcept { return waiting_; }
  /// The regions to restart now; none before their time.
  std::vector<std::uint32_t> take(std::int64_t now_ms);

  /// How often regions were taken.
  std::uint64_t restarts() const noexcept { return restarts_; }
  std::string description() const { return strategy_->description(); }

 private:
  std::unique_ptr<restart_strategy> strategy_;
  std::optional<std::int64_t> due_ms_;  // from the first failure to the restart
  std::vector<std::uint32_t> waiting_;
  std::uint64_t restarts_ = 0;
};

}  // namespace millrace
