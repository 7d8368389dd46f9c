#include "millrace/checkpoint/local_copies.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "millrace/checkpoint/file_tree.hpp"
#include "millrace/checkpoint/task_state_store.hpp"
#include "millrace/core/kill_point.hpp"
#include "millrace/core/logging.hpp"

namespace millrace {

namespace {

constexpr std::string_view checkpoint_prefix = "chk-";
constexpr std::string_view shared_copies_folder = "shared";

std::uint64_t number_of(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// A copy as a walk over the directory of a job finds it.
struct found_copy {
  std::string path;
  std::string name;          ///< See job_copies::name_of.
  checkpoint_id checkpoint;  ///< That has stored it.
};

void add_files(file_system& disk, const std::string& directory, const std::string& name,
               std::uint64_t checkpoint, std::vector<found_copy>& to) {
  const auto entries = disk.list(directory);
  if (!entries) return;
  for (const auto& entry : *entries)
    if (!entry.is_directory)
      to.push_back({entry.path, name + "/" + last_part_of(entry.path), {checkpoint}});
}

std::vector<found_copy> copies_in(file_system& disk, const std::string& job_directory) {
  std::vector<found_copy> all;
  const auto entries = disk.list(job_directory);
  if (!entries) return all;
  for (const auto& entry : *entries) {
    const auto name = last_part_of(entry.path);
    if (name.starts_with(checkpoint_prefix))
      add_files(disk, entry.path, name, number_of(name.substr(checkpoint_prefix.size())), all);
    if (name != shared_copies_folder) continue;
    const auto numbers = disk.list(entry.path);
    if (!numbers) continue;
    for (const auto& each : *numbers) {
      const auto number = last_part_of(each.path);
      add_files(disk, each.path, name + "/" + number, number_of(number), all);
    }
  }
  return all;
}

void log_failure(const std::string& what, const error& why) {
  log_event(log_level::warn, what, {{"reason", why.message}});
}

}  // namespace

std::uint32_t copied_job::slots() const {
  std::map<std::uint32_t, std::uint32_t> by_vertex;
  std::uint32_t most = 0;
  for (const auto& [vertex, subtask] : subtasks) most = std::max(most, ++by_vertex[vertex]);
  return most;
}

local_copies::local_copies(std::shared_ptr<file_system> disk, std::string directory)
    : disk_(std::move(disk)), directory_(std::move(directory)) {}

std::string local_copies::directory_of(const job_id& job) const {
  return directory_ + "/" + to_string(job);
}

void local_copies::recover(time_point now) {
  const auto entries = disk_->list(directory_);
  if (!entries) return;
  for (const auto& entry : *entries) {
    const auto job = parse_id<job_id>(last_part_of(entry.path));
    if (!job || !entry.is_directory) continue;
    known_job found;
    found.idle_since = now;
    for (const auto& copy : copies_in(*disk_, entry.path))
      if (const auto who = subtask_of_state_file(last_part_of(copy.name)))
        found.subtasks.insert(*who);
    log_event(log_level::info, "found local copies of state",
              {{"job", to_string(*job)}, {"subtasks", std::to_string(found.subtasks.size())}});
    std::lock_guard lock(mutex_);
    jobs_.try_emplace(*job, std::move(found));
  }
}

// -- jobs -----------------------------------------------------------------------------------------

void local_copies::job_came(const job_id& job) {
  std::lock_guard lock(mutex_);
  auto& known = jobs_[job];
  known.is_here = true;
  known.has_ended = false;
}

void local_copies::job_left(const job_id& job, bool has_ended, time_point now) {
  std::lock_guard lock(mutex_);
  const auto found = jobs_.find(job);
  if (found == jobs_.end()) return;
  found->second.is_here = false;
  found->second.has_ended = has_ended;
  found->second.idle_since = now;
}

bool local_copies::known_job::is_over(time_point now) const {
  return !is_here && !is_being_removed && writers == 0 &&
         (has_ended || now - idle_since >= idle_max);
}

bool local_copies::is_untidy(time_point now) const {
  std::lock_guard lock(mutex_);
  return std::ranges::any_of(jobs_, [&](const auto& each) { return each.second.is_over(now); });
}

void local_copies::tidy(time_point now) {
  std::vector<job_id> over;
  {
    std::lock_guard lock(mutex_);
    for (auto& [id, job] : jobs_)
      if (job.is_over(now)) {
        job.is_being_removed = true;
        over.push_back(id);
      }
  }
  for (const auto& id : over) {
    if (auto removed = remove_tree(*disk_, directory_of(id)); !removed)
      log_failure("can't remove local copies of state", removed.error());
    pass(kill_point::copies_removed);
    std::lock_guard lock(mutex_);
    auto& job = jobs_.at(id);
    // It may have come back, and then begins afresh.
    if (job.is_here) {
      job = {};
      job.is_here = true;
    } else {
      jobs_.erase(id);
    }
  }
}

bool local_copies::begin_write(const job_id& job) {
  std::lock_guard lock(mutex_);
  const auto found = jobs_.find(job);
  if (found == jobs_.end() || !found->second.is_here || found->second.is_being_removed)
    return false;
  ++found->second.writers;
  return true;
}

void local_copies::end_write(const job_id& job) {
  std::lock_guard lock(mutex_);
  --jobs_.at(job).writers;
}

void local_copies::note_write(const status& done) {
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(is_failing_, !done) || done) return;
  }
  log_failure("can't write local copies of state, and goes on without", done.error());
}

