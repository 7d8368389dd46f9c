#pragma once

#include <cstdint>

#include "millrace/core/config_option.hpp"

/// Part of the table of options: how records travel between tasks.
namespace millrace::options {

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
     .max = std::int64_t{1} << 30,
     .scope = option_scope::process}};

}  // namespace millrace::options
