#pragma once

#include <cstdint>
#include <string>

// Numbers as people read them, beside those of core/human_units.hpp.

namespace millrace::cli {

/// "1,234,567"
std::string count_text(std::uint64_t count);

/// "37 %" of a permille.
std::string percent_text(std::uint32_t permille);

/// Local time, "2024-05-17 08:30:00", of milliseconds since the epoch; "-" for 0.
std::string time_text(std::uint64_t wall_ms);

}  // namespace millrace::cli
