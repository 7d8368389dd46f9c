#pragma once

#include <cstdint>

namespace millrace::bench {

/// The key of the nth record: spread, and cheap to make, so that what is done with it is measured.
inline std::uint64_t spread_key(std::uint64_t n, std::uint64_t keys) noexcept {
  std::uint64_t x = n * 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 32)) * 0xD6E8FEB86659FD93ull;
  return ((x >> 32) * keys) >> 32;
}

/// Each key once, then spread ones: fills state, and then updates it at random.
inline std::uint64_t filling_key(std::uint64_t n, std::uint64_t keys) noexcept {
  return n < keys ? n : spread_key(n, keys);
}

}  // namespace millrace::bench
