#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "support/memory_files.hpp"

namespace millrace::sim {

/// Looks at the files of all checkpoints, below one directory: a checkpoint that is complete has
/// all files that it shares with others, and what no checkpoint has any more goes soon. Both hold
/// as long as no call of the storage fails.
class checkpoint_files {
 public:
  /// `files` outlives it.
  checkpoint_files(test::memory_files& files, std::string directory)
      : files_(files), directory_(std::move(directory)) {}

  /// At any time, the more often the better.
  void look();
  /// What must not be there when all jobs have ended, if at most so many checkpoints of each are
  /// kept; also what is wrong with those.
  std::vector<std::string> problems_at_end(std::size_t kept_max);

  const std::vector<std::string>& violations() const noexcept { return violations_; }

 private:
  using file_set = std::set<std::string>;  // shared ones, as "<n>/<file>"
  /// What is there of one job.
  struct content {
    std::map<std::string, const file_set*> completed;  // by directory
    file_set shared;
    std::vector<std::string> others;  // paths, in directories of checkpoints
  };
  /// What was there before.
  struct past {
    std::set<std::string> completed;              // directories, all that there ever were
    std::uint64_t latest = 0;                     // number of the last that was complete
    std::map<std::string, std::size_t> unneeded;  // files, since how many were complete
  };

  std::map<std::string, content> found();  // by directory of the job
  /// The shared files that the checkpoint there has.
  const file_set* shared_of(const std::string& checkpoint);
  static bool is_needed(const content& its, const std::string& file);
  void complain(std::string what);

  test::memory_files& files_;
  std::string directory_;
  std::map<std::string, file_set> shared_of_;  // by directory of the checkpoint
  std::map<std::string, past> past_;           // by directory of the job
  std::vector<std::string> violations_;
};

}  // namespace millrace::sim
