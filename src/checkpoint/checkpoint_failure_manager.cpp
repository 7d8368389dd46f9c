#include "millrace/checkpoint/checkpoint_failure_manager.hpp"

namespace millrace {

std::string_view to_string(checkpoint_failure why) noexcept {
  switch (why) {
    case checkpoint_failure::expired:
      return "expired";
    case checkpoint_failure::declined:
      return "declined by a task";
    case checkpoint_failure::storage:
      return "storage failed";
    case checkpoint_failure::coordinator:
      return "coordinator failed";
    case checkpoint_failure::task_failed:
      return "a task failed";
    case checkpoint_failure::task_finished:
      return "a task finished meanwhile";
    case checkpoint_failure::not_running:
      return "not all tasks run";
    case checkpoint_failure::subsumed:
      return "subsumed by a later one";
    case checkpoint_failure::stopped:
      return "the job ends";
    case checkpoint_failure::job_finished:
      return "the job has finished";
  }
  return "";
}

bool is_of_its_own(checkpoint_failure why) noexcept {
  switch (why) {
    case checkpoint_failure::expired:
    case checkpoint_failure::declined:
    case checkpoint_failure::storage:
    case checkpoint_failure::coordinator:
      return true;
    case checkpoint_failure::task_failed:
    case checkpoint_failure::task_finished:
    case checkpoint_failure::not_running:
    case checkpoint_failure::subsumed:
    case checkpoint_failure::stopped:
    case checkpoint_failure::job_finished:
      return false;
  }
  return false;
}

bool checkpoint_failure_manager::on_failure(checkpoint_failure why) {
  if (!is_of_its_own(why)) return false;
  if (++in_a_row_ <= tolerable_) return false;
  in_a_row_ = 0;
  return true;
}

}  // namespace millrace
