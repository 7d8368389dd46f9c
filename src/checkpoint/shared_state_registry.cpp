#include "millrace/checkpoint/shared_state_registry.hpp"

#include <charconv>
#include <utility>

#include "millrace/core/assert.hpp"
#include "millrace/core/mutant.hpp"

namespace millrace {

namespace {

std::string directory_prefix_of(checkpoint_id checkpoint) {
  return std::to_string(checkpoint.number) + "/";
}

checkpoint_id stored_by(const std::string& file) {
  checkpoint_id id;
  std::from_chars(file.data(), file.data() + file.size(), id.number);
  return id;
}

}  // namespace

void shared_state_registry::begin(checkpoint_id checkpoint, checkpoint_id base) {
  MILLRACE_ASSERT(!checkpoints_.contains(checkpoint), "a checkpoint begins once");
  const auto found = checkpoints_.find(base);
  auto files = found == checkpoints_.end() ? std::set<std::string>() : found->second.files;
  if (MILLRACE_MUTANT(base_not_held)) files.clear();
  hold(files);
  checkpoints_[checkpoint] = {std::move(files), false};
}

shared_state_registry::removal shared_state_registry::complete(
    checkpoint_id checkpoint, const std::vector<std::string>& files) {
  const auto found = checkpoints_.find(checkpoint);
  if (found == checkpoints_.end()) return {};
  std::set<std::string> its(files.begin(), files.end());
  hold(its);  // before what it shares with its base is released
  std::vector<std::string> unused;
  release(found->second.files, unused);
  found->second = {std::move(its), true};
  return removal_of(checkpoint, unused);
}

shared_state_registry::removal shared_state_registry::drop(checkpoint_id checkpoint) {
  unknown_.erase(checkpoint);
  const auto found = checkpoints_.find(checkpoint);
  if (found == checkpoints_.end()) return {};
  const auto dropped = std::move(found->second);
  checkpoints_.erase(found);
  std::vector<std::string> unused;
  release(dropped.files, unused);
  if (MILLRACE_MUTANT(shared_file_removed_early))
    unused.assign(dropped.files.begin(), dropped.files.end());
  // What was never complete has stored nothing that anybody could refer to.
  if (!unknown_.empty()) return dropped.is_complete ? removal() : removal{{checkpoint}, {}};
  return removal_of(checkpoint, unused);
}

void shared_state_registry::recover(checkpoint_id checkpoint,
                                    const std::vector<std::string>& files) {
  if (MILLRACE_MUTANT(recovered_files_forgotten)) return;
  std::set<std::string> its(files.begin(), files.end());
  hold(its);
  checkpoints_[checkpoint] = {std::move(its), true};
}

void shared_state_registry::hold(const std::set<std::string>& files) {
  for (const auto& file : files) ++holders_[file];
}

void shared_state_registry::release(const std::set<std::string>& files,
                                    std::vector<std::string>& unused) {
  for (const auto& file : files) {
    const auto found = holders_.find(file);
    if (--found->second != 0) continue;
    holders_.erase(found);
    if (!MILLRACE_MUTANT(shared_file_kept)) unused.push_back(file);
  }
}

bool shared_state_registry::has_files_of(checkpoint_id checkpoint) const {
  const auto prefix = directory_prefix_of(checkpoint);
  const auto first = holders_.lower_bound(prefix);
  return first != holders_.end() && first->first.starts_with(prefix);
}

shared_state_registry::removal shared_state_registry::removal_of(
    checkpoint_id ended, const std::vector<std::string>& unused) const {
  removal all;
  std::set<checkpoint_id> emptied;
  if (!has_files_of(ended)) emptied.insert(ended);
  if (unknown_.empty())
    for (const auto& file : unused) {
      const auto from = stored_by(file);
      if (has_files_of(from))
        all.files.push_back(file);
      else
        emptied.insert(from);
    }
  all.directories.assign(emptied.begin(), emptied.end());
  return all;
}

}  // namespace millrace
