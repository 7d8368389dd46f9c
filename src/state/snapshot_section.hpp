#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "millrace/core/chunked_bytes.hpp"
#include "millrace/core/key_group.hpp"
#include "millrace/state/keyed_state_table.hpp"
#include "millrace/state/snapshot_memory.hpp"

namespace millrace {

/// The entries that one state has given to a snapshot so far, by key group: groups are filled side
/// by side, as entries that are about to change come before their turn. Kept in pieces, so that no
/// step of it takes longer because there is much already.
class snapshot_section final : public state_entry_visitor {
 public:
  explicit snapshot_section(key_group_range groups) : groups_(groups.size()) {}

  /// The group of the entries that come next, from the first of the subtask's.
  void select(std::uint32_t group_offset) noexcept { current_ = &groups_[group_offset]; }
  void entry(byte_view key, byte_view ns, byte_view map_key, byte_view value) override;
  std::byte* room(std::size_t bytes) override {
    group& g = *current_;
    if (g.capacity - g.used < bytes) [[unlikely]]
      return room_elsewhere(g, bytes);
    written_ += bytes;
    std::byte* const begin = g.buffer + g.used;
    g.used += bytes;
    return begin;
  }
  /// Bytes of all entries that came.
  std::uint64_t written() const noexcept { return written_; }

  /// Bytes that a group has.
  std::uint64_t size_of(std::uint32_t group_offset) const noexcept {
    const group& g = groups_[group_offset];
    return g.closed.size() + (g.used - g.open_from);
  }
  /// Gives away what a group has.
  chunked_bytes take(std::uint32_t group_offset);

 private:
  /// A group with little begins in small memory. Once it has a piece, all but long entries, which
  /// are pieces of their own, goes to snapshot memory.
  struct group {
    chunked_bytes closed;
    // The buffer in use, of which what is from `open_from` on is not among the closed ones yet.
    std::shared_ptr<const void> owner;
    std::byte* buffer = nullptr;
    std::size_t capacity = 0;
    std::size_t open_from = 0;
    std::size_t used = 0;
  };

  [[gnu::noinline]] std::byte* room_elsewhere(group& g, std::size_t bytes);
  void enlarge(group& g, std::size_t bytes);
  static void close(group& g);

  std::vector<group> groups_;
  group* current_ = nullptr;
  std::uint64_t written_ = 0;
  snapshot_memory memory_;
};

}  // namespace millrace
