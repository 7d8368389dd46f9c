#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "millrace/core/config_option.hpp"

/// Part of the table of options: what a process writes down, and what it puts up with for tests.
namespace millrace::options {

inline constexpr std::string_view log_levels[] = {"trace", "debug", "info", "warn", "error", "off"};

inline constexpr config_option<bool> chaos_enabled{
    {.key = "debug.chaos.enabled",
     .group = "Tests",
     .default_text = "false",
     .description = "Whether the cluster obeys `millrace chaos`, which kills its actors. For "
                    "tests of recovery only.",
     .form = value_form::boolean,
     .scope = option_scope::process}};

inline constexpr config_option<std::string> log_level{
    {.key = "log.level",
     .group = "Logs and metrics",
     .default_text = "info",
     .description = "Least severe messages to log. Programs that run a job in their own process, "
                    "and the shell tool, log nothing unless this is set.",
     .form = value_form::choice,
     .choices = log_levels,
     .scope = option_scope::process}};

inline constexpr config_option<std::string> log_dir{
    {.key = "log.dir",
     .group = "Logs and metrics",
     .default_text = "",
     .description = "Directory for the log files of daemons; empty for standard error. The start "
                    "scripts make that `log` in the checkout, or for an installation in "
                    "`/tmp/millrace-<user>`.",
     .form = value_form::text,
     .scope = option_scope::process}};

inline constexpr config_option<std::string> log_file{
    {.key = "log.file",
     .group = "Logs and metrics",
     .default_text = "",
     .description = "Log file of this process; empty for a name in `log.dir` made of role, host "
                    "and process id.",
     .form = value_form::text,
     .scope = option_scope::process}};

inline constexpr config_option<std::string> env_pid_dir{
    {.key = "env.pid.dir",
     .group = "Logs and metrics",
     .default_text = "",
     .description = "Directory where the start and stop scripts keep the process ids of "
                    "daemons; empty for `run` in the checkout, or for an installation in "
                    "`/tmp/millrace-<user>`.",
     .form = value_form::text,
     .scope = option_scope::process}};

inline constexpr config_option<std::chrono::milliseconds> metrics_update_interval{
    {.key = "metrics.update.interval",
     .group = "Logs and metrics",
     .default_text = "500 ms",
     .description = "Time between two reports of a task's records, rates and back pressure.",
     .form = value_form::duration,
     .min = 10,
     .scope = option_scope::process}};

}  // namespace millrace::options
