#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "millrace/core/byte_buffer.hpp"

namespace millrace {

/// The key of a row in a byte_table, to be sorted by: in the order of the bytes (unsigned), as the
/// table has them.
struct row_order {
  std::uint64_t first = 0;  ///< The first eight bytes as a number: most comparisons are one of it.
  byte_view key;            ///< Belongs to somebody else.

  explicit row_order(byte_view of) noexcept : key(of) {
    for (std::size_t i = 0; i < sizeof(first); ++i)
      first = first << 8 | (i < key.size() ? std::to_integer<std::uint64_t>(key[i]) : 0);
  }

  bool operator<(const row_order& other) const noexcept {
    if (first != other.first) return first < other.first;
    const auto common = std::min(key.size(), other.key.size());
    const int difference = common == 0 ? 0 : std::memcmp(key.data(), other.key.data(), common);
    return difference != 0 ? difference < 0 : key.size() < other.key.size();
  }
};

}  // namespace millrace
