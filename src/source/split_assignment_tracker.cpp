#include "millrace/source/split_assignment_tracker.hpp"

#include <iterator>
#include <utility>

namespace millrace {

void split_assignment_tracker::on_assigned(std::uint32_t subtask,
                                           const std::vector<encoded_split>& splits) {
  auto& assigned = since_[subtask];
  assigned.insert(assigned.end(), splits.begin(), splits.end());
}

void split_assignment_tracker::on_checkpoint(checkpoint_id checkpoint) {
  if (!since_.empty()) before_[checkpoint] = std::exchange(since_, {});
}

void split_assignment_tracker::on_checkpoint_complete(checkpoint_id checkpoint) {
  before_.erase(before_.begin(), before_.upper_bound(checkpoint));
}

std::vector<encoded_split> split_assignment_tracker::take_back(std::uint32_t subtask,
                                                               checkpoint_id restored) {
  std::vector<encoded_split> back;
  const auto take = [&](assignments& from) {
    auto found = from.extract(subtask);
    if (found.empty()) return;
    auto& splits = found.mapped();
    back.insert(back.end(), std::make_move_iterator(splits.begin()),
                std::make_move_iterator(splits.end()));
  };
  for (auto it = before_.upper_bound(restored); it != before_.end(); ++it) take(it->second);
  take(since_);
  return back;
}

}  // namespace millrace
