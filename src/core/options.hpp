#pragma once

#include <span>
#include <string>

#include "millrace/core/config_option.hpp"
#include "millrace/core/configuration.hpp"

/// The one table of all options of the engine: configuration files, `-D`, `--print-config` and the
/// reference in the documentation are made from it. Keys are Flink's where the meaning is the same.
namespace millrace::options {

/// What `node.role` may be.
inline constexpr std::string_view node_roles[] = {"jobmanager", "taskmanager", "both"};
/// What `execution.runtime-mode` may be.
inline constexpr std::string_view runtime_modes[] = {"streaming", "batch"};
/// What `state.backend.type` may be.
inline constexpr std::string_view state_backends[] = {"hashmap", "rocksdb"};
/// What `execution.checkpointing.mode` may be.
inline constexpr std::string_view checkpointing_modes[] = {"exactly-once", "at-least-once"};
/// What `execution.checkpointing.externalized-checkpoint-retention` may be.
inline constexpr std::string_view checkpoint_retentions[] = {"delete-on-cancellation",
                                                             "retain-on-cancellation"};
/// What `execution.savepoint-restore-mode` may be.
inline constexpr std::string_view claim_modes[] = {"NO_CLAIM", "CLAIM"};
/// What `restart-strategy.type` may be; "default" leaves the choice to the engine.
inline constexpr std::string_view restart_strategies[] = {"default", "none", "fixed-delay",
                                                          "exponential-delay", "failure-rate"};
/// What `high-availability.type` may be.
inline constexpr std::string_view high_availability_types[] = {"none", "filesystem"};
/// What `log.level` may be, from all messages to none.
inline constexpr std::string_view log_levels[] = {"trace", "debug", "info", "warn", "error", "off"};

// -- Node ----------------------------------------------------------------------------

inline constexpr config_option<std::string> node_role{
    {.key = "node.role",
     .group = "Node",
     .default_text = "both",
     .description = "What a `caf-node` process is: the master of a cluster, a worker, or both "
                    "in one process.",
     .form = value_form::choice,
     .choices = node_roles}};

inline constexpr config_option<std::string> jobmanager_rpc_address{
    {.key = "jobmanager.rpc.address",
     .group = "Node",
     .default_text = "localhost",
     .description = "Host name or address of the job manager, as the other nodes and the shell "
                    "tool reach it.",
     .form = value_form::text}};

inline constexpr config_option<std::uint16_t> jobmanager_rpc_port{
    {.key = "jobmanager.rpc.port",
     .group = "Node",
     .default_text = "6123",
     .description = "Port the job manager listens on; 0 lets the system choose one.",
     .form = value_form::integer,
     .min = 0,
     .max = 65535}};

inline constexpr config_option<std::string> jobmanager_bind_host{
    {.key = "jobmanager.bind-host",
     .group = "Node",
     .default_text = "127.0.0.1",
     .description = "Address the job manager listens on. Anything but loopback needs "
                    "`security.cluster.secret-file`.",
     .form = value_form::text}};

inline constexpr config_option<std::string> taskmanager_host{
    {.key = "taskmanager.host",
     .group = "Node",
     .default_text = "127.0.0.1",
     .description = "Host name or address of this task manager, as other task managers reach "
                    "it.",
     .form = value_form::text}};

inline constexpr config_option<std::string> taskmanager_bind_host{
    {.key = "taskmanager.bind-host",
     .group = "Node",
     .default_text = "127.0.0.1",
     .description = "Address the task manager listens on. Anything but loopback needs "
                    "`security.cluster.secret-file`.",
     .form = value_form::text}};

inline constexpr config_option<std::uint16_t> taskmanager_rpc_port{
    {.key = "taskmanager.rpc.port",
     .group = "Node",
     .default_text = "0",
     .description = "Port the task manager listens on; 0 lets the system choose one.",
     .form = value_form::integer,
     .min = 0,
     .max = 65535}};

// -- Resources -----------------------------------------------------------------------

inline constexpr config_option<std::uint32_t> task_slots{
    {.key = "taskmanager.numberOfTaskSlots",
     .group = "Resources",
     .default_text = "0",
     .description = "Slots of a task manager, each of which runs one subtask of every slot "
                    "sharing group; 0 makes one for each core.",
     .form = value_form::integer,
     .min = 0,
     .max = 65536}};

inline constexpr config_option<std::uint32_t> worker_threads{
    {.key = "taskmanager.worker.threads",
     .group = "Resources",
     .default_text = "0",
     .description = "Threads that run actors and tasks; 0 makes one for each core.",
     .form = value_form::integer,
     .min = 0,
     .max = 1024}};

inline constexpr config_option<std::uint32_t> io_threads{
    {.key = "taskmanager.io.threads",
     .group = "Resources",
     .default_text = "4",
     .description = "Threads for work that may block: files, uploads, network clients.",
     .form = value_form::integer,
     .min = 1,
     .max = 1024}};

inline constexpr config_option<std::string> io_tmp_dirs{
    {.key = "io.tmp.dirs",
     .group = "Resources",
     .default_text = "/tmp",
     .description = "Directory for temporary files.",
     .form = value_form::text}};

inline constexpr config_option<std::string> blob_storage_directory{
    {.key = "blob.storage.directory",
     .group = "Resources",
     .default_text = "",
     .description = "Directory where job libraries are kept; empty for one below `io.tmp.dirs` "
                    "that is removed at the end.",
     .form = value_form::text}};

// -- Jobs ----------------------------------------------------------------------------

inline constexpr config_option<std::uint32_t> parallelism_default{
    {.key = "parallelism.default",
     .group = "Jobs",
     .default_text = "1",
     .description = "Parallelism of operators that are given none by the job or the command "
                    "line.",
     .form = value_form::integer,
     .min = 1,
     .max = 32768}};

inline constexpr config_option<std::uint32_t> max_parallelism{
    {.key = "pipeline.max-parallelism",
     .group = "Jobs",
     .default_text = "0",
     .description = "Number of key groups, and so the highest parallelism a job can ever be "
                    "rescaled to; 0 derives it from the parallelism (at least 128).",
     .form = value_form::integer,
     .min = 0,
     .max = 32768}};

inline constexpr config_option<bool> operator_chaining{
    {.key = "pipeline.operator-chaining.enabled",
     .group = "Jobs",
     .default_text = "true",
     .description = "Whether operators that follow each other without an exchange run fused in "
                    "one task.",
     .form = value_form::boolean}};

inline constexpr config_option<std::string> runtime_mode{
    {.key = "execution.runtime-mode",
     .group = "Jobs",
     .default_text = "streaming",
     .description = "`streaming` emits every update; `batch`, for bounded input, emits the "
                    "final result of each key once.",
     .form = value_form::choice,
     .choices = runtime_modes}};

inline constexpr config_option<std::chrono::milliseconds> auto_watermark_interval{
    {.key = "pipeline.auto-watermark-interval",
     .group = "Jobs",
     .default_text = "200 ms",
     .description = "How often watermark generators are asked for a watermark, and idle sources "
                    "noticed; 0 for never.",
     .form = value_form::duration,
     .min = 0}};

inline constexpr config_option<std::chrono::milliseconds> slot_request_timeout{
    {.key = "slot.request.timeout",
     .group = "Jobs",
     .default_text = "5 min",
     .description = "How long a job waits for the slots it needs before it fails.",
     .form = value_form::duration,
     .min = 1}};

inline constexpr config_option<std::chrono::milliseconds> task_cancellation_timeout{
    {.key = "task.cancellation.timeout",
     .group = "Jobs",
     .default_text = "3 min",
     .description = "How long a cancelled task may take to end before its task manager stops "
                    "itself.",
     .form = value_form::duration,
     .min = 1}};

// -- State ---------------------------------------------------------------------------

inline constexpr config_option<std::string> state_backend_type{
    {.key = "state.backend.type",
     .group = "State",
     .default_text = "hashmap",
     .description = "Where keyed state lives: `hashmap` keeps it as objects in memory, `rocksdb` "
                    "on disk below `io.tmp.dirs`, with a cache of objects in front.",
     .form = value_form::choice,
     .choices = state_backends}};

inline constexpr config_option<memory_size> rocksdb_memory{
    {.key = "state.backend.rocksdb.memory.fixed-per-tm",
     .group = "State",
     .default_text = "512 mb",
     .description = "Memory that the `rocksdb` backend takes for all tasks of a task manager "
                    "together: half for cached objects, half for RocksDB's own blocks and "
                    "memtables.",
     .form = value_form::memory,
     .min = std::int64_t{8} << 20}};

inline constexpr config_option<memory_size> snapshot_slice{
    {.key = "state.backend.snapshot-slice",
     .group = "State",
     .default_text = "256 kb",
     .description = "How much of its snapshot a task writes before it processes records again. "
                    "Less makes for shorter pauses, more for shorter checkpoints.",
     .form = value_form::memory,
     .min = 64}};

inline constexpr config_option<memory_size> sort_memory{
    {.key = "taskmanager.memory.sort",
     .group = "State",
     .default_text = "64 mb",
     .description = "Memory in which one subtask of an operator that sorts or joins a bounded "
                    "stream keeps records before it writes them to files below `io.tmp.dirs`.",
     .form = value_form::memory,
     .min = std::int64_t{64} << 10}};

// -- Checkpoints ---------------------------------------------------------------------

inline constexpr config_option<std::chrono::milliseconds> checkpointing_interval{
    {.key = "execution.checkpointing.interval",
     .group = "Checkpoints",
     .default_text = "0 ms",
     .description = "Time between the beginnings of two checkpoints of a streaming job; 0 for "
                    "no checkpoints. Needs `state.checkpoints.dir`.",
     .form = value_form::duration,
     .min = 0}};

inline constexpr config_option<std::string> checkpointing_mode{
    {.key = "execution.checkpointing.mode",
     .group = "Checkpoints",
     .default_text = "exactly-once",
     .description = "Whether a task makes the channels whose barrier has come wait for the "
                    "others (`exactly-once`), or takes their records meanwhile, which may "
                    "count twice after a restart (`at-least-once`).",
     .form = value_form::choice,
     .choices = checkpointing_modes}};

inline constexpr config_option<bool> checkpointing_unaligned{
    {.key = "execution.checkpointing.unaligned.enabled",
     .group = "Checkpoints",
     .default_text = "false",
     .description = "Whether barriers overtake the records that wait between tasks, which then "
                    "become part of the checkpoint, so that back pressure does not make it slow. "
                    "Needs `execution.checkpointing.mode = exactly-once` and no more than one "
                    "checkpoint at once.",
     .form = value_form::boolean}};

inline constexpr config_option<std::chrono::milliseconds> aligned_checkpoint_timeout{
    {.key = "execution.checkpointing.aligned-checkpoint-timeout",
     .group = "Checkpoints",
     .default_text = "0 ms",
     .description = "With unaligned checkpoints: how long a task aligns its channels, counted from "
                    "the first barrier, before the barrier begins to overtake; 0 for at once.",
     .form = value_form::duration,
     .min = 0}};

inline constexpr config_option<std::chrono::milliseconds> checkpointing_timeout{
    {.key = "execution.checkpointing.timeout",
     .group = "Checkpoints",
     .default_text = "10 min",
     .description = "A checkpoint that takes longer is given up.",
     .form = value_form::duration,
     .min = 10}};

inline constexpr config_option<std::chrono::milliseconds> checkpointing_min_pause{
    {.key = "execution.checkpointing.min-pause",
     .group = "Checkpoints",
     .default_text = "0 ms",
     .description = "Least time between the end of a checkpoint and the beginning of the "
                    "next.",
     .form = value_form::duration,
     .min = 0}};

inline constexpr config_option<std::uint32_t> checkpointing_max_concurrent{
    {.key = "execution.checkpointing.max-concurrent-checkpoints",
     .group = "Checkpoints",
     .default_text = "1",
     .description = "How many checkpoints may be under way at once.",
     .form = value_form::integer,
     .min = 1,
     .max = 1000}};

inline constexpr config_option<std::uint32_t> checkpointing_tolerable_failures{
    {.key = "execution.checkpointing.tolerable-failed-checkpoints",
     .group = "Checkpoints",
     .default_text = "0",
     .description = "How many checkpoints in a row may fail before the job counts as failed "
                    "and is restarted.",
     .form = value_form::integer,
     .min = 0,
     .max = 1000000}};

inline constexpr config_option<std::string> checkpoints_directory{
    {.key = "state.checkpoints.dir",
     .group = "Checkpoints",
     .default_text = "",
     .description = "Directory for checkpoints that all nodes share; each job has one of its "
                    "own below it.",
     .form = value_form::text}};

inline constexpr config_option<std::uint32_t> checkpoints_retained{
    {.key = "state.checkpoints.num-retained",
     .group = "Checkpoints",
     .default_text = "1",
     .description = "How many completed checkpoints of a job are kept.",
     .form = value_form::integer,
     .min = 1,
     .max = 1000}};

inline constexpr config_option<memory_size> checkpoint_memory_threshold{
    {.key = "state.storage.fs.memory-threshold",
     .group = "Checkpoints",
     .default_text = "20 kb",
     .description = "State of a task that is smaller than this is kept in the metadata of the "
                    "checkpoint instead of a file.",
     .form = value_form::memory,
     .min = 0,
     .max = std::int64_t{1} << 20}};

inline constexpr config_option<std::string> checkpoints_retention{
    {.key = "execution.checkpointing.externalized-checkpoint-retention",
     .group = "Checkpoints",
     .default_text = "delete-on-cancellation",
     .description = "What becomes of the checkpoints of a job that is cancelled; those of one "
                    "that has failed are kept, those of one that has finished are deleted.",
     .form = value_form::choice,
     .choices = checkpoint_retentions}};

// -- Savepoints ----------------------------------------------------------------------

inline constexpr config_option<std::string> savepoints_directory{
    {.key = "state.savepoints.dir",
     .group = "Savepoints",
     .default_text = "",
     .description = "Directory, shared by all nodes, for savepoints of which nobody says where "
                    "they are to be; each gets a directory of its own below it.",
     .form = value_form::text}};

inline constexpr config_option<std::string> savepoint_path{
    {.key = "execution.savepoint.path",
     .group = "Savepoints",
     .default_text = "",
     .description = "Directory of the savepoint, or of the retained checkpoint, that a job starts "
                    "from; empty to start afresh.",
     .form = value_form::text}};

inline constexpr config_option<bool> savepoint_ignore_unclaimed{
    {.key = "execution.savepoint.ignore-unclaimed-state",
     .group = "Savepoints",
     .default_text = "false",
     .description = "Whether a job may start from a savepoint with state of operators that the "
                    "job does not have; that state is lost.",
     .form = value_form::boolean}};

inline constexpr config_option<std::string> savepoint_restore_mode{
    {.key = "execution.savepoint-restore-mode",
     .group = "Savepoints",
     .default_text = "NO_CLAIM",
     .description = "Whose the files of a savepoint are from which a job starts: the user's "
                    "(`NO_CLAIM`), or the job's (`CLAIM`), which deletes them once a later "
                    "checkpoint has taken their place.",
     .form = value_form::choice,
     .choices = claim_modes}};

// -- Restarts ------------------------------------------------------------------------

inline constexpr config_option<std::string> restart_strategy_type{
    {.key = "restart-strategy.type",
     .group = "Restarts",
     .default_text = "default",
     .description = "How a job goes on after a failure; `default` is `exponential-delay` for "
                    "jobs that take checkpoints and `none` for others.",
     .form = value_form::choice,
     .choices = restart_strategies}};

inline constexpr config_option<std::uint32_t> restart_fixed_attempts{
    {.key = "restart-strategy.fixed-delay.attempts",
     .group = "Restarts",
     .default_text = "1",
     .description = "How often a job is restarted before it fails.",
     .form = value_form::integer,
     .min = 1,
     .max = std::int64_t{1} << 31}};

inline constexpr config_option<std::chrono::milliseconds> restart_fixed_delay{
    {.key = "restart-strategy.fixed-delay.delay",
     .group = "Restarts",
     .default_text = "1 s",
     .description = "Pause before a restart.",
     .form = value_form::duration,
     .min = 0}};

inline constexpr config_option<std::uint32_t> restart_failure_rate_max{
    {.key = "restart-strategy.failure-rate.max-failures-per-interval",
     .group = "Restarts",
     .default_text = "1",
     .description = "How many failures an interval may have before the job fails.",
     .form = value_form::integer,
     .min = 1,
     .max = 1000000}};

inline constexpr config_option<std::chrono::milliseconds> restart_failure_rate_interval{
    {.key = "restart-strategy.failure-rate.failure-rate-interval",
     .group = "Restarts",
     .default_text = "1 min",
     .description = "The interval in which failures are counted.",
     .form = value_form::duration,
     .min = 1}};

inline constexpr config_option<std::chrono::milliseconds> restart_failure_rate_delay{
    {.key = "restart-strategy.failure-rate.delay",
     .group = "Restarts",
     .default_text = "1 s",
     .description = "Pause before a restart.",
     .form = value_form::duration,
     .min = 0}};

inline constexpr config_option<std::chrono::milliseconds> restart_initial_backoff{
    {.key = "restart-strategy.exponential-delay.initial-backoff",
     .group = "Restarts",
     .default_text = "1 s",
     .description = "Pause before the first restart.",
     .form = value_form::duration,
     .min = 1}};

inline constexpr config_option<std::chrono::milliseconds> restart_max_backoff{
    {.key = "restart-strategy.exponential-delay.max-backoff",
     .group = "Restarts",
     .default_text = "1 min",
     .description = "Longest pause before a restart.",
     .form = value_form::duration,
     .min = 1}};

inline constexpr config_option<decimal> restart_backoff_multiplier{
    {.key = "restart-strategy.exponential-delay.backoff-multiplier",
     .group = "Restarts",
     .default_text = "1.5",
     .description = "By what the pause grows with every further failure.",
     .form = value_form::decimal,
     .min = 1000,
     .max = 1000000}};

inline constexpr config_option<decimal> restart_jitter{
    {.key = "restart-strategy.exponential-delay.jitter-factor",
     .group = "Restarts",
     .default_text = "0.1",
     .description = "What part of the pause is added or taken off by chance, so that jobs do "
                    "not restart in step.",
     .form = value_form::decimal,
     .min = 0,
     .max = 1000}};

inline constexpr config_option<std::chrono::milliseconds> restart_reset_threshold{
    {.key = "restart-strategy.exponential-delay.reset-backoff-threshold",
     .group = "Restarts",
     .default_text = "1 h",
     .description = "After so long without a failure the pause begins anew.",
     .form = value_form::duration,
     .min = 1}};

inline constexpr config_option<std::uint32_t> restart_attempts_max{
    {.key = "restart-strategy.exponential-delay.attempts-before-reset-backoff",
     .group = "Restarts",
     .default_text = "0",
     .description = "How many restarts there may be before the pause begins anew, after which "
                    "the job fails; 0 for any number.",
     .form = value_form::integer,
     .min = 0,
     .max = std::int64_t{1} << 31}};

// -- High availability ---------------------------------------------------------------

inline constexpr config_option<std::string> high_availability_type{
    {.key = "high-availability.type",
     .group = "High availability",
     .default_text = "none",
     .description = "What survives the process of the job manager: nothing, or, with "
                    "`filesystem`, all jobs and their checkpoints, which then go on when a job "
                    "manager is started again. Needs `high-availability.storageDir`.",
     .form = value_form::choice,
     .choices = high_availability_types}};

inline constexpr config_option<std::string> high_availability_directory{
    {.key = "high-availability.storageDir",
     .group = "High availability",
     .default_text = "",
     .description = "Directory for job graphs, job libraries, pointers to checkpoints and "
                    "results of jobs, on a file system that outlives the job manager's machine.",
     .form = value_form::text}};

inline constexpr config_option<std::string> high_availability_cluster{
    {.key = "high-availability.cluster-id",
     .group = "High availability",
     .default_text = "default",
     .description = "Folder of this cluster below `high-availability.storageDir`; clusters that "
                    "share the directory need different ones.",
     .form = value_form::text}};

// -- Cluster -------------------------------------------------------------------------

inline constexpr config_option<std::chrono::milliseconds> heartbeat_interval{
    {.key = "heartbeat.interval",
     .group = "Cluster",
     .default_text = "1 s",
     .description = "Time between two heartbeats of a task manager.",
     .form = value_form::duration,
     .min = 1}};

inline constexpr config_option<std::chrono::milliseconds> heartbeat_timeout{
    {.key = "heartbeat.timeout",
     .group = "Cluster",
     .default_text = "10 s",
     .description = "Silence after which a node counts as lost; must be longer than "
                    "`heartbeat.interval`. A broken connection is noticed at once.",
     .form = value_form::duration,
     .min = 1}};

inline constexpr config_option<std::chrono::milliseconds> registration_initial_timeout{
    {.key = "cluster.registration.initial-timeout",
     .group = "Cluster",
     .default_text = "100 ms",
     .description = "Pause before the second attempt to reach a node; doubles with every "
                    "further attempt.",
     .form = value_form::duration,
     .min = 1}};

inline constexpr config_option<std::chrono::milliseconds> registration_max_timeout{
    {.key = "cluster.registration.max-timeout",
     .group = "Cluster",
     .default_text = "5 s",
     .description = "Longest pause between two attempts to reach a node.",
     .form = value_form::duration,
     .min = 1}};

inline constexpr config_option<std::chrono::milliseconds> client_timeout{
    {.key = "client.timeout",
     .group = "Cluster",
     .default_text = "60 s",
     .description = "How long the shell tool goes on trying to reach a job manager that it has "
                    "lost.",
     .form = value_form::duration,
     .min = 1}};

inline constexpr config_option<std::string> cluster_secret_file{
    {.key = "security.cluster.secret-file",
     .group = "Cluster",
     .default_text = "",
     .description = "File with the secret all nodes of the cluster share, mode 0600; empty for "
                    "one that is generated for this machine and user.",
     .form = value_form::text}};

// -- Data exchange -------------------------------------------------------------------

inline constexpr config_option<memory_size> channel_bytes{
    {.key = "taskmanager.network.channel-bytes",
     .group = "Data exchange",
     .default_text = "512 kb",
     .description = "Most bytes on their way in one channel between two subtasks: the credit "
                    "its receiver grants.",
     .form = value_form::memory,
     .min = 4096,
     .max = std::int64_t{1} << 30}};

inline constexpr config_option<memory_size> batch_bytes{
    {.key = "taskmanager.network.batch-bytes",
     .group = "Data exchange",
     .default_text = "64 kb",
     .description = "Bytes at which a batch of records is handed on.",
     .form = value_form::memory,
     .min = 1024,
     .max = std::int64_t{16} << 20}};

inline constexpr config_option<std::uint32_t> batch_rows{
    {.key = "taskmanager.network.batch-rows",
     .group = "Data exchange",
     .default_text = "4096",
     .description = "Records at which a batch is handed on.",
     .form = value_form::integer,
     .min = 1,
     .max = std::int64_t{1} << 20}};

inline constexpr config_option<memory_size> record_bytes_max{
    {.key = "taskmanager.network.record-bytes-max",
     .group = "Data exchange",
     .default_text = "8 mb",
     .description = "Largest single record; a job that emits a larger one fails.",
     .form = value_form::memory,
     .min = 1024,
     .max = std::int64_t{1} << 30}};

// -- Tests ---------------------------------------------------------------------------

inline constexpr config_option<bool> chaos_enabled{
    {.key = "debug.chaos.enabled",
     .group = "Tests",
     .default_text = "false",
     .description = "Whether the cluster obeys `millrace chaos`, which kills its actors. For "
                    "tests of recovery only.",
     .form = value_form::boolean}};

// -- Logs and metrics ----------------------------------------------------------------

inline constexpr config_option<std::string> log_level{
    {.key = "log.level",
     .group = "Logs and metrics",
     .default_text = "info",
     .description = "Least severe messages to log. Programs that run a job in their own process, "
                    "and the shell tool, log nothing unless this is set.",
     .form = value_form::choice,
     .choices = log_levels}};

inline constexpr config_option<std::string> log_dir{
    {.key = "log.dir",
     .group = "Logs and metrics",
     .default_text = "",
     .description = "Directory for the log files of daemons; empty for standard error. The start "
                    "scripts make that `log` in the checkout, or for an installation in "
                    "`/tmp/millrace-<user>`.",
     .form = value_form::text}};

inline constexpr config_option<std::string> log_file{
    {.key = "log.file",
     .group = "Logs and metrics",
     .default_text = "",
     .description = "Log file of this process; empty for a name in `log.dir` made of role, host "
                    "and process id.",
     .form = value_form::text}};

inline constexpr config_option<std::string> env_pid_dir{
    {.key = "env.pid.dir",
     .group = "Logs and metrics",
     .default_text = "",
     .description = "Directory where the start and stop scripts keep the process ids of "
                    "daemons; empty for `run` in the checkout, or for an installation in "
                    "`/tmp/millrace-<user>`.",
     .form = value_form::text}};

inline constexpr config_option<std::chrono::milliseconds> metrics_update_interval{
    {.key = "metrics.update.interval",
     .group = "Logs and metrics",
     .default_text = "500 ms",
     .description = "Time between two reports of a task's records, rates and back pressure.",
     .form = value_form::duration,
     .min = 10}};

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
