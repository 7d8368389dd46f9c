#pragma once

#include <cstdint>

#include "millrace/core/chunked_bytes.hpp"
#include "millrace/core/hash.hpp"

namespace millrace {

/// The XXH3_64bits of bytes that come in blocks.
class running_checksum {
 public:
  running_checksum() : state_(XXH3_createState()) { XXH3_64bits_reset(state_); }
  ~running_checksum() { XXH3_freeState(state_); }
  running_checksum(const running_checksum&) = delete;
  running_checksum& operator=(const running_checksum&) = delete;

  void add(byte_view bytes) { XXH3_64bits_update(state_, bytes.data(), bytes.size()); }
  std::uint64_t value() const { return XXH3_64bits_digest(state_); }

  /// Of bytes that are all there.
  static std::uint64_t of(const chunked_bytes& bytes) {
    running_checksum sum;
    for (const auto& piece : bytes.pieces()) sum.add(piece.part);
    return sum.value();
  }

 private:
  XXH3_state_t* state_;
};

}  // namespace millrace
