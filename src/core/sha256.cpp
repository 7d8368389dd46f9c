#include "millrace/core/sha256.hpp"

#include <openssl/evp.h>

#include "millrace/core/assert.hpp"

namespace millrace {

struct sha256::context {
  struct deleter {
    void operator()(EVP_MD_CTX* c) const noexcept { EVP_MD_CTX_free(c); }
  };
  std::unique_ptr<EVP_MD_CTX, deleter> handle{EVP_MD_CTX_new()};

  void start() {
    MILLRACE_ASSERT(handle && EVP_DigestInit_ex(handle.get(), EVP_sha256(), nullptr) == 1,
                    "OpenSSL has no SHA-256");
  }
};

sha256::sha256() : context_(std::make_unique<context>()) {
  context_->start();
}
sha256::~sha256() = default;
sha256::sha256(sha256&&) noexcept = default;
sha256& sha256::operator=(sha256&&) noexcept = default;

void sha256::update(std::span<const std::byte> bytes) {
  MILLRACE_ASSERT(EVP_DigestUpdate(context_->handle.get(), bytes.data(), bytes.size()) == 1,
                  "OpenSSL failed to hash");
}

sha256_digest sha256::finish() {
  sha256_digest digest;
  MILLRACE_ASSERT(EVP_DigestFinal_ex(context_->handle.get(), digest.bytes.data(), nullptr) == 1,
                  "OpenSSL failed to hash");
  context_->start();
  return digest;
}

sha256_digest sha256_of(std::span<const std::byte> bytes) {
  sha256 hasher;
  hasher.update(bytes);
  return hasher.finish();
}

std::string to_string(const sha256_digest& digest) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(64);
  for (const std::uint8_t byte : digest.bytes) {
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

std::optional<sha256_digest> parse_sha256(std::string_view hex) noexcept {
  if (hex.size() != 64) return std::nullopt;
  sha256_digest digest;
  for (std::size_t i = 0; i < 64; ++i) {
    const char c = hex[i];
    int value = -1;
    if (c >= '0' && c <= '9') value = c - '0';
    if (c >= 'a' && c <= 'f') value = c - 'a' + 10;
    if (c >= 'A' && c <= 'F') value = c - 'A' + 10;
    if (value < 0) return std::nullopt;
    digest.bytes[i / 2] = static_cast<std::uint8_t>(digest.bytes[i / 2] << 4 | value);
  }
  return digest;
}

}  // namespace millrace
