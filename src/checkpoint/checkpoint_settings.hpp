#pragma once

#include <cstdint>
#include <string>

#include "millrace/core/configuration.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/graph/job_status.hpp"
#include "millrace/stream/element.hpp"

namespace millrace {

/// What a job's configuration says about its checkpoints.
struct checkpoint_settings {
  std::int64_t interval_ms = 0;  ///< 0: none are taken.
  std::int64_t timeout_ms = 600'000;
  std::int64_t min_pause_ms = 0;
  std::uint32_t concurrent_max = 1;
  std::uint32_t tolerable_failures = 0;
  std::uint32_t retained = 1;
  barrier_alignment alignment = barrier_alignment::exactly_once;
  std::int64_t alignment_max_ms = 0;  ///< If `aligned_at_first`.
  bool is_incremental = false;        ///< Files of databases are shared by checkpoints.
  bool retain_on_cancellation = false;
  std::uint64_t memory_threshold_bytes = 20 * 1024;
  std::string directory{};  ///< `state.checkpoints.dir`, without the job's own.

  /// Whether the job takes checkpoints.
  bool is_enabled() const noexcept { return interval_ms > 0; }
  /// Whether those of a job that has ended so stay.
  bool keeps_checkpoints(graph::job_status how) const noexcept {
    return how == graph::job_status::failed ||
           (how == graph::job_status::canceled && retain_on_cancellation);
  }
  /// Where the checkpoints of a job lie.
  std::string directory_of(const job_id& job) const { return directory + "/" + to_string(job); }
};

/// `config` is the node's configuration with the job's over it. `invalid_config` if there is an
/// interval but no directory, or if unaligned checkpoints are to be taken at least once or more
/// than one at once.
result<checkpoint_settings> checkpoint_settings_of(const configuration& config);

}  // namespace millrace
