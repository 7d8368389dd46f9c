#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "millrace/core/byte_buffer.hpp"

namespace millrace {

/// A record as a sorter sees it. The key begins with the bytes that name its group; records of one
/// group have these in common and come side by side. The bytes belong to whoever made the view.
struct sort_record {
  std::span<const std::byte> key;
  std::size_t group_bytes = 0;
  std::span<const std::byte> payload;

  std::span<const std::byte> group() const noexcept { return key.first(group_bytes); }
};

/// As memcmp, a shorter key before longer ones that begin with it.
inline int compare_keys(std::span<const std::byte> a, std::span<const std::byte> b) noexcept {
  const auto shared = std::min(a.size(), b.size());
  const int order = shared == 0 ? 0 : std::memcmp(a.data(), b.data(), shared);
  if (order != 0) return order;
  return a.size() < b.size() ? -1 : a.size() > b.size() ? 1 : 0;
}

/// The first 8 bytes of a key as a number; keys with different ones need no look at the bytes.
inline std::uint64_t key_prefix(std::span<const std::byte> key) noexcept {
  std::uint64_t prefix = 0;
  const auto count = std::min<std::size_t>(key.size(), sizeof prefix);
  for (std::size_t i = 0; i < count; ++i)
    prefix |= std::to_integer<std::uint64_t>(key[i]) << (56 - 8 * i);
  return prefix;
}

/// At most so many bytes precede key and payload.
inline constexpr std::size_t sort_record_header_max = 15;

inline std::size_t sort_record_bytes_max(const sort_record& record) noexcept {
  return sort_record_header_max + record.key.size() + record.payload.size();
}

/// Three lengths (LEB128): of the key, of the group, of the payload; then key and payload.
inline void write_sort_record(byte_writer& out, const sort_record& record) {
  out.put_length(record.key.size());
  out.put_length(record.group_bytes);
  out.put_length(record.payload.size());
  out.put_bytes(record.key.data(), record.key.size());
  out.put_bytes(record.payload.data(), record.payload.size());
}

/// False if the bytes are no record. The view is into the reader's bytes.
inline bool read_sort_record(byte_reader& in, sort_record& record) noexcept {
  std::size_t key = 0;
  std::size_t group = 0;
  std::size_t payload = 0;
  if (!in.get_length(key) || !in.get_length(group) || !in.get_length(payload)) return false;
  if (group > key) return in.fail("a group is longer than its key");
  const auto* key_at = in.take(key);
  const auto* payload_at = in.take(payload);
  if (key_at == nullptr || payload_at == nullptr) return false;
  record = {{key_at, key}, group, {payload_at, payload}};
  return true;
}

}  // namespace millrace
