#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "millrace/core/byte_buffer.hpp"
#include "millrace/core/key_group.hpp"
#include "millrace/state/keyed_state_table.hpp"

namespace millrace {

/// The entries that one state has given to a snapshot so far, by key group: groups are filled side
/// by side, as entries that are about to change come before their turn. Kept in pieces of bounded
/// size, so that no step of it takes longer because there is much already.
class snapshot_section final : public state_entry_visitor {
 public:
  explicit snapshot_section(key_group_range groups) : groups_(groups.size()) {}

  /// The group of the entries that come next, from the first of the subtask's.
  void select(std::uint32_t group_offset) noexcept { current_ = &groups_[group_offset]; }
  void entry(byte_view key, byte_view ns, byte_view map_key, byte_view value) override;
  std::byte* room(std::size_t bytes) override {
    group& g = *current_;
    if (g.last.size() >= piece_bytes) [[unlikely]]
      begin_piece(g);
    g.bytes += bytes;
    written_ += bytes;
    return g.last.grow(bytes);
  }
  /// Bytes of all entries that came.
  std::uint64_t written() const noexcept { return written_; }

  /// Bytes that a group has.
  std::uint64_t size_of(std::uint32_t group_offset) const noexcept {
    return groups_[group_offset].bytes;
  }
  /// Gives away what a group has.
  std::vector<std::vector<std::byte>> take(std::uint32_t group_offset);

  static constexpr std::size_t piece_bytes = std::size_t{64} << 10;

 private:
  struct group {
    std::vector<std::vector<std::byte>> full;
    byte_writer last;
    std::uint64_t bytes = 0;
  };

  static void begin_piece(group& g);

  std::vector<group> groups_;
  group* current_ = nullptr;
  std::uint64_t written_ = 0;
};

}  // namespace millrace
