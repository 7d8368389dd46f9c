#include "sim/checkpoint_files.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "millrace/checkpoint/file_tree.hpp"
#include "millrace/checkpoint/shared_files.hpp"
#include "millrace/checkpoint/snapshot_directory.hpp"

namespace millrace::sim {

namespace {

/// The master removes things one after the other, and completes no checkpoint ahead of what it has
/// to remove by then.
constexpr std::size_t completions_max = 3;
/// One defect makes many.
constexpr std::size_t violations_max = 3;
constexpr std::string_view shared_prefix = "shared/";

/// The number at the begin of "<n>/<file>".
std::uint64_t storing_checkpoint_of(const std::string& file) {
  std::uint64_t number = 0;
  std::from_chars(file.data(), file.data() + file.size(), number);
  return number;
}

/// The number of "…/chk-<n>".
std::uint64_t number_of(const std::string& checkpoint) {
  return storing_checkpoint_of(checkpoint.substr(checkpoint.rfind('-') + 1));
}

}  // namespace

void checkpoint_files::complain(std::string what) {
  if (violations_.size() < violations_max &&
      std::find(violations_.begin(), violations_.end(), what) == violations_.end())
    violations_.push_back(std::move(what));
}

const checkpoint_files::file_set* checkpoint_files::shared_of(const std::string& checkpoint) {
  const auto known = shared_of_.find(checkpoint);
  if (known != shared_of_.end()) return &known->second;
  const auto metadata = load_checkpoint(files_, checkpoint);
  if (!metadata) {
    complain(metadata.error().message);
    return &shared_of_[checkpoint];
  }
  const auto files = shared_files_of(*metadata);
  return &(shared_of_[checkpoint] = file_set(files.begin(), files.end()));
}

std::map<std::string, checkpoint_files::content> checkpoint_files::found() {
  std::map<std::string, content> all;
  const auto prefix = directory_ + "/";
  for (const auto& path : files_.paths()) {
    if (!path.starts_with(prefix)) continue;
    const auto job = path.substr(0, path.find('/', prefix.size()));
    auto& its = all[job];
    const auto inside = path.substr(job.size() + 1);
    if (inside.starts_with(shared_prefix)) {
      its.shared.insert(inside.substr(shared_prefix.size()));
    } else {
      its.others.push_back(path);
      if (last_part_of(path) == metadata_file_name)
        its.completed[parent_of(path)] = shared_of(parent_of(path));
    }
  }
  return all;
}

bool checkpoint_files::is_needed(const content& its, const std::string& file) {
  return std::any_of(its.completed.begin(), its.completed.end(),
                     [&](const auto& checkpoint) { return checkpoint.second->contains(file); });
}

void checkpoint_files::look() {
  for (const auto& [job, its] : found()) {
    auto& before = past_[job];
    std::uint64_t latest = before.latest;
    std::size_t seen = 0;
    for (const auto& [checkpoint, shared] : its.completed) {
      if (before.completed.insert(checkpoint).second) {
        ++seen;
        if (const auto whole = check_snapshot_files(files_, checkpoint); !whole)
          complain("checkpoint " + checkpoint +
                   " is complete, and not whole: " + whole.error().message);
      }
      latest = std::max(latest, number_of(checkpoint));
      for (const auto& file : *shared)
        if (!its.shared.contains(file))
          complain("checkpoint " + checkpoint + " is complete, but its file shared/" + file +
                   " is gone");
    }
    // One that came and went since the last look may have had any file, and others may have had it
    // for their base.
    if (latest > std::exchange(before.latest, latest) + seen) before.unneeded.clear();
    for (const auto& file : its.shared) {
      if (storing_checkpoint_of(file) > latest || is_needed(its, file)) {
        before.unneeded.erase(file);
        continue;
      }
      const auto since = before.unneeded.try_emplace(file, before.completed.size()).first->second;
      if (before.completed.size() >= since + completions_max)
        complain("the file " + job + "/shared/" + file + " stays, though no checkpoint has it");
    }
  }
}

std::vector<std::string> checkpoint_files::problems_at_end(std::size_t kept_max) {
  std::vector<std::string> problems;
  for (const auto& [job, its] : found()) {
    if (its.completed.size() > kept_max)
      problems.push_back(std::to_string(its.completed.size()) + " checkpoints are left in " + job);
    for (const auto& [checkpoint, shared] : its.completed)
      if (const auto whole = check_snapshot_files(files_, checkpoint); !whole)
        problems.push_back("a checkpoint that is left is damaged: " + whole.error().message);
    for (const auto& path : its.others)
      if (!its.completed.contains(parent_of(path)))
        problems.push_back("the file " + path + " is left");
    for (const auto& file : its.shared)
      if (!is_needed(its, file))
        problems.push_back("the file " + job + "/shared/" + file + " is left");
  }
  return problems;
}

}  // namespace millrace::sim
