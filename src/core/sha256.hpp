#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace millrace {

/// A SHA-256 digest (FIPS 180-4).
struct sha256_digest {
  std::array<std::uint8_t, 32> bytes{};
  auto operator<=>(const sha256_digest&) const = default;
};

/// 64 lower-case hex digits.
std::string to_string(const sha256_digest& digest);
/// Exactly 64 hex digits, else nothing.
std::optional<sha256_digest> parse_sha256(std::string_view hex) noexcept;

/// Hashes bytes as they come, by OpenSSL. One thread at a time.
class sha256 {
 public:
  sha256();
  ~sha256();
  sha256(sha256&&) noexcept;
  sha256& operator=(sha256&&) noexcept;

  void update(std::span<const std::byte> bytes);
  void update(std::string_view text) { update(std::as_bytes(std::span(text))); }
  /// The digest of all that came; the hasher starts afresh.
  sha256_digest finish();

 private:
  struct context;
  std::unique_ptr<context> context_;
};

sha256_digest sha256_of(std::span<const std::byte> bytes);

}  // namespace millrace
