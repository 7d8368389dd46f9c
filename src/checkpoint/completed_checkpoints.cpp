#include "millrace/checkpoint/completed_checkpoints.hpp"

#include "millrace/core/assert.hpp"

namespace millrace {

std::vector<checkpoint_id> completed_checkpoints::add(checkpoint_id completed) {
  MILLRACE_ASSERT(completed > latest(), "a checkpoint was completed behind a later one");
  kept_.push_back(completed);
  if (kept_.size() <= retained_) return {};
  const auto first_kept = kept_.end() - static_cast<std::ptrdiff_t>(retained_);
  std::vector<checkpoint_id> removed(kept_.begin(), first_kept);
  kept_.erase(kept_.begin(), first_kept);
  return removed;
}

}  // namespace millrace
