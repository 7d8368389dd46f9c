#pragma once

#include <chrono>
#include <cstdint>
#include <string>

/// Quantities as people read them.
namespace millrace {

/// "1.5 GB", "12.3 kB", "999 B": powers of 1000, three digits.
std::string format_bytes(std::uint64_t bytes);

/// "32 kb", "1 mb": powers of 1024, exact, as configuration files have it.
std::string format_memory(std::uint64_t bytes);

/// "250 ms", "10 s", "5 min", "1 h", "2 d": the largest unit that is exact, as configuration files
/// have it.
std::string format_duration(std::chrono::milliseconds duration);

/// How long something took: "12 ms", "3.4 s", "2 min 5 s", "1 h 2 min".
std::string format_elapsed(std::chrono::milliseconds duration);

/// "1.2 M", "45.6 k", "789": a count with three digits.
std::string format_count(double count);

/// "1.2 M records/s"
std::string format_rate(double per_second, const char* unit = "records");

}  // namespace millrace
