#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "millrace/core/config_option.hpp"

/// Part of the table of options: how jobs run.
namespace millrace::options {

inline constexpr std::string_view runtime_modes[] = {"streaming", "batch"};

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
                    "final result of each key once, and event time goes on at the end only.",
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
     .min = 1,
     .scope = option_scope::process}};

inline constexpr config_option<std::chrono::milliseconds> task_cancellation_timeout{
    {.key = "task.cancellation.timeout",
     .group = "Jobs",
     .default_text = "3 min",
     .description = "How long a cancelled task may take to end before its task manager stops "
                    "itself.",
     .form = value_form::duration,
     .min = 1}};

}  // namespace millrace::options
