#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "millrace/checkpoint/checkpoint_metadata.hpp"
#include "millrace/checkpoint/shared_state_registry.hpp"
#include "millrace/checkpoint/snapshot_directory.hpp"
#include "millrace/checkpoint/stored_state.hpp"
#include "millrace/checkpoint/task_state_store.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/stream/task_snapshot.hpp"

namespace millrace {

/// Where the checkpoints of one job are kept (Flink's CheckpointStorage). Everything but
/// `location_of` blocks: call it from I/O work. Safe to use from any thread.
///
/// The job master begins a checkpoint, tasks store their state, the job master completes it with
/// its metadata. Until then there is no such checkpoint, whatever was stored.
class checkpoint_storage {
 public:
  virtual ~checkpoint_storage() = default;

  /// What names a checkpoint to whoever restores from it.
  virtual std::string location_of(checkpoint_id checkpoint) const = 0;
  /// Makes room for a checkpoint. What an attempt to take one of this number has left is removed.
  virtual status begin(checkpoint_id checkpoint) = 0;
  /// The same for one that may refer to files that `base`, the latest that is complete, has; 0 if
  /// there is none. They stay until it has ended, whatever becomes of its base.
  virtual status begin_incremental(checkpoint_id checkpoint, checkpoint_id base) = 0;
  /// These are complete, by another master of the job, and their files are to be kept track of.
  /// Before all else.
  virtual status recover(std::span<const checkpoint_id> completed) = 0;
  /// The state of a subtask; of its databases, files that are in `base` are not stored again. Fails
  /// if the checkpoint was not begun, or was discarded.
  virtual result<stored_task_state> store(const execution_attempt_id& who,
                                          const task_snapshot& snapshot,
                                          const uploaded_files& base = {}) = 0;
  /// The same for a savepoint, whose directory is elsewhere.
  virtual result<stored_task_state> store_at(const std::string& directory,
                                             const execution_attempt_id& who,
                                             const task_snapshot& snapshot) = 0;
  /// Makes the checkpoint one, durably and at once.
  virtual status complete(const checkpoint_metadata& metadata) = 0;
  /// A complete one is damaged, and nobody goes back to it: what is there of it is left alone, but
  /// no file of others is kept any more because it might have that, too.
  virtual void give_up(checkpoint_id checkpoint) = 0;
  /// Removes a checkpoint, complete or not. Fine if there is none.
  virtual status discard(checkpoint_id checkpoint) = 0;
  /// Completed checkpoints, ascending.
  virtual result<std::vector<checkpoint_id>> completed() = 0;
  /// Removes whatever belongs to other checkpoints than `keep`, which all lie here, up to number
  /// `last`: what earlier masters have left. Not what has later numbers, nor files that one of
  /// `keep` may share when it is gone: whoever calls this may have been replaced, and not know.
  virtual status remove_leftovers(std::span<const checkpoint_id> keep, checkpoint_id last) = 0;
  /// The job has ended: removes whatever belongs to other checkpoints than `keep`, which all lie
  /// here. With nothing to keep, all of it, with the job's own directory.
  virtual status clean_up(std::span<const checkpoint_id> keep) = 0;
};

/// In directories of a file system that all nodes share:
///
///     <directory>/chk-<n>/_metadata             written last, under another name, then renamed
///     <directory>/chk-<n>/v<v>-s<s>-a<a>.state  all state of one task that is not kept in the
///                                               metadata
///     <directory>/shared/<n>/…                  files of databases that checkpoint n has stored,
///                                               and later ones have, too
///
/// Everything is synced before it counts. The job master's one counts who needs the shared files.
class file_checkpoint_storage final : public checkpoint_storage {
 public:
  /// `directory` is the job's own. State of a task below `memory_threshold_bytes` goes into the
  /// handles.
  file_checkpoint_storage(std::shared_ptr<file_system> files, std::string directory,
                          std::uint64_t memory_threshold_bytes);

  std::string location_of(checkpoint_id checkpoint) const override;
  status begin(checkpoint_id checkpoint) override;
  status begin_incremental(checkpoint_id checkpoint, checkpoint_id base) override;
  status recover(std::span<const checkpoint_id> completed) override;
  result<stored_task_state> store(const execution_attempt_id& who, const task_snapshot& snapshot,
                                  const uploaded_files& base = {}) override;
  result<stored_task_state> store_at(const std::string& directory, const execution_attempt_id& who,
                                     const task_snapshot& snapshot) override;
  status complete(const checkpoint_metadata& metadata) override;
  void give_up(checkpoint_id checkpoint) override;
  status discard(checkpoint_id checkpoint) override;
  result<std::vector<checkpoint_id>> completed() override;
  status remove_leftovers(std::span<const checkpoint_id> keep, checkpoint_id last) override;
  status clean_up(std::span<const checkpoint_id> keep) override;

 private:
  status root();

  std::shared_ptr<file_system> files_;
  std::string directory_;
  std::uint64_t memory_threshold_bytes_;
  std::atomic<bool> is_rooted_{false};  // the job's directory stays there after a power cut
  std::mutex mutex_;                    // of shared_
  shared_state_registry shared_;
};

}  // namespace millrace
