#include "millrace/stream/watermark_alignment.hpp"

#include <algorithm>

namespace millrace {

std::optional<timestamp_ms> alignment_coordinator::on_report(const execution_attempt_id& task,
                                                             std::uint32_t operator_index,
                                                             const alignment_report& report) {
  auto& group = groups_[report.group];
  const auto [member, is_new] = group.members.insert_or_assign({task, operator_index}, report);
  // One that has just come has not heard the limit yet.
  if (update(group) || (is_new && group.limit != max_watermark)) return group.limit;
  return std::nullopt;
}

std::vector<std::pair<std::string, timestamp_ms>> alignment_coordinator::forget(
    const std::function<bool(const execution_attempt_id&)>& has_ended) {
  std::vector<std::pair<std::string, timestamp_ms>> changed;
  for (auto& [name, group] : groups_) {
    const auto gone = std::erase_if(
        group.members, [&](const auto& member) { return has_ended(member.first.first); });
    if (gone != 0 && update(group)) changed.emplace_back(name, group.limit);
  }
  return changed;
}

std::vector<execution_attempt_id> alignment_coordinator::members_of(
    const std::string& group) const {
  std::vector<execution_attempt_id> tasks;
  const auto found = groups_.find(group);
  if (found == groups_.end()) return tasks;
  for (const auto& [member, report] : found->second.members)
    if (tasks.empty() || tasks.back() != member.first) tasks.push_back(member.first);
  return tasks;
}

bool alignment_coordinator::update(group_state& group) {
  auto slowest = max_watermark;
  auto drift = max_watermark;
  for (const auto& [member, report] : group.members) {
    drift = std::min(drift, std::max<timestamp_ms>(report.max_drift_ms, 0));
    if (!report.is_idle) slowest = std::min(slowest, report.watermark);
  }
  const auto limit = slowest > max_watermark - drift ? max_watermark : slowest + drift;
  return std::exchange(group.limit, limit) != limit;
}

}  // namespace millrace
