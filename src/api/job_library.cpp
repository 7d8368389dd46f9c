#include "millrace/api/job_library.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <system_error>
#include <tuple>

#include "millrace/api/elf_symbol.hpp"

namespace millrace {

namespace {

/// A file's content, mapped for as long as this lives.
class mapped_file {
 public:
  explicit mapped_file(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (fd_ < 0 || fstat(fd_, &info_) != 0) {
      problem_ = errno;
    } else if (!S_ISREG(info_.st_mode)) {
      problem_ = S_ISDIR(info_.st_mode) ? EISDIR : EINVAL;
    } else if (info_.st_size > 0) {
      void* mapped = mmap(nullptr, size(), PROT_READ, MAP_PRIVATE, fd_, 0);
      if (mapped == MAP_FAILED)
        problem_ = errno;
      else
        data_ = static_cast<const std::byte*>(mapped);
    }
  }
  ~mapped_file() {
    if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), size());
    if (fd_ >= 0) ::close(fd_);
  }
  mapped_file(const mapped_file&) = delete;
  mapped_file& operator=(const mapped_file&) = delete;

  int problem() const noexcept { return problem_; }
  std::span<const std::byte> content() const noexcept {
    return {data_, data_ == nullptr ? 0 : size()};
  }
  /// The same file, unchanged, has the same identity by whatever path.
  auto identity() const noexcept {
    return std::tuple(info_.st_dev, info_.st_ino, info_.st_size, info_.st_mtim.tv_sec,
                      info_.st_mtim.tv_nsec);
  }

 private:
  std::size_t size() const noexcept { return static_cast<std::size_t>(info_.st_size); }

  int fd_;
  struct stat info_ {};
  int problem_ = 0;
  const std::byte* data_ = nullptr;
};

tl::unexpected<error> invalid(const std::string& path, const std::string& why) {
  return fail(errc::invalid_library, "cannot load job library '" + path + "': " + why);
}

/// MILLRACE_HEADERS is a definition of this file alone (CMakeLists.txt): it changes with any
/// header.
constexpr std::string_view headers_of_engine = MILLRACE_HEADERS MILLRACE_BUILD_KIND;

template <std::size_t Size>
std::string_view text_of(const char (&field)[Size]) {
  return {field, strnlen(field, Size)};
}

status check_entry(const std::string& path, const mapped_file& file) {
  auto found = find_exported_bytes(file.content(), job_entry_symbol);
  if (!found)
    return invalid(path, found.error() + "; build the job with millrace_add_job, which makes one");
  if (!*found)
    return invalid(path,
                   "it has no Millrace entry point; build it with millrace_add_job from a source "
                   "that defines build(stream_environment&, const arguments&)");
  job_entry entry;
  constexpr std::size_t head_bytes = offsetof(job_entry, build);
  constexpr std::size_t head_bytes_of_all = offsetof(job_entry, headers);
  const auto bytes = (*found)->size();
  if (bytes < head_bytes_of_all) return invalid(path, "its entry point is not Millrace's");
  std::memcpy(static_cast<void*>(&entry), (*found)->data(), std::min(bytes, head_bytes));
  if (entry.magic != job_entry_magic) return invalid(path, "its entry point is not Millrace's");
  const auto built_for = "it was built for Millrace " + std::string(text_of(entry.engine_version));
  if (entry.abi_version != job_abi_version)
    return invalid(path, built_for + " (job ABI " + std::to_string(entry.abi_version) +
                             "), but this engine has job ABI " + std::to_string(job_abi_version) +
                             "; rebuild the job with this version");
  if (const auto headers = text_of(entry.headers); headers != headers_of_engine)
    return invalid(path, built_for + " with other headers or sanitizers (" + std::string(headers) +
                             ") than this engine (" + std::string(headers_of_engine) +
                             "); rebuild the job against this build of Millrace");
  return {};
}

}  // namespace

result<job_library> load_job_library(const std::string& path) {
  const mapped_file file(path);
  if (file.problem() != 0)
    return fail(file.problem() == ENOENT   ? errc::not_found
                : file.problem() == EACCES ? errc::permission_denied
                                           : errc::invalid_library,
                "cannot load job library '" + path +
                    "': " + std::generic_category().message(file.problem()));

  static std::mutex mutex;
  static std::map<decltype(file.identity()), job_library> loaded;
  std::lock_guard lock(mutex);
  if (const auto known = loaded.find(file.identity()); known != loaded.end()) return known->second;

  if (auto ok = check_entry(path, file); !ok) return tl::unexpected(ok.error());
  // A bare name would be looked up along the library path. Symbols stay local, so that two jobs may
  // define the same names.
  const auto name = path.find('/') == std::string::npos ? "./" + path : path;
  void* handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return invalid(path, dlerror());
  const auto* entry = static_cast<const job_entry*>(dlsym(handle, job_entry_symbol));
  if (entry == nullptr || entry->build == nullptr)
    return invalid(path, "it does not define build(stream_environment&, const arguments&)");
  const job_library library{path, entry};
  loaded.emplace(file.identity(), library);
  return library;
}

}  // namespace millrace
