#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "millrace/core/config_option.hpp"

/// Part of the table of options: where state is kept.
namespace millrace::options {

inline constexpr std::string_view state_backends[] = {"hashmap", "rocksdb"};

inline constexpr config_option<std::string> state_backend_type{
    {.key = "state.backend.type",
     .group = "State",
     .default_text = "hashmap",
     .description = "Where keyed state lives: `hashmap` keeps it as objects in memory, `rocksdb` "
                    "on disk below `io.tmp.dirs`, with a cache of objects in front. What a job "
                    "sets goes over the configuration of the cluster.",
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
     .min = std::int64_t{8} << 20,
     .scope = option_scope::process}};

inline constexpr config_option<bool> local_recovery{
    {.key = "state.backend.local-recovery",
     .group = "State",
     .default_text = "false",
     .description =
         "Whether a task manager keeps second copies of the state files of checkpoints on "
         "a disk of its own, from which tasks that restart there are restored. To be set "
         "for task managers; a job can be left out by setting it to `false` for the job.",
     .form = value_form::boolean}};

inline constexpr config_option<std::string> local_state_directory{
    {.key = "taskmanager.state.local.root-dirs",
     .group = "State",
     .default_text = "",
     .description = "Directory on a disk of the task manager's machine for the copies of "
                    "`state.backend.local-recovery`, one only; empty for `io.tmp.dirs`. Each task "
                    "manager has a directory of its own below it, which a restarted one takes over "
                    "from a dead one.",
     .form = value_form::text,
     .scope = option_scope::process}};

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

}  // namespace millrace::options
