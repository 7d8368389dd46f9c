#include "millrace/core/options.hpp"

#include <algorithm>
#include <thread>

#include "millrace/core/human_units.hpp"

namespace millrace::options {

namespace {

std::uint32_t cores_for_zero(std::uint32_t number) {
  return number != 0 ? number : std::max(1u, std::thread::hardware_concurrency());
}

/// "'10 s' (cluster.conf:3)"
std::string quoted(const configuration& config, const option_info& option) {
  return "'" + config.text_of(option) + "' (" + config.origin_of(option) + ")";
}

status check_high_availability(const configuration& config) {
  if (config.get(high_availability_type) == "none") return {};
  if (config.get(high_availability_directory).empty())
    return fail(errc::invalid_config, std::string(high_availability_type.key) + " is " +
                                          quoted(config, high_availability_type) + ", but " +
                                          std::string(high_availability_directory.key) +
                                          " is not set: set it to a directory that outlives the "
                                          "job manager's machine");
  const auto cluster = config.get(high_availability_cluster);
  if (cluster.empty() || cluster.front() == '.' || cluster.find('/') != std::string::npos)
    return fail(errc::invalid_config,
                std::string(high_availability_cluster.key) + " is " +
                    quoted(config, high_availability_cluster) +
                    " but must be the name of a folder, without '/' and not beginning with '.'");
  return {};
}

status check_local_state(const configuration& config) {
  const auto directory = config.get(local_state_directory);
  if (directory.find(',') == std::string::npos) return {};
  return fail(errc::invalid_config, std::string(local_state_directory.key) + " is " +
                                        quoted(config, local_state_directory) +
                                        " but must be one directory: a list is not supported");
}

std::string_view type_name(value_form form) noexcept {
  switch (form) {
    case value_form::boolean:
      return "boolean";
    case value_form::integer:
      return "integer";
    case value_form::duration:
      return "duration";
    case value_form::memory:
      return "memory size";
    case value_form::decimal:
      return "decimal";
    case value_form::text:
      return "text";
    case value_form::choice:
      return "choice";
  }
  return "";
}

}  // namespace

const option_info* find(std::string_view key) noexcept {
  const auto found = std::ranges::find(all, key, &option_info::key);
  return found == std::end(all) ? nullptr : *found;
}

std::uint32_t task_slots_of(const configuration& config) {
  return cores_for_zero(config.get(task_slots));
}

std::uint32_t worker_threads_of(const configuration& config) {
  return cores_for_zero(config.get(worker_threads));
}

status check(const configuration& config) {
  const auto must_not_exceed = [&](const auto& small, const auto& large, bool equal_is_fine,
                                   const char* relation) -> status {
    const auto a = config.get(small);
    const auto b = config.get(large);
    if (a < b || (equal_is_fine && a == b)) return {};
    return fail(errc::invalid_config, std::string(large.key) + " is " + quoted(config, large) +
                                          " but must be " + relation + " " +
                                          std::string(small.key) + ", which is " +
                                          quoted(config, small));
  };
  return must_not_exceed(heartbeat_interval, heartbeat_timeout, false, "longer than")
      .and_then([&] {
        return must_not_exceed(registration_initial_timeout, registration_max_timeout, true,
                               "at least");
      })
      .and_then([&] { return must_not_exceed(batch_bytes, channel_bytes, true, "at least"); })
      .and_then([&] { return check_high_availability(config); })
      .and_then([&] { return check_local_state(config); });
}

std::string markdown() {
  std::string out;
  std::string_view group;
  for (const option_info* option : all) {
    if (option->group != group) {
      group = option->group;
      out.append(out.empty() ? "" : "\n").append("## ").append(group).append("\n\n");
      out += "| Key | Default | Type | Set for | Description |\n| --- | --- | --- | --- | --- |\n";
    }
    out.append("| `").append(option->key).append("` | ");
    if (option->default_text.empty())
      out += "(empty)";
    else
      out.append("`").append(option->default_text).append("`");
    out.append(" | ").append(type_name(option->form));
    out += option->scope == option_scope::process ? " | processes | " : " | jobs | ";
    out += option->description;
    if (option->form != value_form::text && option->form != value_form::boolean) {
      out += " Expects " + expected_form(*option) + ".";
    }
    out += " |\n";
  }
  return out;
}

}  // namespace millrace::options
