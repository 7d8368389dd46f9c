#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "millrace/core/chunked_bytes.hpp"
#include "millrace/core/key_group.hpp"
#include "millrace/state/database_image.hpp"
#include "millrace/state/encoded_key_group.hpp"
#include "millrace/state/keyed_state_table.hpp"
#include "millrace/state/snapshot_budget.hpp"
#include "millrace/state/snapshot_section.hpp"
#include "millrace/state/state_info.hpp"

namespace millrace {

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
  /// Puts together the group in turn, of which all entries are written.
  encoded_key_group assemble();
  std::uint64_t entry_bytes(std::size_t which) const;
  void release() noexcept;

  key_group_range groups_;
  std::vector<part> parts_;
  std::shared_ptr<database_image> image_;
  std::vector<std::unique_ptr<snapshot_section>> sections_;  // by part; null without a table
  std::uint32_t group_;
  std::size_t part_ = 0;  // in turn in the group
  std::vector<encoded_key_group> written_;
  bool is_released_ = false;
};

}  // namespace millrace
