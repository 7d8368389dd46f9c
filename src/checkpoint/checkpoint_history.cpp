#include "millrace/checkpoint/checkpoint_history.hpp"

#include <utility>

namespace millrace {

std::string_view to_string(checkpoint_status how) noexcept {
  switch (how) {
    case checkpoint_status::in_progress:
      return "IN PROGRESS";
    case checkpoint_status::completed:
      return "COMPLETED";
    case checkpoint_status::failed:
      return "FAILED";
  }
  return "";
}

std::string_view to_string(checkpoint_kind kind) noexcept {
  switch (kind) {
    case checkpoint_kind::checkpoint:
      return "checkpoint";
    case checkpoint_kind::savepoint:
      return "savepoint";
    case checkpoint_kind::final_savepoint:
      return "final savepoint";
  }
  return "";
}

std::string_view to_string(subtask_checkpoint_status how) noexcept {
  switch (how) {
    case subtask_checkpoint_status::awaited:
      return "AWAITED";
    case subtask_checkpoint_status::acknowledged:
      return "ACKNOWLEDGED";
    case subtask_checkpoint_status::ended:
      return "ENDED";
  }
  return "";
}

void checkpoint_history::add(checkpoint_record ended, std::vector<subtask_checkpoint> subtasks) {
  ++(ended.status == checkpoint_status::completed ? completed_ : failed_);
  subtasks_[ended.checkpoint] = std::move(subtasks);
  ended_.push_back(std::move(ended));
  if (ended_.size() <= size_max) return;
  subtasks_.erase(ended_.front().checkpoint);
  ended_.pop_front();
}

}  // namespace millrace
