#include "millrace/core/configuration.hpp"

#include <algorithm>

#include "millrace/core/assert.hpp"
#include "millrace/core/edit_distance.hpp"
#include "millrace/core/options.hpp"

namespace millrace {

namespace {

tl::unexpected<error> unknown_key(std::string_view key, const std::string& origin) {
  std::vector<std::string_view> keys;
  for (const option_info* option : options::all) keys.push_back(option->key);
  std::string message = origin + ": unknown key '" + std::string(key) + "'";
  const std::string_view nearest = nearest_word(key, keys);
  if (nearest.empty())
    message += "; 'millrace help keys' lists all";
  else
    message.append(", did you mean '").append(nearest).append("'?");
  return fail(errc::invalid_config, std::move(message));
}

/// Whether a value must be quoted to be read back as it is.
bool needs_quotes(std::string_view value) {
  return value.find('#') != std::string_view::npos || value.starts_with('"') ||
         value.starts_with(' ') || value.ends_with(' ');
}

}  // namespace

status configuration::set(std::string_view key, std::string value, std::string origin) {
  const option_info* option = options::find(key);
  if (option == nullptr) return unknown_key(key, origin);
  const auto number = read_option_value(*option, value);
  if (!number)
    return fail(errc::invalid_config, origin + ": '" + value + "' is no value for '" +
                                          std::string(key) + "': expected " + number.error());
  settings_.insert_or_assign(std::string(key), setting{std::move(value), std::move(origin)});
  return {};
}

status configuration::set_assignment(std::string_view assignment, const std::string& origin) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string_view::npos)
    return fail(errc::invalid_config,
                origin + ": expected key=value, found '" + std::string(assignment) + "'");
  return set(assignment.substr(0, equals), std::string(assignment.substr(equals + 1)), origin);
}

void configuration::merge(const configuration& other) {
  for (const auto& [key, value] : other.settings_) settings_.insert_or_assign(key, value);
}

std::string configuration::text_of(const option_info& option) const {
  const auto found = settings_.find(option.key);
  return found == settings_.end() ? std::string(option.default_text) : found->second.value;
}

std::string configuration::origin_of(const option_info& option) const {
  const auto found = settings_.find(option.key);
  return found == settings_.end() ? "default" : found->second.origin;
}

std::int64_t configuration::number_of(const option_info& option) const {
  const auto found = settings_.find(option.key);
  const auto number = read_option_value(
      option, found == settings_.end() ? option.default_text : found->second.value);
  MILLRACE_ASSERT(number.has_value(), "an option's default, or a value set, was not checked");
  return *number;
}

std::vector<std::pair<std::string, std::string>> configuration::pairs() const {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [key, value] : settings_) out.emplace_back(key, value.value);
  return out;
}

std::string configuration::to_text() const {
  std::vector<std::string> lines;
  std::size_t widest = 0;
  for (const option_info* option : options::all) {
    const std::string value = text_of(*option);
    lines.push_back(std::string(option->key) + " = " +
                    (needs_quotes(value) ? '"' + value + '"' : value));
    widest = std::max(widest, lines.back().size());
  }
  std::string out;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    lines[i].resize(widest + 2, ' ');
    out += lines[i] + "# " + origin_of(*options::all[i]) + '\n';
  }
  return out;
}

}  // namespace millrace
