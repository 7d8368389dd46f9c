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
  /// Entry `position` of a key group, as it is now. Returns the bytes written.
  virtual std::size_t save(std::uint32_t group_offset, std::size_t position) = 0;
};

/// Which entries of a keyed_table belong to a snapshot and are not in it yet: copy on write, entry
/// by entry. Freezing costs a step per key group; after that each entry is saved once, when it is
/// about to change or when the writer comes by, whichever is first.
///
/// Flink's CopyOnWriteStateMap keeps two versions with each entry for the same purpose. Here the
/// entries of a group lie in a dense array, so that a bit for each will do, and only while a
/// snapshot is under way.
///
/// The table must `preserve` an entry before it is changed or removed, and the last entry of a
/// group before it is moved to another place. New entries go behind the others or into places whose
/// entries were preserved, and so are never taken for frozen ones.
class frozen_entries {
 public:
  /// The first `counts[i]` entries of group `i`. `saver` outlives it.
  frozen_entries(const std::vector<std::size_t>& counts, entry_saver& saver);

  void preserve(std::uint32_t group_offset, std::size_t position) {
    const auto& g = groups_[group_offset];
    if (position < g.count && position >= g.next) save_once(group_offset, position);
  }

  /// Saves on in a group. True when all its entries are saved, false if the budget was spent first.
  bool write(std::uint32_t group_offset, snapshot_budget& budget);

 private:
  struct group {
    std::size_t count = 0;             // entries that were there; 0 when all are saved
    std::size_t next = 0;              // all before are saved
    std::vector<std::uint64_t> saved;  // a bit for each, of those from `next` on; made when needed
  };
  static constexpr std::size_t word_bits = 64;

  void save_once(std::uint32_t group_offset, std::size_t position);

  entry_saver& saver_;
  std::vector<group> groups_;
};

}  // namespace millrace
