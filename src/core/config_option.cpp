#include "millrace/core/config_option.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "millrace/core/human_units.hpp"

namespace millrace {

namespace {

struct unit {
  std::string_view name;
  std::int64_t factor;
};

constexpr unit duration_units[] = {
    {"", 1},           {"ms", 1},           {"milli", 1},
    {"millis", 1},     {"s", 1000},         {"sec", 1000},
    {"second", 1000},  {"seconds", 1000},   {"m", 60'000},
    {"min", 60'000},   {"minute", 60'000},  {"minutes", 60'000},
    {"h", 3'600'000},  {"hour", 3'600'000}, {"hours", 3'600'000},
    {"d", 86'400'000}, {"day", 86'400'000}, {"days", 86'400'000},
};

constexpr unit memory_units[] = {
    {"", 1},          {"b", 1},         {"bytes", 1},     {"k", 1 << 10},    {"kb", 1 << 10},
    {"kib", 1 << 10}, {"m", 1 << 20},   {"mb", 1 << 20},  {"mib", 1 << 20},  {"g", 1 << 30},
    {"gb", 1 << 30},  {"gib", 1 << 30}, {"t", 1ll << 40}, {"tb", 1ll << 40}, {"tib", 1ll << 40},
};

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

/// "<number> <unit>"; nothing if it is not that or does not fit.
std::optional<std::int64_t> read_quantity(std::string_view text, std::span<const unit> units) {
  std::int64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  const std::string name = lower_case(text);
  for (const unit& candidate : units) {
    if (candidate.name != name) continue;
    std::int64_t value = 0;
    if (__builtin_mul_overflow(number, candidate.factor, &value)) return std::nullopt;
    return value;
  }
  return std::nullopt;
}

/// "12", "12.5", "0.125"
std::optional<std::int64_t> read_decimal(std::string_view text) {
  const auto point = std::min(text.find('.'), text.size());
  std::string digits(text.substr(0, point));
  std::string fraction(text.substr(std::min(point + 1, text.size())));
  const bool has_point = point < text.size();
  if (fraction.size() > 3 || (has_point && fraction.empty())) return std::nullopt;
  fraction.resize(3, '0');
  digits += fraction;
  if (point == 0 || digits.find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  return read_quantity(digits, std::span(duration_units).first(1));
}

std::optional<std::int64_t> read_boolean(std::string_view text) {
  const std::string word = lower_case(text);
  if (word == "true") return 1;
  if (word == "false") return 0;
  return std::nullopt;
}

std::string range_text(const option_info& option, std::string (*show)(std::int64_t)) {
  if (option.max == std::numeric_limits<std::int64_t>::max())
    return option.min > 0 ? " of at least " + show(option.min) : "";
  return " from " + show(option.min) + " to " + show(option.max);
}

std::string show_integer(std::int64_t value) {
  return std::to_string(value);
}
std::string show_duration(std::int64_t ms) {
  return format_duration(std::chrono::milliseconds(ms));
}
std::string show_decimal(std::int64_t thousandths) {
  auto fraction = std::to_string(thousandths % 1000 + 1000).substr(1);
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return std::to_string(thousandths / 1000) + (fraction.empty() ? "" : "." + fraction);
}
std::string show_memory(std::int64_t bytes) {
  return format_memory(static_cast<std::uint64_t>(bytes));
}

}  // namespace

tl::expected<std::int64_t, std::string> read_option_value(const option_info& option,
                                                          std::string_view text) {
  std::optional<std::int64_t> value;
  switch (option.form) {
    case value_form::boolean:
      value = read_boolean(text);
      break;
    case value_form::integer:
      value = read_quantity(text, std::span(duration_units).first(1));
      break;
    case value_form::duration:
      value = read_quantity(text, duration_units);
      break;
    case value_form::memory:
      value = read_quantity(text, memory_units);
      break;
    case value_form::decimal:
      value = read_decimal(text);
      break;
    case value_form::text:
      return 0;
    case value_form::choice:
      if (std::ranges::find(option.choices, text) != option.choices.end()) return 0;
      break;
  }
  const bool ranged = option.form != value_form::boolean;
  if (!value || (ranged && (*value < option.min || *value > option.max)))
    return tl::unexpected(expected_form(option));
  return *value;
}

std::string expected_form(const option_info& option) {
  switch (option.form) {
    case value_form::boolean:
      return "'true' or 'false'";
    case value_form::integer:
      return "an integer" + range_text(option, show_integer);
    case value_form::duration:
      return "a duration such as '500 ms', '10 s' or '5 min'" + range_text(option, show_duration);
    case value_form::memory:
      return "a memory size such as '32 kb' or '1 mb'" + range_text(option, show_memory);
    case value_form::decimal:
      return "a number such as '1.5'" + range_text(option, show_decimal);
    case value_form::text:
      return "a text";
    case value_form::choice: {
      std::string words = "one of ";
      for (std::size_t i = 0; i < option.choices.size(); ++i)
        words.append(i == 0 ? "'" : ", '").append(option.choices[i]).append("'");
      return words;
    }
  }
  return {};
}

}  // namespace millrace
