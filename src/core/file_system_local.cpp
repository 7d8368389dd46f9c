#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "millrace/core/file_system.hpp"

namespace millrace {

namespace {

tl::unexpected<error> os_failure(const char* action, const std::string& path, int number) {
  errc code = errc::io;
  if (number == ENOENT || number == ENOTDIR) code = errc::not_found;
  if (number == EACCES || number == EPERM || number == EROFS) code = errc::permission_denied;
  return fail(code, std::string("can't ") + action + " '" + path +
                        "': " + std::generic_category().message(number));
}

/// An open file, closed when it goes.
class descriptor {
 public:
  explicit descriptor(int number) noexcept : number_(number) {}
  descriptor(descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  descriptor& operator=(descriptor&&) = delete;
  ~descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int get() const noexcept { return number_; }
  /// 0 or an errno. Linux closes even when it is interrupted.
  int close() noexcept {
    return ::close(std::exchange(number_, -1)) == 0 || errno == EINTR ? 0 : errno;
  }

 private:
  int number_;
};

descriptor open_descriptor(const std::string& path, int flags) {
  constexpr mode_t mode = 0666;  // the umask decides
  int number = -1;
  do {
    number = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (number < 0 && errno == EINTR);
  return descriptor(number);
}

file_info describe(std::string path, const struct ::stat& found) {
  file_info info;
  info.path = std::move(path);
  info.is_directory = S_ISDIR(found.st_mode);
  info.size = info.is_directory ? 0 : static_cast<std::uint64_t>(found.st_size);
  info.modified_ms = found.st_mtim.tv_sec * 1000 + found.st_mtim.tv_nsec / 1'000'000;
  return info;
}

class local_reader final : public file_reader {
 public:
  local_reader(std::string path, descriptor file, std::uint64_t size)
      : path_(std::move(path)), file_(std::move(file)), size_(size) {}

  result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override {
    std::size_t done = 0;
    while (done < into.size()) {
      const ::ssize_t got = ::pread(file_.get(), into.data() + done, into.size() - done,
                                    static_cast<::off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return os_failure("read", path_, errno);
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

  std::uint64_t size() const noexcept override { return size_; }

 private:
  std::string path_;
  descriptor file_;
  std::uint64_t size_;
};

class local_writer final : public file_writer {
 public:
  local_writer(std::string path, descriptor file)
      : path_(std::move(path)), file_(std::move(file)) {}

  status append(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ::ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return os_failure("write to", path_, errno);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return {};
  }

  status sync() override {
    if (::fdatasync(file_.get()) != 0) return os_failure("sync", path_, errno);
    return {};
  }

  status close() override {
    if (const int number = file_.close(); number != 0) return os_failure("close", path_, number);
    return {};
  }

 private:
  std::string path_;
  descriptor file_;
};

}  // namespace

result<file_info> local_file_system::stat(const std::string& path) {
  struct ::stat found {};
  if (::stat(path.c_str(), &found) != 0) return os_failure("find", path, errno);
  return describe(path, found);
}

result<std::vector<file_info>> local_file_system::list(const std::string& directory) {
  ::DIR* handle = ::opendir(directory.c_str());
  if (handle == nullptr) return os_failure("list directory", directory, errno);
  const std::unique_ptr<::DIR, int (*)(::DIR*)> closer(handle, ::closedir);
  const std::string prefix = directory.ends_with('/') ? directory : directory + '/';
  std::vector<file_info> entries;
  for (;;) {
    errno = 0;
    const ::dirent* entry = ::readdir(handle);
    if (entry == nullptr) {
      if (errno != 0) return os_failure("list directory", directory, errno);
      break;
    }
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    // Deleted since, or a link to nowhere: not there.
    struct ::stat found {};
    if (::stat((prefix + name).c_str(), &found) != 0) continue;
    entries.push_back(describe(prefix + name, found));
  }
  std::sort(entries.begin(), entries.end(),
            [](const file_info& a, const file_info& b) { return a.path < b.path; });
  return entries;
}

result<std::unique_ptr<file_reader>> local_file_system::open_reader(const std::string& path) {
  descriptor file = open_descriptor(path, O_RDONLY);
  if (file.get() < 0) return os_failure("open", path, errno);
  struct ::stat found {};
  if (::fstat(file.get(), &found) != 0) return os_failure("open", path, errno);
  if (S_ISDIR(found.st_mode)) return os_failure("open", path, EISDIR);
  const auto size = static_cast<std::uint64_t>(found.st_size);
  return std::make_unique<local_reader>(path, std::move(file), size);
}

result<std::unique_ptr<file_writer>> local_file_system::open_writer(const std::string& path,
                                                                    write_mode mode) {
  int flags = O_WRONLY | O_CREAT;
  switch (mode) {
    case write_mode::create:
      flags |= O_EXCL;
      break;
    case write_mode::truncate:
      flags |= O_TRUNC;
      break;
    case write_mode::append:
      flags |= O_APPEND;
      break;
  }
  descriptor file = open_descriptor(path, flags);
  if (file.get() < 0) return os_failure("write to", path, errno);
  return std::make_unique<local_writer>(path, std::move(file));
}

status local_file_system::create_directories(const std::string& path) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), 0777) != 0) {
      const int number = errno;
      struct ::stat found {};
      const bool there = ::stat(part.c_str(), &found) == 0;
      if (!there) return os_failure("create directory", part, number);
      if (!S_ISDIR(found.st_mode)) return os_failure("create directory", part, EEXIST);
    }
    if (end == std::string::npos) return {};
  }
}

status local_file_system::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    return os_failure("rename", from + "' to '" + to, errno);
  return {};
}

status local_file_system::link(const std::string& from, const std::string& to) {
  if (::link(from.c_str(), to.c_str()) != 0) return os_failure("link", from + "' to '" + to, errno);
  return {};
}

status local_file_system::remove(const std::string& path) {
  if (::remove(path.c_str()) != 0) return os_failure("remove", path, errno);
  return {};
}

status local_file_system::sync_directory(const std::string& path) {
  descriptor directory = open_descriptor(path, O_RDONLY | O_DIRECTORY);
  if (directory.get() < 0) return os_failure("sync directory", path, errno);
  if (::fsync(directory.get()) != 0) return os_failure("sync directory", path, errno);
  return {};
}

}  // namespace millrace
