#include "millrace/state/snapshot_section.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "millrace/state/key_group_sections.hpp"

namespace millrace {

namespace {

constexpr std::size_t piece_bytes = snapshot_memory::piece_bytes;
constexpr std::size_t smallest_buffer = 256;
/// Longer entries get memory of their own, so that little of a piece is left empty.
constexpr std::size_t shared_max = piece_bytes / 8;

}  // namespace

void snapshot_section::entry(byte_view key, byte_view ns, byte_view map_key, byte_view value) {
  const encoded_entry all{key, ns, map_key, value};
  store_entry(room(entry_size(all)), all);
}

/// Ends the piece at hand. The rest of its buffer is used on.
void snapshot_section::close(group& g) {
  g.closed.append(shared_bytes(g.owner, {g.buffer + g.open_from, g.used - g.open_from}));
  g.open_from = g.used;
}

/// Makes the first buffer large enough, or a whole piece.
void snapshot_section::enlarge(group& g, std::size_t bytes) {
  const auto wanted = std::max({g.used + bytes, 2 * g.capacity, smallest_buffer});
  snapshot_memory::piece larger;
  if (wanted >= piece_bytes) {
    larger = memory_.allocate();
    g.capacity = piece_bytes;
  } else {
    const auto small = std::make_shared_for_overwrite<std::byte[]>(wanted);
    larger = {small, small.get()};
    g.capacity = wanted;
  }
  if (g.used > 0) std::memcpy(larger.begin, g.buffer, g.used);
  g.owner = std::move(larger.owner);
  g.buffer = larger.begin;
}

std::byte* snapshot_section::room_elsewhere(group& g, std::size_t bytes) {
  if (bytes > shared_max) {
    close(g);
    const auto own = std::make_shared_for_overwrite<std::byte[]>(bytes);
    g.closed.append(shared_bytes(own, {own.get(), bytes}));
    written_ += bytes;
    return own.get();
  }
  const bool is_first = g.open_from == 0 && g.capacity < piece_bytes;
  if (!is_first || g.used + bytes > piece_bytes) {
    close(g);
    auto next = memory_.allocate();
    g.owner = std::move(next.owner);
    g.buffer = next.begin;
    g.capacity = piece_bytes;
    g.open_from = g.used = 0;
  } else {
    enlarge(g, bytes);
  }
  return room(bytes);
}

chunked_bytes snapshot_section::take(std::uint32_t group_offset) {
  group& g = groups_[group_offset];
  close(g);
  return std::exchange(g, group()).closed;
}

}  // namespace millrace