// -- checkpoints ----------------------------------------------------------------------------------

void local_copies::need(const job_id& job, checkpoint_id checkpoint,
                        const std::vector<std::string>& names) {
  std::lock_guard lock(mutex_);
  const auto found = jobs_.find(job);
  if (found != jobs_.end()) found->second.needed[checkpoint].insert(names.begin(), names.end());
}

/// Removes the copies of a job that are not wanted; the names of the others.
template <class IsWanted>
std::vector<std::string> local_copies::keep_only(const job_id& job, IsWanted&& is_wanted) {
  std::vector<std::string> kept;
  std::set<std::string> emptied;
  for (auto& copy : copies_in(*disk_, directory_of(job))) {
    if (is_wanted(copy)) {
      kept.push_back(std::move(copy.name));
      continue;
    }
    if (auto removed = fine_if_missing(disk_->remove(copy.path)); !removed)
      log_failure("can't remove a local copy of state", removed.error());
    emptied.insert(parent_of(copy.path));
  }
  for (const auto& directory : emptied)
    if (const auto others = disk_->list(directory); others && others->empty())
      static_cast<void>(disk_->remove(directory));
  return kept;
}

void local_copies::confirm(const job_id& job, checkpoint_id checkpoint) {
  std::set<std::string> wanted;
  {
    std::lock_guard lock(mutex_);
    const auto found = jobs_.find(job);
    if (found == jobs_.end() || !found->second.is_here) return;
    auto& needed = found->second.needed;
    needed.erase(needed.begin(), needed.lower_bound(checkpoint));
    for (const auto& [later, names] : needed) wanted.insert(names.begin(), names.end());
  }
  const auto kept = keep_only(job, [&](const found_copy& copy) {
    return copy.checkpoint > checkpoint || wanted.contains(copy.name);
  });
  pass(kill_point::copies_confirmed);
  std::set<graph::subtask_ref> subtasks;
  for (const auto& name : kept)
    if (const auto who = subtask_of_state_file(last_part_of(name))) subtasks.insert(*who);
  std::lock_guard lock(mutex_);
  if (const auto found = jobs_.find(job); found != jobs_.end())
    found->second.subtasks = std::move(subtasks);
}

void local_copies::abort(const job_id& job, checkpoint_id checkpoint) {
  {
    std::lock_guard lock(mutex_);
    const auto found = jobs_.find(job);
    if (found == jobs_.end() || !found->second.is_here) return;
    found->second.needed.erase(checkpoint);
  }
  keep_only(job, [&](const found_copy& copy) { return copy.checkpoint != checkpoint; });
}

std::vector<copied_job> local_copies::jobs() const {
  std::lock_guard lock(mutex_);
  std::vector<copied_job> all;
  for (const auto& [id, job] : jobs_)
    if (!job.has_ended && !job.subtasks.empty())
      all.push_back({id, {job.subtasks.begin(), job.subtasks.end()}});
  return all;
}

copied_job local_copies::copies_of(const job_id& job) const {
  std::lock_guard lock(mutex_);
  const auto found = jobs_.find(job);
  if (found == jobs_.end()) return {job, {}};
  return {job, {found->second.subtasks.begin(), found->second.subtasks.end()}};
}

}  // namespace millrace
