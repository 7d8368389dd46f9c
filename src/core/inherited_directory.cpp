#include "millrace/core/inherited_directory.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "millrace/core/logging.hpp"

namespace millrace {

namespace {

namespace fs = std::filesystem;

struct unclaimed_directory {
  std::string path;
  fs::file_time_type changed;
};

/// When something was made or removed in a directory, or in one of its directories, last.
fs::file_time_type last_change(const fs::path& directory) {
  std::error_code failed;
  auto latest = fs::last_write_time(directory, failed);
  if (failed) return fs::file_time_type::min();
  for (fs::directory_iterator each(directory, failed), end; !failed && each != end;
       each.increment(failed)) {
    std::error_code gone;
    const auto changed = fs::last_write_time(each->path(), gone);
    if (!gone) latest = std::max(latest, changed);
  }
  return latest;
}

/// What another user has put there is not to be trusted, nor to be removed.
bool is_own_directory(const std::string& path) {
  struct ::stat found {};
  return ::lstat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode) &&
         found.st_uid == ::geteuid() && (found.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/// The latest first.
std::vector<unclaimed_directory> candidates_in(const std::string& parent,
                                               const std::string& prefix) {
  std::vector<unclaimed_directory> all;
  std::error_code failed;
  for (fs::directory_iterator each(parent, failed), end; !failed && each != end;
       each.increment(failed)) {
    const auto path = each->path().string();
    if (each->path().filename().string().starts_with(prefix) && is_own_directory(path))
      all.push_back({path, last_change(each->path())});
  }
  std::ranges::sort(all, [](const unclaimed_directory& a, const unclaimed_directory& b) {
    return a.changed != b.changed ? a.changed > b.changed : a.path < b.path;
  });
  return all;
}

/// Null if somebody has it, or has just removed it.
std::unique_ptr<directory_lock> lock_if_free(const std::string& path) {
  auto lock = directory_lock::acquire(path);
  std::error_code ignored;
  if (!lock || !fs::exists(path + "/lock", ignored)) return nullptr;
  return std::move(*lock);
}

tl::unexpected<error> cannot_make_inherited(const std::string& path, std::error_code why) {
  return fail(why == std::errc::permission_denied ? errc::permission_denied : errc::io,
              "can't make " + path + ": " + why.message());
}

}  // namespace

result<std::unique_ptr<inherited_directory>> inherited_directory::claim(const std::string& parent,
                                                                        const std::string& prefix,
                                                                        const std::string& token) {
  std::error_code failed;
  fs::create_directories(parent, failed);
  if (failed) return cannot_make_inherited(parent, failed);

  std::unique_ptr<inherited_directory> claimed;
  const auto oldest = fs::file_time_type::clock::now() - unclaimed_max;
  for (const auto& [path, changed] : candidates_in(parent, prefix)) {
    const bool is_abandoned = changed < oldest;
    if (claimed != nullptr && !is_abandoned) continue;
    auto lock = lock_if_free(path);
    if (lock == nullptr) continue;
    if (!is_abandoned) {
      claimed.reset(new inherited_directory(path, std::move(lock), true));
      continue;
    }
    log_event(log_level::info, "removing what a dead process has left", {{"path", path}});
    fs::remove_all(path, failed);
  }
  if (claimed != nullptr) return claimed;

  // Under another name until it is locked, so that nobody takes it for one that is free.
  const auto path = parent + "/" + prefix + token;
  const auto unlocked = parent + "/." + prefix + token;
  if (!fs::create_directory(unlocked, failed) && !failed)
    failed = std::make_error_code(std::errc::file_exists);
  if (failed) return cannot_make_inherited(path, failed);
  auto lock = directory_lock::acquire(unlocked);
  if (!lock) return tl::unexpected(lock.error());
  fs::permissions(unlocked, fs::perms::owner_all, failed);
  if (!failed) fs::rename(unlocked, path, failed);
  if (failed) {
    std::error_code ignored;
    fs::remove_all(unlocked, ignored);
    return cannot_make_inherited(path, failed);
  }
  return std::unique_ptr<inherited_directory>(
      new inherited_directory(path, std::move(*lock), false));
}

inherited_directory::~inherited_directory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace millrace
