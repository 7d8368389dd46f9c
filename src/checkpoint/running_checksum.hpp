#pragma once

#include <cstdint>

#include "millrace/core/byte_buffer.hpp"
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

 private:
  XXH3_state_t* state_;
};

}  // namespace millrace
