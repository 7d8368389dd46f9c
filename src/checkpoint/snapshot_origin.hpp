#pragma once

#include <map>
#include <string>
#include <vector>

#include "millrace/core/configuration.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/graph/execution_graph.hpp"

namespace millrace {

/// From which snapshot a job is to start (Flink's SavepointRestoreSettings).
struct origin_settings {
  std::string path;                 ///< Empty: the job starts afresh.
  bool allow_non_restored = false;  ///< State of operators that the job lacks may be lost.
  bool is_claimed = false;          ///< Its files become the job's, which removes them.
};
origin_settings origin_settings_of(const configuration& config);

/// A snapshot that a job starts from, as its master sees it.
struct snapshot_origin {
  checkpoint_id checkpoint;
  std::string location;     ///< The directory of its metadata.
  bool is_claimed = false;  ///< As the settings said.
  /// Subtasks of the job that have nothing to emit any more.
  std::vector<graph::subtask_ref> finished;
  /// The snapshots of the operator coordinators, by uid of the operator.
  std::map<std::string, std::vector<std::byte>> coordinators;
};

/// Looks for the snapshot, and whether the job can start from it. Blocks. Errors name the path, or
/// the operator and what to do.
result<snapshot_origin> load_origin(file_system& files, const origin_settings& settings,
                                    const graph::job_graph& job);

}  // namespace millrace
