#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "millrace/core/ids.hpp"
#include "millrace/source/source_split.hpp"

namespace millrace {

/// Which splits were given to which reader since which checkpoint, so that they can be given again
/// when the reader fails and goes back to a checkpoint that does not know them (Flink's
/// SplitAssignmentTracker). Plain; owned by a source_coordinator.
class split_assignment_tracker {
 public:
  /// Splits were sent to a reader.
  void on_assigned(std::uint32_t subtask, const std::vector<encoded_split>& splits);
  /// The readers' snapshots of this checkpoint hold all that was assigned before.
  void on_checkpoint(checkpoint_id checkpoint);
  /// Nobody goes back to an earlier one.
  void on_checkpoint_complete(checkpoint_id checkpoint);
  /// What the reader's snapshot of `restored` does not hold, in the order of the assignments; all
  /// of it for 0. It is forgotten here.
  std::vector<encoded_split> take_back(std::uint32_t subtask, checkpoint_id restored);

 private:
  using assignments = std::map<std::uint32_t, std::vector<encoded_split>>;  // by subtask

  std::map<checkpoint_id, assignments> before_;  // by the first checkpoint that holds them
  assignments since_;                            // the last checkpoint
};

}  // namespace millrace
