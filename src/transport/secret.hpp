#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "millrace/core/error.hpp"

namespace millrace::transport {

/// What every node of a cluster knows and nobody else does: the key of the authentication.
/// Deliberately without a printer; copies wipe themselves.
class cluster_secret {
 public:
  static constexpr std::size_t bytes_min = 16;
  static constexpr std::size_t bytes_max = 4096;

  /// Takes the text without surrounding white space. Shorter than `bytes_min` or longer than
  /// `bytes_max` is `errc::invalid_config`.
  static result<cluster_secret> from_text(std::string_view text);

  cluster_secret(const cluster_secret&) = default;
  cluster_secret(cluster_secret&&) = default;
  cluster_secret& operator=(const cluster_secret&) = default;
  cluster_secret& operator=(cluster_secret&&) = default;
  ~cluster_secret();

  std::string_view bytes() const noexcept { return bytes_; }

 private:
  explicit cluster_secret(std::string bytes) : bytes_(std::move(bytes)) {}
  std::string bytes_;
};

/// Reads a secret from a file that only its owner may read or write; any right of the group or of
/// others, a foreign owner, or anything but a regular file is `errc::permission_denied` with the
/// `chmod` that mends it. A missing file is `errc::not_found`.
result<cluster_secret> load_secret(const std::filesystem::path& file);

/// Loads the file, or creates it with 32 random bytes in hexadecimal, mode 0600. Creation is
/// atomic: of several processes that start at once all get the same secret, and none sees half a
/// file. The directory must exist.
result<cluster_secret> ensure_secret(const std::filesystem::path& file);

}  // namespace millrace::transport
