#include <algorithm>
#include <optional>

#include "millrace/core/configuration.hpp"
#include "millrace/core/file_system.hpp"

namespace millrace {

namespace {

constexpr std::string_view blanks = " \t\r\v\f";

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

/// The value before a comment, or between quotes; nothing if a quote is left open or followed by
/// anything but a comment.
std::optional<std::string_view> read_value(std::string_view text) {
  text = trim(text);
  if (text.starts_with('"')) {
    const std::size_t end = text.find('"', 1);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view rest = trim(text.substr(end + 1));
    if (!rest.empty() && !rest.starts_with('#')) return std::nullopt;
    return text.substr(1, end - 1);
  }
  for (std::size_t at = 0; (at = text.find('#', at)) != std::string_view::npos; ++at)
    if (at == 0 || blanks.find(text[at - 1]) != std::string_view::npos)
      return trim(text.substr(0, at));
  return text;
}

status read_line(configuration& config, std::string_view line, const std::string& origin) {
  line = trim(line);
  if (line.empty() || line.starts_with('#')) return {};
  const std::size_t separator = line.find_first_of("=:");
  const std::string_view key = trim(line.substr(0, std::min(separator, line.size())));
  if (separator == std::string_view::npos || key.empty())
    return fail(errc::invalid_config,
                origin + ": expected 'key = value', found '" + std::string(line) + "'");
  const auto value = read_value(line.substr(separator + 1));
  if (!value)
    return fail(errc::invalid_config, origin + ": the quotes of '" + std::string(key) +
                                          "' do not enclose the whole value: '" +
                                          std::string(line) + "'");
  if (const auto earlier = config.settings().find(key); earlier != config.settings().end())
    return fail(errc::invalid_config, origin + ": '" + std::string(key) +
                                          "' is set a second time, after " +
                                          earlier->second.origin);
  return config.set(key, std::string(*value), origin);
}

}  // namespace

result<configuration> parse_configuration(std::string_view text, const std::string& file) {
  configuration config;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const auto read = read_line(config, text.substr(0, end), file + ':' + std::to_string(number));
    if (!read) return tl::unexpected(read.error());
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return config;
}

result<configuration> load_configuration(file_system& files, const std::string& path) {
  constexpr std::uint64_t bytes_max = 1 << 20;
  return read_file(files, path, bytes_max).and_then([&](const std::string& text) {
    return parse_configuration(text, path);
  });
}

}  // namespace millrace
