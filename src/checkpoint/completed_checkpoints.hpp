#pragma once

#include <cstdint>
#include <vector>

#include "millrace/core/ids.hpp"

namespace millrace {

/// Which completed checkpoints of a job are kept (Flink's CompletedCheckpointStore). Plain.
class completed_checkpoints {
 public:
  explicit completed_checkpoints(std::uint32_t retained) : retained_(retained) {}

  /// A later checkpoint than all others is complete; those to be removed now.
  std::vector<checkpoint_id> add(checkpoint_id completed);

  /// The latest is of no use; requires that there is one.
  void remove_latest() { kept_.pop_back(); }

  /// None is 0.
  checkpoint_id latest() const noexcept { return kept_.empty() ? checkpoint_id{} : kept_.back(); }
  /// Ascending.
  const std::vector<checkpoint_id>& all() const noexcept { return kept_; }

 private:
  std::uint32_t retained_;
  std::vector<checkpoint_id> kept_;
};

}  // namespace millrace
