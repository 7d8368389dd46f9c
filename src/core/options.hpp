#pragma once

#include <span>
#include <string>

#include "millrace/core/config_option.hpp"
#include "millrace/core/configuration.hpp"
#include "millrace/core/options/checkpoints.hpp"
#include "millrace/core/options/cluster.hpp"
#include "millrace/core/options/data_exchange.hpp"
#include "millrace/core/options/jobs.hpp"
#include "millrace/core/options/node.hpp"
#include "millrace/core/options/process.hpp"
#include "millrace/core/options/restarts.hpp"
#include "millrace/core/options/state.hpp"

/// The one table of all options of the engine: configuration files, `-D`, `--print-config` and the
/// reference in the documentation are made from it. Keys are Flink's where the meaning is the same.
namespace millrace::options {

/// Every option, in order of the reference.
inline constexpr const option_info* all[] = {&node_role,
                                             &jobmanager_rpc_address,
                                             &jobmanager_rpc_port,
                                             &jobmanager_bind_host,
                                             &taskmanager_host,
                                             &taskmanager_bind_host,
                                             &taskmanager_rpc_port,
                                             &task_slots,
                                             &worker_threads,
                                             &io_threads,
                                             &io_tmp_dirs,
                                             &blob_storage_directory,
                                             &parallelism_default,
                                             &max_parallelism,
                                             &operator_chaining,
                                             &runtime_mode,
                                             &auto_watermark_interval,
                                             &slot_request_timeout,
                                             &task_cancellation_timeout,
                                             &state_backend_type,
                                             &rocksdb_memory,
                                             &local_recovery,
                                             &local_state_directory,
                                             &snapshot_slice,
                                             &sort_memory,
                                             &checkpointing_interval,
                                             &checkpointing_mode,
                                             &checkpointing_unaligned,
                                             &aligned_checkpoint_timeout,
                                             &checkpointing_timeout,
                                             &checkpointing_min_pause,
                                             &checkpointing_max_concurrent,
                                             &checkpointing_tolerable_failures,
                                             &checkpointing_incremental,
                                             &checkpoints_directory,
                                             &checkpoints_retained,
                                             &checkpoint_memory_threshold,
                                             &checkpoints_retention,
                                             &savepoints_directory,
                                             &savepoint_path,
                                             &savepoint_ignore_unclaimed,
                                             &savepoint_restore_mode,
                                             &restart_strategy_type,
                                             &restart_fixed_attempts,
                                             &restart_fixed_delay,
                                             &restart_failure_rate_max,
                                             &restart_failure_rate_interval,
                                             &restart_failure_rate_delay,
                                             &restart_initial_backoff,
                                             &restart_max_backoff,
                                             &restart_backoff_multiplier,
                                             &restart_jitter,
                                             &restart_reset_threshold,
                                             &restart_attempts_max,
                                             &high_availability_type,
                                             &high_availability_directory,
                                             &high_availability_cluster,
                                             &heartbeat_interval,
                                             &heartbeat_timeout,
                                             &registration_initial_timeout,
                                             &registration_max_timeout,
                                             &client_timeout,
                                             &cluster_secret_file,
                                             &channel_bytes,
                                             &batch_bytes,
                                             &batch_rows,
                                             &record_bytes_max,
                                             &chaos_enabled,
                                             &log_level,
                                             &log_dir,
                                             &log_file,
                                             &env_pid_dir,
                                             &metrics_update_interval};

/// The option of that key, or nullptr.
const option_info* find(std::string_view key) noexcept;

/// The slots, or worker threads, that a configuration means: its number, or for 0 the number of
/// cores.
std::uint32_t task_slots_of(const configuration& config);
/// The same for `taskmanager.worker.threads`.
std::uint32_t worker_threads_of(const configuration& config);

/// What one value can't show: options that contradict each other. For programs to call once after
/// all values are set.
status check(const configuration& config);

/// The reference for the documentation: one Markdown table for each group.
std::string markdown();

}  // namespace millrace::options
