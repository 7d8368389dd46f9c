#include "millrace/core/human_units.hpp"

#include <array>
#include <cstdio>

namespace millrace {

namespace {

/// Three significant digits, without a trailing ".0".
std::string three_digits(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(),
                value < 9.995   ? "%.2f"
                : value < 99.95 ? "%.1f"
                                : "%.0f",
                value);
  std::string out(text.data());
  if (out.find('.') != std::string::npos) {
    out.erase(out.find_last_not_of('0') + 1);
    if (out.ends_with('.')) out.pop_back();
  }
  return out;
}

std::string scaled(double value, const char* const* units, int last) {
  int unit = 0;
  while (value >= 999.5 && unit < last) {
    value /= 1000;
    ++unit;
  }
  std::string out = three_digits(value);
  if (units[unit][0] != '\0') out.append(" ").append(units[unit]);
  return out;
}

struct exact_unit {
  std::uint64_t size;
  const char* name;
};

template <std::size_t N>
std::string exact(std::uint64_t value, const std::array<exact_unit, N>& units) {
  for (const exact_unit& unit : units)
    if (value >= unit.size && value % unit.size == 0)
      return std::to_string(value / unit.size) + " " + unit.name;
  return "0 " + std::string(units.back().name);
}

}  // namespace

std::string format_bytes(std::uint64_t bytes) {
  constexpr const char* units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  return scaled(static_cast<double>(bytes), units, 6);
}

std::string format_memory(std::uint64_t bytes) {
  constexpr std::array<exact_unit, 5> units{
      {{1ull << 40, "tb"}, {1ull << 30, "gb"}, {1ull << 20, "mb"}, {1ull << 10, "kb"}, {1, "b"}}};
  return exact(bytes, units);
}

std::string format_duration(std::chrono::milliseconds duration) {
  constexpr std::array<exact_unit, 5> units{
      {{86'400'000, "d"}, {3'600'000, "h"}, {60'000, "min"}, {1000, "s"}, {1, "ms"}}};
  if (duration.count() < 0) return "-" + format_duration(-duration);
  return exact(static_cast<std::uint64_t>(duration.count()), units);
}

std::string format_elapsed(std::chrono::milliseconds duration) {
  const std::int64_t ms = duration.count();
  if (ms < 1000) return std::to_string(ms) + " ms";
  if (ms < 59'950) return three_digits(static_cast<double>(ms) / 1000) + " s";
  const std::int64_t seconds = (ms + 500) / 1000;
  if (seconds < 3600)
    return std::to_string(seconds / 60) + " min " + std::to_string(seconds % 60) + " s";
  const std::int64_t minutes = seconds / 60;
  return std::to_string(minutes / 60) + " h " + std::to_string(minutes % 60) + " min";
}

std::string format_count(double count) {
  constexpr const char* units[] = {"", "k", "M", "G", "T"};
  return scaled(count, units, 4);
}

std::string format_rate(double per_second, const char* unit) {
  return format_count(per_second) + " " + unit + "/s";
}

}  // namespace millrace
