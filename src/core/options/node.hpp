#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "millrace/core/config_option.hpp"

/// Part of the table of options: what a node is, where it listens, and what of its machine it uses.
namespace millrace::options {

inline constexpr std::string_view node_roles[] = {"jobmanager", "taskmanager", "both"};

inline constexpr config_option<std::string> node_role{
    {.key = "node.role",
     .group = "Node",
     .default_text = "both",
     .description = "What a `caf-node` process is: the master of a cluster, a worker, or both "
                    "in one process.",
     .form = value_form::choice,
     .choices = node_roles,
     .scope = option_scope::process}};

inline constexpr config_option<std::string> jobmanager_rpc_address{
    {.key = "jobmanager.rpc.address",
     .group = "Node",
     .default_text = "localhost",
     .description = "Host name or address of the job manager, as the other nodes and the shell "
                    "tool reach it.",
     .form = value_form::text,
     .scope = option_scope::process}};

inline constexpr config_option<std::uint16_t> jobmanager_rpc_port{
    {.key = "jobmanager.rpc.port",
     .group = "Node",
     .default_text = "6123",
     .description = "Port the job manager listens on; 0 lets the system choose one.",
     .form = value_form::integer,
     .min = 0,
     .max = 65535,
     .scope = option_scope::process}};

inline constexpr config_option<std::string> jobmanager_bind_host{
    {.key = "jobmanager.bind-host",
     .group = "Node",
     .default_text = "127.0.0.1",
     .description = "Address the job manager listens on. Anything but loopback needs "
                    "`security.cluster.secret-file`.",
     .form = value_form::text,
     .scope = option_scope::process}};

inline constexpr config_option<std::string> taskmanager_host{
    {.key = "taskmanager.host",
     .group = "Node",
     .default_text = "127.0.0.1",
     .description = "Host name or address of this task manager, as other task managers reach "
                    "it.",
     .form = value_form::text,
     .scope = option_scope::process}};

inline constexpr config_option<std::string> taskmanager_bind_host{
    {.key = "taskmanager.bind-host",
     .group = "Node",
     .default_text = "127.0.0.1",
     .description = "Address the task manager listens on. Anything but loopback needs "
                    "`security.cluster.secret-file`.",
     .form = value_form::text,
     .scope = option_scope::process}};

inline constexpr config_option<std::uint16_t> taskmanager_rpc_port{
    {.key = "taskmanager.rpc.port",
     .group = "Node",
     .default_text = "0",
     .description = "Port the task manager listens on; 0 lets the system choose one.",
     .form = value_form::integer,
     .min = 0,
     .max = 65535,
     .scope = option_scope::process}};

inline constexpr config_option<std::uint32_t> task_slots{
    {.key = "taskmanager.numberOfTaskSlots",
     .group = "Resources",
     .default_text = "0",
     .description = "Slots of a task manager, each of which runs one subtask of every slot "
                    "sharing group; 0 makes one for each core.",
     .form = value_form::integer,
     .min = 0,
     .max = 65536,
     .scope = option_scope::process}};

inline constexpr config_option<std::uint32_t> worker_threads{
    {.key = "taskmanager.worker.threads",
     .group = "Resources",
     .default_text = "0",
     .description = "Threads that run actors and tasks; 0 makes one for each core.",
     .form = value_form::integer,
     .min = 0,
     .max = 1024,
     .scope = option_scope::process}};

inline constexpr config_option<std::uint32_t> io_threads{
    {.key = "taskmanager.io.threads",
     .group = "Resources",
     .default_text = "4",
     .description = "Threads for work that may block: files, uploads, network clients.",
     .form = value_form::integer,
     .min = 1,
     .max = 1024,
     .scope = option_scope::process}};

inline constexpr config_option<std::string> io_tmp_dirs{
    {.key = "io.tmp.dirs",
     .group = "Resources",
     .default_text = "/tmp",
     .description = "Directory for temporary files.",
     .form = value_form::text,
     .scope = option_scope::process}};

inline constexpr config_option<std::string> blob_storage_directory{
    {.key = "blob.storage.directory",
     .group = "Resources",
     .default_text = "",
     .description = "Directory where job libraries are kept; empty for one below `io.tmp.dirs` "
                    "that is removed at the end.",
     .form = value_form::text,
     .scope = option_scope::process}};

}  // namespace millrace::options
