#include "millrace/transport/secret.hpp"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "millrace/transport/unique_fd.hpp"

namespace millrace::transport {

namespace {

tl::unexpected<error> file_failure(const std::filesystem::path& file, const char* action,
                                   int number) {
  errc code = errc::io;
  if (number == ENOENT || number == ENOTDIR) code = errc::not_found;
  if (number == EACCES || number == EPERM || number == EROFS) code = errc::permission_denied;
  return fail(code, std::string{"cannot "} + action + " the cluster secret " + file.string() +
                        ": " + std::generic_category().message(number));
}

result<std::string> random_hex() {
  std::array<unsigned char, 32> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    return fail(errc::internal, "the system has no random bytes for a cluster secret");
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (unsigned char b : bytes) {
    text += digits[b >> 4];
    text += digits[b & 15];
  }
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return text;
}

/// Writes `text` into a new file beside `file` and links it there, unless `file` exists by then.
status create_secret(const std::filesystem::path& file, std::string_view text) {
  std::string draft = file.string() + ".XXXXXX";
  unique_fd fd{::mkostemp(draft.data(), O_CLOEXEC)};  // mode 0600
  if (!fd) return file_failure(file, "create", errno);
  status done;
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::fsync(fd.get()) != 0) {
    done = file_failure(file, "write", errno);
  } else if (::link(draft.c_str(), file.c_str()) != 0 && errno != EEXIST) {
    done = file_failure(file, "create", errno);
  }
  ::unlink(draft.c_str());
  return done;
}

}  // namespace

result<cluster_secret> cluster_secret::from_text(std::string_view text) {
  constexpr std::string_view space = " \t\r\n";
  const auto first = text.find_first_not_of(space);
  text = first == text.npos ? std::string_view{} : text.substr(first);
  text = text.substr(0, text.find_last_not_of(space) + 1);
  if (text.size() < bytes_min)
    return fail(errc::invalid_config, "the cluster secret has " + std::to_string(text.size()) +
                                          " characters, at least " + std::to_string(bytes_min) +
                                          " are needed; `openssl rand -hex 32` makes a good one");
  if (text.size() > bytes_max)
    return fail(errc::invalid_config,
                "the cluster secret is longer than " + std::to_string(bytes_max) + " characters");
  return cluster_secret{std::string{text}};
}

cluster_secret::~cluster_secret() {
  OPENSSL_cleanse(bytes_.data(), bytes_.size());
}

result<cluster_secret> load_secret(const std::filesystem::path& file) {
  // O_NONBLOCK: opening a FIFO must not hang before fstat() can refuse it.
  const unique_fd fd{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)};
  if (!fd) return file_failure(file, "read", errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return file_failure(file, "read", errno);
  if (!S_ISREG(info.st_mode))
    return fail(errc::permission_denied,
                "the cluster secret " + file.string() + " is not a regular file");
  if ((info.st_mode & 077) != 0)
    return fail(errc::permission_denied,
                "the cluster secret " + file.string() +
                    " is open to other users of this machine; run: chmod 600 " + file.string());
  if (info.st_uid != ::geteuid() && info.st_uid != 0)
    return fail(errc::permission_denied, "the cluster secret " + file.string() +
                                             " belongs to another user; run: chown $USER " +
                                             file.string());
  std::string text(cluster_secret::bytes_max + 64, '\0');
  std::size_t filled = 0;
  while (filled < text.size()) {
    const ssize_t n = ::read(fd.get(), text.data() + filled, text.size() - filled);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return file_failure(file, "read", errno);
    if (n == 0) break;
    filled += static_cast<std::size_t>(n);
  }
  auto secret = cluster_secret::from_text(std::string_view{text}.substr(0, filled));
  OPENSSL_cleanse(text.data(), text.size());
  if (!secret) return fail(secret.error().code, file.string() + ": " + secret.error().message);
  return secret;
}

result<cluster_secret> ensure_secret(const std::filesystem::path& file) {
  if (::access(file.c_str(), F_OK) != 0) {
    auto text = random_hex();
    if (!text) return tl::unexpected(text.error());
    *text += '\n';
    auto created = create_secret(file, *text);
    OPENSSL_cleanse(text->data(), text->size());
    if (!created) return tl::unexpected(created.error());
  }
  return load_secret(file);
}

}  // namespace millrace::transport
