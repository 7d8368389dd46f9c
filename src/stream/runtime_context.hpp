#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "millrace/core/ids.hpp"
#include "millrace/core/metrics.hpp"
#include "millrace/graph/runtime_mode.hpp"
#include "millrace/stream/accumulator.hpp"

namespace millrace {

using graph::runtime_mode;

/// Who an operator is and what it may report. One per operator and subtask, owned by its task and
/// used only from there; metrics are read by the metrics reporter from the same actor.
class runtime_context {
 public:
  /// What the job graph says about an operator's subtask.
  struct identity {
    /// As the job has set it.
    std::string job_name;
    /// The submission: the same through all restarts, another one when the job is run again.
    job_id job{};
    /// As plans, logs and errors show it.
    std::string operator_name;
    /// By which its state is found again.
    std::string operator_uid;
    std::uint32_t subtask_index = 0;  ///< 0-based.
    /// Number of subtasks.
    std::uint32_t parallelism = 1;
    /// Number of key groups.
    std::uint32_t max_parallelism = 128;
    std::uint32_t attempt = 0;  ///< 0-based.
    /// Streaming or batch.
    runtime_mode mode = runtime_mode::streaming;
  };

  explicit runtime_context(identity who) : who_(std::move(who)) {}

  /// As the job has set it.
  const std::string& job_name() const noexcept { return who_.job_name; }
  /// The submission: the same through all restarts, another one when the job is run again.
  const job_id& job() const noexcept { return who_.job; }
  /// As plans, logs and errors show it.
  const std::string& operator_name() const noexcept { return who_.operator_name; }
  /// By which its state is found again.
  const std::string& operator_uid() const noexcept { return who_.operator_uid; }
  /// From 0.
  std::uint32_t subtask_index() const noexcept { return who_.subtask_index; }
  /// Number of subtasks.
  std::uint32_t parallelism() const noexcept { return who_.parallelism; }
  /// Number of key groups.
  std::uint32_t max_parallelism() const noexcept { return who_.max_parallelism; }
  /// From 0; grows when the task is started again.
  std::uint32_t attempt() const noexcept { return who_.attempt; }
  /// Streaming or batch.
  runtime_mode mode() const noexcept { return who_.mode; }

  /// A counter metric, shown by `millrace describe`. The reference stays valid until close().
  counter& metric(const std::string& name) { return metrics_[name]; }

  /// An accumulator that comes back with the job's result. The reference stays valid until close().
  /// Throws `failure` if the name is taken by an accumulator of another kind.
  std::int64_t& sum_accumulator(const std::string& name);
  /// The same for floating point.
  double& double_sum_accumulator(const std::string& name);
  /// The least of all subtasks.
  std::int64_t& min_accumulator(const std::string& name);
  /// The greatest of all subtasks.
  std::int64_t& max_accumulator(const std::string& name);

  /// All so far, by name.
  const std::map<std::string, counter>& metrics() const noexcept { return metrics_; }
  /// All so far, by name.
  const accumulator_map& accumulators() const noexcept { return accumulators_; }

 private:
  template <class V>
  V& accumulator_of(const std::string& name, accumulator::merge how, V initial);

  identity who_;
  std::map<std::string, counter> metrics_;
  accumulator_map accumulators_;
};

}  // namespace millrace
