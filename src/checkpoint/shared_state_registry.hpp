#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "millrace/core/ids.hpp"

namespace millrace {

/// Which checkpoints of a job need which of the files that checkpoints share (Flink's
/// SharedStateRegistry): a file goes when nobody needs it any more. Plain; not thread-safe.
///
/// Files are named "<n>/<file>": checkpoint n has stored them, in a directory of its own. A later
/// checkpoint may refer to what its base has, and to nothing else, so it holds all of that from its
/// beginning: the base may be subsumed before it is known what the later one refers to.
///
/// Invariants: nothing of a directory is removed while its checkpoint is under way, nor a file that
/// a completed checkpoint has, or one under way may refer to.
class shared_state_registry {
 public:
  /// What nobody needs any more.
  struct removal {
    std::vector<checkpoint_id> directories;  ///< With all that is in them.
    std::vector<std::string> files;          ///< In other directories.

    bool operator==(const removal&) const = default;
  };

  /// A checkpoint begins that may refer to what `base` has; 0: to nothing.
  void begin(checkpoint_id checkpoint, checkpoint_id base);
  /// It is complete, and has these files.
  removal complete(checkpoint_id checkpoint, const std::vector<std::string>& files);
  /// It is gone, complete or not. Nothing happens if it never began here.
  removal drop(checkpoint_id checkpoint);

  /// Another master has completed it, and it is kept. Before all else.
  void recover(checkpoint_id checkpoint, const std::vector<std::string>& files);
  /// It is not known what a checkpoint has that is kept: until it is dropped, nothing is removed
  /// that a completed checkpoint has stored.
  void lose_track_of(checkpoint_id checkpoint) { unknown_.insert(checkpoint); }
  /// It is damaged, and nobody goes back to it: what it is known to have stays, and it keeps
  /// nothing else from being removed any more.
  void give_up(checkpoint_id checkpoint) { unknown_.erase(checkpoint); }

 private:
  struct entry {
    std::set<std::string> files;
    bool is_complete = false;
  };

  void hold(const std::set<std::string>& files);
  /// Appends what nobody holds then to `unused`.
  void release(const std::set<std::string>& files, std::vector<std::string>& unused);
  bool has_files_of(checkpoint_id checkpoint) const;
  /// `ended` leaves its directory empty if nothing in it counts.
  removal removal_of(checkpoint_id ended, const std::vector<std::string>& unused) const;

  std::map<checkpoint_id, entry> checkpoints_;
  std::map<std::string, std::uint32_t> holders_;  // by file
  std::set<checkpoint_id> unknown_;
};

}  // namespace millrace
