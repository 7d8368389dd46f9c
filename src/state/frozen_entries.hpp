#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "millrace/state/snapshot_budget.hpp"

namespace millrace {

/// Writes entries of a frozen keyed_table into a snapshot.
class entry_saver {
 public:
  virtual ~entry_saver() = default;
  /// Entries `first` to before `end` of a key group, as they are now. Returns the bytes written.
  virtual std::size_t save(std::uint32_t group_offset, std::size_t first, std::size_t end) = 0;
};

/// Which entries of a keyed_table belong to a snapshot and are not in it yet: copy on write, block
/// by block. Freezing costs a step per key group; after that each block of entries is saved once,
/// when one of them is about to change or when the writer comes by, whichever is first.
///
/// Flink's CopyOnWriteStateMap keeps two versions with each entry for the same purpose. Here the
/// entries of a group lie in a dense array, so that a bit for each block will do, and only while a
/// snapshot is under way. Where keys change at random, what saving an entry alone takes is mostly
/// waiting for memory, and its neighbours come with it for little more.
///
/// The table must `preserve` an entry before it is changed or removed, and the last entry of a
/// group before it is moved to another place. New entries go behind the others or into places whose
/// entries were preserved, and so are never taken for frozen ones.
class frozen_entries {
 public:
  /// The first `counts[i]` entries of group `i`, in blocks of 2^`block_bits`. `saver` outlives it.
  frozen_entries(const std::vector<std::size_t>& counts, unsigned block_bits, entry_saver& saver);

  void preserve(std::uint32_t group_offset, std::size_t position) {
    const auto& g = groups_[group_offset];
    if (position < g.count && position >= g.next) save_once(group_offset, position >> block_bits_);
  }

  /// Saves on in a group. True when all its entries are saved, false if the budget was spent first.
  bool write(std::uint32_t group_offset, snapshot_budget& budget);

 private:
  struct group {
    std::size_t count = 0;             // entries that were there; 0 when all are saved
    std::size_t next = 0;              // all before are saved
    std::vector<std::uint64_t> saved;  // a bit for each block from `next` on; made when needed
  };
  static constexpr std::size_t word_bits = 64;

  void save_once(std::uint32_t group_offset, std::size_t block);
  std::size_t save(std::uint32_t group_offset, std::size_t block);

  unsigned block_bits_;
  entry_saver& saver_;
  std::vector<group> groups_;
};

}  // namespace millrace
