#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "millrace/core/config_option.hpp"

/// Part of the table of options: how the nodes of a cluster find each other again.
namespace millrace::options {

inline constexpr std::string_view high_availability_types[] = {"none", "filesystem"};

inline constexpr config_option<std::string> high_availability_type{
    {.key = "high-availability.type",
     .group = "High availability",
     .default_text = "none",
     .description = "What survives the process of the job manager: nothing, or, with "
                    "`filesystem`, all jobs and their checkpoints, which then go on when a job "
                    "manager is started again. Needs `high-availability.storageDir`.",
     .form = value_form::choice,
     .choices = high_availability_types,
     .scope = option_scope::process}};

inline constexpr config_option<std::string> high_availability_directory{
    {.key = "high-availability.storageDir",
     .group = "High availability",
     .default_text = "",
     .description = "Directory for job graphs, job libraries, pointers to checkpoints and "
                    "results of jobs, on a file system that outlives the job manager's machine.",
     .form = value_form::text,
     .scope = option_scope::process}};

inline constexpr config_option<std::string> high_availability_cluster{
    {.key = "high-availability.cluster-id",
     .group = "High availability",
     .default_text = "default",
     .description = "Folder of this cluster below `high-availability.storageDir`; clusters that "
                    "share the directory need different ones.",
     .form = value_form::text,
     .scope = option_scope::process}};

inline constexpr config_option<std::chrono::milliseconds> heartbeat_interval{
    {.key = "heartbeat.interval",
     .group = "Cluster",
     .default_text = "1 s",
     .description = "Time between two heartbeats of a task manager.",
     .form = value_form::duration,
     .min = 1,
     .scope = option_scope::process}};

inline constexpr config_option<std::chrono::milliseconds> heartbeat_timeout{
    {.key = "heartbeat.timeout",
     .group = "Cluster",
     .default_text = "10 s",
     .description = "Silence after which a node counts as lost; must be longer than "
                    "`heartbeat.interval`. A broken connection is noticed at once.",
     .form = value_form::duration,
     .min = 1,
     .scope = option_scope::process}};

inline constexpr config_option<std::chrono::milliseconds> registration_initial_timeout{
    {.key = "cluster.registration.initial-timeout",
     .group = "Cluster",
     .default_text = "100 ms",
     .description = "Pause before the second attempt to reach a node; doubles with every "
                    "further attempt.",
     .form = value_form::duration,
     .min = 1,
     .scope = option_scope::process}};

inline constexpr config_option<std::chrono::milliseconds> registration_max_timeout{
    {.key = "cluster.registration.max-timeout",
     .group = "Cluster",
     .default_text = "5 s",
     .description = "Longest pause between two attempts to reach a node.",
     .form = value_form::duration,
     .min = 1,
     .scope = option_scope::process}};

inline constexpr config_option<std::chrono::milliseconds> client_timeout{
    {.key = "client.timeout",
     .group = "Cluster",
     .default_text = "60 s",
     .description = "How long the shell tool goes on trying to reach a job manager that it has "
                    "lost.",
     .form = value_form::duration,
     .min = 1,
     .scope = option_scope::process}};

inline constexpr config_option<std::string> cluster_secret_file{
    {.key = "security.cluster.secret-file",
     .group = "Cluster",
     .default_text = "",
     .description = "File with the secret all nodes of the cluster share, mode 0600; empty for "
                    "one that is generated for this machine and user.",
     .form = value_form::text,
     .scope = option_scope::process}};

}  // namespace millrace::options
