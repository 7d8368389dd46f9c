#include "millrace/state/snapshot_section.hpp"

#include <utility>

#include "millrace/state/key_group_sections.hpp"

namespace millrace {

void snapshot_section::begin_piece(group& g) {
  g.full.push_back(std::move(g.last).take());
  std::vector<std::byte> next;
  next.reserve(piece_bytes + piece_bytes / 16);
  g.last = byte_writer(std::move(next));
}

void snapshot_section::entry(byte_view key, byte_view ns, byte_view map_key, byte_view value) {
  group& g = *current_;
  if (g.last.size() >= piece_bytes) begin_piece(g);
  const auto before = g.last.size();
  put_entry(g.last, {key, ns, map_key, value});
  const auto added = g.last.size() - before;
  g.bytes += added;
  written_ += added;
}

std::vector<std::vector<std::byte>> snapshot_section::take(std::uint32_t group_offset) {
  auto taken = std::exchange(groups_[group_offset], group());
  if (taken.last.size() > 0) taken.full.push_back(std::move(taken.last).take());
  return std::move(taken.full);
}

}  // namespace millrace
