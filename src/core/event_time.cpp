#include "millrace/core/event_time.hpp"

#include <array>
#include <chrono>
#include <cstdio>

namespace millrace {

std::string format_timestamp(timestamp_ms when) {
  using namespace std::chrono;
  if (when == no_timestamp) return "-";
  if (when == max_watermark) return "end";
  constexpr auto first = sys_days(year{0} / January / 1).time_since_epoch();
  constexpr auto end = sys_days(year{10000} / January / 1).time_since_epoch();
  if (when < milliseconds(first).count() || when >= milliseconds(end).count())
    return std::to_string(when);
  const sys_time<milliseconds> time{milliseconds(when)};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()),
                static_cast<int>(clock.subseconds().count()));
  return text.data();
}

}  // namespace millrace
