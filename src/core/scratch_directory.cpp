#include "millrace/core/scratch_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "millrace/core/logging.hpp"

namespace millrace {

namespace {

constexpr std::string_view lock_suffix = ".lock";

/// Whether the open file is still what the path means: another process may have removed it between
/// opening and locking.
bool is_same_file(int file, const std::string& path) {
  struct ::stat open_one {};
  struct ::stat named {};
  return ::fstat(file, &open_one) == 0 && ::stat(path.c_str(), &named) == 0 &&
         open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
}

/// Of a file that is there: open, with the lock, or -1.
int lock_abandoned(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return -1;
  if (::flock(file, LOCK_EX | LOCK_NB) == 0 && is_same_file(file, path)) return file;
  ::close(file);
  return -1;
}

/// Of a file that is not there yet: open, with the lock, or -1 with errno. Until it is locked,
/// another process that starts may take it for abandoned: that one is waited for, and the file made
/// again.
int make_locked(const std::string& path) {
  for (;;) {
    const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_CREAT | O_EXCL, 0600);
    if (file < 0) return -1;
    while (::flock(file, LOCK_EX) != 0) {
      if (errno == EINTR) continue;
      const int why = errno;
      ::close(file);
      errno = why;
      return -1;
    }
    if (is_same_file(file, path)) return file;
    ::close(file);
  }
}

/// The directory goes before the file that says whose it is.
void remove_with_lock(const std::string& path, int lock) {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
  ::unlink((path + std::string(lock_suffix)).c_str());
  ::close(lock);
}

void remove_abandoned(const std::string& parent, const std::string& prefix) {
  std::error_code failed;
  for (std::filesystem::directory_iterator each(parent, failed), end; !failed && each != end;
       each.increment(failed)) {
    const auto name = each->path().filename().string();
    if (!name.starts_with(prefix) || !name.ends_with(lock_suffix)) continue;
    const auto path = each->path().string();
    const int lock = lock_abandoned(path);
    if (lock < 0) continue;  // it is in use, or somebody else removes it
    const auto abandoned = path.substr(0, path.size() - lock_suffix.size());
    log_event(log_level::info, "removing what a dead process has left", {{"path", abandoned}});
    remove_with_lock(abandoned, lock);
  }
}

tl::unexpected<error> cannot_make(const std::string& path, std::error_code why) {
  return fail(why == std::errc::permission_denied ? errc::permission_denied : errc::invalid_config,
              "can't make " + path + ": " + why.message());
}

}  // namespace

result<std::unique_ptr<scratch_directory>> scratch_directory::make(const std::string& parent,
                                                                   const std::string& prefix,
                                                                   const std::string& token) {
  auto path = (std::filesystem::path(parent) / (prefix + std::to_string(::getpid()) + "-" + token))
                  .string();
  std::error_code failed;
  std::filesystem::create_directories(parent, failed);
  if (failed) return cannot_make(path, failed);
  remove_abandoned(parent, prefix);
  const int lock = make_locked(path + std::string(lock_suffix));
  if (lock < 0) return cannot_make(path, {errno, std::generic_category()});
  std::filesystem::create_directory(path, failed);
  if (!failed) std::filesystem::permissions(path, std::filesystem::perms::owner_all, failed);
  if (failed) {
    remove_with_lock(path, lock);
    return cannot_make(path, failed);
  }
  return std::unique_ptr<scratch_directory>(new scratch_directory(std::move(path), lock));
}

scratch_directory::~scratch_directory() {
  remove_with_lock(path_, lock_);
}

}  // namespace millrace
