#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "millrace/core/byte_buffer.hpp"
#include "millrace/core/key_group.hpp"
#include "millrace/state/database_image.hpp"
#include "millrace/state/encoded_key_group.hpp"
#include "millrace/state/keyed_state_table.hpp"
#include "millrace/state/snapshot_budget.hpp"
#include "millrace/state/snapshot_section.hpp"
#include "millrace/state/state_info.hpp"

namespace millrace {

/// A part of bytes that several have, and that stay where they are.
struct shared_bytes {
  std::shared_ptr<const std::vector<std::byte>> whole;
  byte_view part;
};

/// What is kept of a state that nobody asked for yet: encoded entries by key group. Snapshots share
/// them.
using unclaimed_entries = std::map<std::uint32_t, std::vector<shared_bytes>>;

/// What a snapshot consists of (as Flink's SavepointFormatType).
enum class snapshot_form : std::uint8_t {
  canonical,  ///< Key groups in a form that no backend nor parallelism is to be seen in.
  native,     ///< The files of the store, and key groups of what is not in it.
};

/// A snapshot of an operator's keyed state that is being written, piece by piece, while the state
/// is used: it has what there was when it was made. Owned by the operator's task, which drives it;
/// the backend must outlive it, and has one at a time.
class keyed_state_snapshot {
 public:
  struct part {
    state_info info;
    keyed_state_table* table = nullptr;  ///< Null if nobody asked for the state yet.
    unclaimed_entries unclaimed{};
  };

  /// Freezes the tables of `parts`, which come in the order of their names. All else is in `image`.
  keyed_state_snapshot(key_group_range groups, std::vector<part> parts,
                       std::shared_ptr<database_image> image = nullptr);
  /// Releases what is still frozen.
  ~keyed_state_snapshot();
  keyed_state_snapshot(const keyed_state_snapshot&) = delete;
  keyed_state_snapshot& operator=(const keyed_state_snapshot&) = delete;

  /// Writes on until the budget is spent; true when all is written, and the tables are released.
  /// Throws `failure` if a value can't be encoded or read; there is no going on then.
  bool write(snapshot_budget& budget);
  /// All key groups of the subtask, in order, those without entries without bytes. Once all is
  /// written.
  std::vector<encoded_key_group> take() { return std::move(written_); }
  /// The files that are part of it; null for a canonical snapshot.
  const std::shared_ptr<database_image>& image() const noexcept { return image_; }

 private:
  /// Bytes of a key group in their order; what is owned is freed as soon as it is copied.
  struct piece {
    std::vector<std::byte> owned;
    byte_view bytes;
  };
  /// A key group whose entries are all there, on its way into one buffer.
  struct assembly {
    std::vector<piece> pieces;
    std::size_t next = 0;
    std::vector<std::byte> bytes;
  };

  assembly begin_assembly();
  void add_entries(std::size_t which, std::vector<piece>& to);
  std::uint64_t entry_bytes(std::size_t which) const;
  /// Puts the group in turn together; false if the budget was spent first.
  bool assemble(snapshot_budget& budget);
  void release() noexcept;

  key_group_range groups_;
  std::vector<part> parts_;
  std::shared_ptr<database_image> image_;
  std::vector<std::unique_ptr<snapshot_section>> sections_;  // by part; null without a table
  std::uint32_t group_;
  std::size_t part_ = 0;  // in turn in the group
  std::optional<assembly> assembly_;
  std::vector<encoded_key_group> written_;
  bool is_released_ = false;
};

}  // namespace millrace
