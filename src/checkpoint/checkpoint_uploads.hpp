#pragma once

#include <map>
#include <utility>

#include "millrace/checkpoint/task_state_store.hpp"
#include "millrace/core/ids.hpp"

namespace millrace {

/// Which files of a task's databases are stored already, by checkpoint (the map of uploaded files
/// in Flink's RocksIncrementalSnapshotStrategy). Each barrier names its base, so nothing depends on
/// when the task hears that a checkpoint is complete. Plain; owned by the task's actor.
class checkpoint_uploads {
 public:
  /// The task has stored these with a checkpoint, or was restored from there.
  void add(checkpoint_id checkpoint, uploaded_files files) {
    if (!files.empty()) by_checkpoint_[checkpoint] = std::move(files);
  }

  /// What a checkpoint with this base may refer to. Bases never go back, so what is earlier is
  /// forgotten.
  const uploaded_files& base(checkpoint_id checkpoint) {
    by_checkpoint_.erase(by_checkpoint_.begin(), by_checkpoint_.lower_bound(checkpoint));
    const auto found = by_checkpoint_.find(checkpoint);
    return found == by_checkpoint_.end() ? nothing_ : found->second;
  }

 private:
  std::map<checkpoint_id, uploaded_files> by_checkpoint_;
  uploaded_files nothing_;
};

}  // namespace millrace
