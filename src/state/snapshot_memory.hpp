#pragma once

#include <cstddef>
#include <memory>

namespace millrace {

/// Memory that a snapshot is written into, in pieces of one size. It is mapped in larger parts,
/// which a process keeps for its next snapshots once all pieces of a part are gone, in whichever
/// thread: touching new memory for the first time takes longer than what is written into it. As
/// many are kept as the last snapshots needed, and the system may take them at any time
/// (MADV_FREE). One of this is for one thread.
class snapshot_memory {
 public:
  /// The size of a piece.
  static constexpr std::size_t piece_bytes = std::size_t{64} << 10;

  /// Memory that is there as long as its owner.
  struct piece {
    std::shared_ptr<const void> owner;  ///< Of all that was mapped with it.
    std::byte* begin = nullptr;         ///< Of `piece_bytes`, with any content.
  };
  /// Throws `std::bad_alloc` if there is no memory.
  piece allocate();

 private:
  std::shared_ptr<std::byte> mapped_;  // from which pieces are taken; null if there are none left
  std::size_t used_ = 0;
};

}  // namespace millrace
