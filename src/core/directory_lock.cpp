#include "millrace/core/directory_lock.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>

namespace millrace {

namespace {

tl::unexpected<error> lock_failure(const std::string& path, int number) {
  return fail(
      number == EACCES || number == EPERM || number == EROFS ? errc::permission_denied : errc::io,
      "can't lock '" + path + "': " + std::generic_category().message(number));
}

/// "process 4711 on host", as the holder wrote it.
std::string holder_of(int file) {
  std::array<char, 320> text{};
  const auto length = ::pread(file, text.data(), text.size(), 0);
  if (length <= 0) return "another process";
  std::string holder(text.data(), static_cast<std::size_t>(length));
  return holder.substr(0, holder.find('\n'));
}

std::string this_process() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '?';
  return "process " + std::to_string(::getpid()) + " on " + host.data() + "\n";
}

}  // namespace

result<std::unique_ptr<directory_lock>> directory_lock::acquire(const std::string& directory) {
  const auto path = directory + "/lock";
  std::error_code failed;
  std::filesystem::create_directories(directory, failed);
  if (failed) return lock_failure(path, failed.value());
  constexpr mode_t mode = 0666;  // the umask decides
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, mode);
  if (file < 0) return lock_failure(path, errno);
  std::unique_ptr<directory_lock> lock(new directory_lock(file));
  struct flock all {};
  all.l_type = F_WRLCK;
  all.l_whence = SEEK_SET;
  if (::fcntl(file, F_OFD_SETLK, &all) != 0) {
    if (errno != EAGAIN && errno != EACCES) return lock_failure(path, errno);
    return fail(errc::address_in_use, "'" + directory + "' is in use by " + holder_of(file));
  }
  const auto us = this_process();
  if (::ftruncate(file, 0) != 0 ||
      ::pwrite(file, us.data(), us.size(), 0) != static_cast<ssize_t>(us.size()))
    return lock_failure(path, errno);
  return lock;
}

directory_lock::~directory_lock() {
  ::close(file_);
}

}  // namespace millrace
