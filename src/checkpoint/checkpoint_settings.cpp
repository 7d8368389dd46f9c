#include "millrace/checkpoint/checkpoint_settings.hpp"

#include "millrace/core/options.hpp"

namespace millrace {

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
  s.retain_on_cancellation = config.get(options::checkpoints_retention) == "retain-on-cancellation";
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
