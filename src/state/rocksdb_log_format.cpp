#include "millrace/state/rocksdb_log_format.hpp"

#include <isa-l/crc.h>

#include <cstring>

namespace millrace {

namespace {

std::uint32_t crc32c(std::byte* bytes, std::size_t size) noexcept {
  return ~crc32_iscsi(reinterpret_cast<unsigned char*>(bytes), static_cast<int>(size), ~0u);
}

/// A checksum as it is kept: one of bytes that have checksums in them would be no good otherwise.
std::uint32_t masked(std::uint32_t checksum) noexcept {
  return ((checksum >> 15) | (checksum << 17)) + 0xa282ead8u;
}

}  // namespace

void rocksdb_log_format::append(std::string_view record, byte_writer& out) {
  for (bool is_begin = true;; is_begin = false) {
    if (block_bytes - used_ < header_bytes) {
      const auto left = block_bytes - used_;
      if (left > 0) std::memset(out.grow(left), 0, left);
      used_ = 0;
    }
    const auto part = record.substr(0, block_bytes - used_ - header_bytes);
    record.remove_prefix(part.size());
    const bool is_end = record.empty();
    append_piece(
        is_begin ? (is_end ? piece::whole : piece::first) : (is_end ? piece::last : piece::middle),
        part, out);
    used_ += header_bytes + part.size();
    if (is_end) return;
  }
}

void rocksdb_log_format::append_piece(piece which, std::string_view bytes, byte_writer& out) {
  constexpr std::size_t checksum_bytes = 4;
  constexpr std::size_t type_at = header_bytes - 1;
  std::byte* const to = out.grow(header_bytes + bytes.size());
  const auto put = [to](std::size_t at, std::size_t count, std::size_t number) {
    for (std::size_t i = 0; i < count; ++i) to[at + i] = static_cast<std::byte>(number >> (8 * i));
  };
  put(checksum_bytes, type_at - checksum_bytes, bytes.size());
  to[type_at] = static_cast<std::byte>(which);
  if (!bytes.empty()) std::memcpy(to + header_bytes, bytes.data(), bytes.size());
  put(0, checksum_bytes, masked(crc32c(to + type_at, 1 + bytes.size())));
}

}  // namespace millrace
