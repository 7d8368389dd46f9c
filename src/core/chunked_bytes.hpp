#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "millrace/core/byte_buffer.hpp"

namespace millrace {

/// Bytes that several have, and that stay where they are.
struct shared_bytes {
  shared_bytes() = default;
  explicit shared_bytes(std::vector<std::byte> all) {
    auto kept = std::make_shared<const std::vector<std::byte>>(std::move(all));
    part = *kept;
    owner = std::move(kept);
  }
  /// Bytes that are there as long as their owner.
  shared_bytes(std::shared_ptr<const void> of, byte_view some) : owner(std::move(of)), part(some) {}

  std::shared_ptr<const void> owner;  ///< Of the memory.
  byte_view part;                     ///< The bytes themselves.
};

/// Bytes in pieces, one behind the other: what is written piece by piece need not be copied to one
/// place, and copies of this share all pieces. Equal by content.
class chunked_bytes {
 public:
  chunked_bytes() = default;
  /// One piece; of no bytes, none.
  chunked_bytes(std::vector<std::byte> bytes) { append(shared_bytes(std::move(bytes))); }

  /// A piece behind the others; nothing if it has no bytes.
  void append(shared_bytes piece);
  /// All pieces of another one.
  void append(const chunked_bytes& other);

  /// Of all pieces together, in bytes.
  std::uint64_t size() const noexcept { return size_; }
  /// Whether there are no bytes.
  bool empty() const noexcept { return size_ == 0; }
  /// None of them is empty.
  const std::vector<shared_bytes>& pieces() const noexcept { return pieces_; }
  /// All in one place: the piece itself if there is one.
  shared_bytes whole() const { return part(0, size_); }
  /// At most `length` bytes from `offset` on, in one place, copied if they are not in one.
  shared_bytes part(std::uint64_t offset, std::uint64_t length) const;

  /// For tests: puts both in one place.
  bool operator==(const chunked_bytes& other) const;

 private:
  std::vector<shared_bytes> pieces_;
  std::uint64_t size_ = 0;
};

}  // namespace millrace
