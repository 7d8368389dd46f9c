#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "millrace/core/config_option.hpp"

/// Part of the table of options: what follows a failure.
namespace millrace::options {

inline constexpr std::string_view restart_strategies[] = {"default", "none", "fixed-delay",
                                                          "exponential-delay", "failure-rate"};

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

}  // namespace millrace::options
