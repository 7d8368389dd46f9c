#include "millrace/core/kill_point.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

namespace millrace {

namespace {

constexpr std::array<std::string_view, 56> names{
    "artifact-written",    "artifact-renamed",     "job-accepted",         "epoch-begun",
    "origin-loaded",       "tasks-deployed",       "checkpoint-numbered",  "shared-begun",
    "checkpoint-begun",    "checkpoint-triggered", "task-acknowledged",    "metadata-written",
    "metadata-synced",     "metadata-renamed",     "metadata-stored",      "document-written",
    "document-renamed",    "checkpoint-recorded",  "checkpoint-announced", "checkpoint-forgotten",
    "snapshot-unnamed",    "snapshot-removed",     "shared-removed",       "shared-cleared",
    "claimed-unnamed",     "claimed-removed",      "savepoint-begun",      "result-stored",
    "checkpoints-removed", "graph-removed",        "program-renamed",      "file-copied",
    "state-read",          "log-replayed",         "task-restored",        "log-cut",
    "base-made",           "image-linked",         "snapshot-taken",       "copy-begun",
    "state-begun",         "state-written",        "state-synced",         "state-acknowledged",
    "part-opened",         "part-copied",          "part-synced",          "part-closed",
    "completion-received", "copies-confirmed",     "copies-removed",       "commit-begun",
    "part-renamed",        "parts-committed",      "changes-applied",      "transaction-committed"};
static_assert(names.size() == static_cast<std::size_t>(kill_point::transaction_committed) + 1);
static_assert(!names.back().empty());

/// Written before is_any_kill_point_armed is set.
kill_point armed_place{};
std::atomic<std::int64_t> passes_left{0};

}  // namespace

std::atomic<bool> detail::is_any_kill_point_armed{false};

std::span<const std::string_view> kill_point_names() noexcept {
  return names;
}

status arm_kill_point(std::string_view setting) {
  detail::is_any_kill_point_armed = false;
  if (setting.empty()) return {};
  const auto colon = setting.find(':');
  const auto name = setting.substr(0, colon);
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    std::string text = "there is no kill point '" + std::string(name) + "', only";
    for (const auto& each : names) text.append(" ").append(each);
    return fail(errc::invalid_config, std::move(text));
  }
  std::int64_t passes = 1;
  if (colon != setting.npos) {
    const auto* end = setting.data() + setting.size();
    const auto [rest, problem] = std::from_chars(setting.data() + colon + 1, end, passes);
    if (problem != std::errc() || rest != end || passes < 1)
      return fail(errc::invalid_config, "the kill point '" + std::string(setting) +
                                            "' does not say which time, such as '" +
                                            std::string(name) + ":3'");
  }
  armed_place = static_cast<kill_point>(found - names.begin());
  passes_left = passes;
  detail::is_any_kill_point_armed.store(true, std::memory_order_release);
  return {};
}

void detail::pass_armed(kill_point place) noexcept {
  if (place != armed_place || passes_left.fetch_sub(1) != 1) return;
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();  // nothing happens behind it, not even in this thread
}

}  // namespace millrace
