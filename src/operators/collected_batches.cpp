#include "millrace/operators/collected_batches.hpp"

#include <utility>

namespace millrace {

void collected_batches::add(std::uint32_t subtask, batch_ptr rows) {
  std::lock_guard lock(mutex_);
  add_locked(subtask, std::move(rows));
}

void collected_batches::add_of(std::uint32_t subtask, std::uint64_t checkpoint,
                               std::vector<batch_ptr> rows) {
  std::lock_guard lock(mutex_);
  auto& last = last_checkpoint_[subtask];
  if (checkpoint <= last) return;
  last = checkpoint;
  for (auto& each : rows) add_locked(subtask, std::move(each));
}

void collected_batches::forget(std::uint32_t subtask) {
  std::lock_guard lock(mutex_);
  std::erase_if(parts_, [&](const part& p) {
    if (p.subtask != subtask) return false;
    size_ -= p.rows->size();
    return true;
  });
  last_checkpoint_.erase(subtask);
}

bool collected_batches::is_full() const {
  std::lock_guard lock(mutex_);
  return size_ >= limit_;
}

std::vector<batch_ptr> collected_batches::take() {
  std::lock_guard lock(mutex_);
  std::vector<batch_ptr> all;
  all.reserve(parts_.size());
  for (auto& p : std::exchange(parts_, {})) all.push_back(std::move(p.rows));
  size_ = 0;
  return all;
}

void collected_batches::add_locked(std::uint32_t subtask, batch_ptr rows) {
  if (size_ >= limit_) return;
  size_ += rows->size();
  parts_.push_back({subtask, std::move(rows)});
}

}  // namespace millrace
