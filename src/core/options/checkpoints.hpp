#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "millrace/core/config_option.hpp"

/// Part of the table of options: checkpoints and savepoints.
namespace millrace::options {

inline constexpr std::string_view checkpointing_modes[] = {"exactly-once", "at-least-once"};
inline constexpr std::string_view checkpoint_retentions[] = {"delete-on-cancellation",
                                                             "retain-on-cancellation"};
inline constexpr std::string_view claim_modes[] = {"NO_CLAIM", "CLAIM"};

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

inline constexpr config_option<bool> checkpointing_incremental{
    {.key = "execution.checkpointing.incremental",
     .group = "Checkpoints",
     .default_text = "true",
     .description = "Whether a checkpoint of state in the `rocksdb` backend stores only those of "
                    "its files that the checkpoint before does not have. The job manager decides, "
                    "so `state.backend.type` must be set for the job or in the configuration of "
                    "the job manager. Savepoints are always complete.",
     .form = value_form::boolean}};

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

}  // namespace millrace::options
