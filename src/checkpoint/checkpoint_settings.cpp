#include "millrace/checkpoint/checkpoint_settings.hpp"

#include "millrace/core/options.hpp"

namespace millrace {

namespace {

/// Barriers that overtake records would also overtake those of another checkpoint, and without
/// alignment there is nothing to gain (as in Flink).
status check_unaligned(const checkpoint_settings& s, const configuration& config) {
  const auto refuse = [&](const option_info& other, const std::string& what) {
    return fail(errc::invalid_config,
                std::string(options::checkpointing_unaligned.key) + " is set (" +
                    config.origin_of(options::checkpointing_unaligned) + "), and needs " +
                    std::string(other.key) + " = " + what + " (" + config.origin_of(other) + ")");
  };
  if (s.alignment == barrier_alignment::at_least_once)
    return refuse(options::checkpointing_mode, "exactly-once");
  if (s.concurrent_max > 1) return refuse(options::checkpointing_max_concurrent, "1");
  return {};
}

}  // namespace

result<checkpoint_settings> checkpoint_settings_of(const configuration& config) {
  checkpoint_settings s;
  s.interval_ms = config.get(options::checkpointing_interval).count();
  s.timeout_ms = config.get(options::checkpointing_timeout).count();
  s.min_pause_ms = config.get(options::checkpointing_min_pause).count();
  s.concurrent_max = config.get(options::checkpointing_max_concurrent);
  s.tolerable_failures = config.get(options::checkpointing_tolerable_failures);
  s.retained = config.get(options::checkpoints_retained);
  if (config.get(options::checkpointing_mode) == "at-least-once")
    s.alignment = barrier_alignment::at_least_once;
  if (config.get(options::checkpointing_unaligned)) {
    if (auto good = check_unaligned(s, config); !good) return tl::unexpected(good.error());
    s.alignment_max_ms = config.get(options::aligned_checkpoint_timeout).count();
    s.alignment =
        s.alignment_max_ms > 0 ? barrier_alignment::aligned_at_first : barrier_alignment::unaligned;
  }
  s.retain_on_cancellation = config.get(options::checkpoints_retention) == "retain-on-cancellation";
  s.is_incremental = config.get(options::checkpointing_incremental) &&
                     config.get(options::state_backend_type) == "rocksdb";
  s.memory_threshold_bytes = config.get(options::checkpoint_memory_threshold).bytes;
  s.directory = config.get(options::checkpoints_directory);
  while (s.directory.size() > 1 && s.directory.ends_with('/')) s.directory.pop_back();
  if (s.is_enabled() && s.directory.empty())
    return fail(errc::invalid_config,
                std::string(options::checkpointing_interval.key) + " is set (" +
                    config.origin_of(options::checkpointing_interval) + "), but " +
                    std::string(options::checkpoints_directory.key) +
                    " is not: set it to a directory that all nodes share");
  return s;
}

}  // namespace millrace
