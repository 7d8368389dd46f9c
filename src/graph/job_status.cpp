#include "millrace/graph/job_status.hpp"

#include <array>

namespace millrace::graph {

std::string_view to_string(job_status status) noexcept {
  static constexpr std::array<std::string_view, job_status_count> names = {
      "CREATED",  "RUNNING",  "FAILING",    "FAILED",   "CANCELLING",
      "CANCELED", "FINISHED", "RESTARTING", "SUSPENDED"};
  auto index = static_cast<std::size_t>(status);
  return index < names.size() ? names[index] : "UNKNOWN";
}

bool is_globally_terminal(job_status status) noexcept {
  return status == job_status::failed || status == job_status::canceled ||
         status == job_status::finished;
}

bool is_terminal(job_status status) noexcept {
  return is_globally_terminal(status) || status == job_status::suspended;
}

bool can_transition(job_status from, job_status to) noexcept {
  using enum job_status;
  if (is_terminal(from)) return false;
  if (to == suspended) return true;
  switch (from) {
    case created:
      return to == running || to == failing || to == cancelling;
    case running:
      return to == finished || to == restarting || to == failing || to == cancelling;
    case restarting:
      return to == running || to == failing || to == cancelling;
    case failing:
      return to == failed || to == cancelling;
    case cancelling:
      return to == canceled;
    default:
      return false;
  }
}

}  // namespace millrace::graph
