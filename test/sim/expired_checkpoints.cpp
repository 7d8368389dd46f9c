#include "sim/expired_checkpoints.hpp"

#include <chrono>

#include "sim/plan.hpp"

namespace millrace::sim {

namespace {

constexpr std::string_view line_of_failure = "checkpoint failed ";
constexpr std::string_view by_expiry = " reason=\"expired";
/// By as much, and no more, a timer may be late when nothing delays it but other work.
constexpr std::chrono::seconds lateness_max{1};
/// One defect makes many.
constexpr std::size_t hung_max = 3;

}  // namespace

void expired_checkpoints::on_line(std::string_view line, time_point now) {
  if (!line.starts_with(line_of_failure) || line.find(by_expiry) == std::string_view::npos) return;
  all_.push_back({now - timeout_, std::string(line.substr(line_of_failure.size()))});
}

std::vector<std::string> expired_checkpoints::violations(time_point last_trouble) const {
  std::vector<std::string> found;
  if (timeout_ < ample_checkpoint_timeout) return found;
  for (const auto& [begun, what] : all_)
    if (begun > last_trouble + lateness_max && found.size() < hung_max)
      found.push_back("a checkpoint hung that began after all faults had healed: " + what);
  return found;
}

}  // namespace millrace::sim
