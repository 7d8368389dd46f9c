#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

#include "millrace/core/error.hpp"

// Places at which a process can be told to kill itself, to prove that nothing is lost or doubled
// whatever step of a checkpoint, commit or recovery was the last: scripts/failover/kill-points goes
// through all of them. None lies on the way of records; one that is passed costs a load.

namespace millrace {

/// Named by what has just been done. Those of the master first, then those of workers.
enum class kill_point : std::uint8_t {
  artifact_written,       ///< A job library that is uploaded, under another name.
  artifact_renamed,       ///< But its folder is not synced, and its client does not know yet.
  job_accepted,           ///< The graph of a job is stored; its client does not know yet.
  epoch_begun,            ///< A master of a job has taken its ledger over.
  origin_loaded,          ///< It knows the checkpoint that it goes on from.
  tasks_deployed,         ///< Tasks were told to begin, or to begin again.
  checkpoint_numbered,    ///< The ledger has the number of a checkpoint that begins.
  shared_begun,           ///< There is a folder for the files that it adds to the shared ones.
  checkpoint_begun,       ///< It has a directory.
  checkpoint_triggered,   ///< The sources were told.
  task_acknowledged,      ///< The state of a subtask is known to be stored.
  metadata_written,       ///< All of it, but under another name, and not synced.
  metadata_synced,        ///< Under another name.
  metadata_renamed,       ///< But its directory is not synced.
  metadata_stored,        ///< Durably: there is a checkpoint.
  document_written,       ///< A document of the job store, under another name, not synced.
  document_renamed,       ///< But its folder is not synced.
  checkpoint_recorded,    ///< The ledger has it.
  checkpoint_announced,   ///< Tasks were told to commit.
  checkpoint_forgotten,   ///< The ledger does not have an old one any more; its files are there.
  snapshot_unnamed,       ///< Metadata of a snapshot that goes are removed, its state is not.
  snapshot_removed,       ///< Its directory, too.
  shared_removed,         ///< A shared file or folder that no checkpoint has any more is gone.
  shared_cleared,         ///< The same, of what a master finds that nobody knows.
  claimed_unnamed,        ///< Metadata of a snapshot that the job was given are removed.
  claimed_removed,        ///< A file of such a snapshot is, others are not.
  savepoint_begun,        ///< It has a directory.
  result_stored,          ///< It is known how a job ended, and its state is still there.
  checkpoints_removed,    ///< Those of a job that has ended.
  graph_removed,          ///< Of a job that has ended; its ledger is still there.
  program_renamed,        ///< A job library that is downloaded; it is not loaded.
  file_copied,            ///< One of those of a database that is brought back, others are not.
  state_read,             ///< That of a subtask, out of a checkpoint; files are not opened yet.
  log_replayed,           ///< What was logged of a database is in its files, and it is closed.
  task_restored,          ///< It has its state, and takes records.
  log_cut,                ///< A piece of the log of a database is complete.
  base_made,              ///< A database has linked all files that it has now.
  image_linked,           ///< Those of an earlier image and the log since are linked.
  snapshot_taken,         ///< The state of a subtask is copied, but not stored.
  copy_begun,             ///< There is a file for a copy of what is stored, or a link.
  state_begun,            ///< Its file is there.
  state_written,          ///< But not synced.
  state_synced,           ///< The file is complete.
  state_acknowledged,     ///< The master was told.
  part_opened,            ///< A new file of a sink, which has no name for readers.
  part_copied,            ///< What a checkpoint has of one that was open goes on in a new one.
  part_synced,            ///< What the barrier covers is in a file.
  part_closed,            ///< It is complete, and waits for a checkpoint.
  completion_received,    ///< A task may commit.
  copies_confirmed,       ///< Copies that no later checkpoint needs are gone.
  copies_removed,         ///< Those of a job that has ended.
  commit_begun,           ///< Nothing is renamed.
  part_renamed,           ///< Readers see a part; its directory is not synced.
  parts_committed,        ///< All of one call, durably.
  changes_applied,        ///< In a transaction of a database that is still open.
  transaction_committed,  ///< The staging files of it are still there.
};

/// All names, such as "metadata-renamed", in the order of the enumeration.
std::span<const std::string_view> kill_point_names() noexcept;

/// "<name>" or "<name>:<n>": the process gets SIGKILL from itself when it passes that place for the
/// nth time from now on. Errors name those that there are. Replaces what was armed before; an empty
/// text disarms.
status arm_kill_point(std::string_view setting);

namespace detail {

extern std::atomic<bool> is_any_kill_point_armed;
void pass_armed(kill_point place) noexcept;

}  // namespace detail

/// The process has come to this place. Any thread.
inline void pass(kill_point place) noexcept {
  if (detail::is_any_kill_point_armed.load(std::memory_order_acquire)) detail::pass_armed(place);
}

}  // namespace millrace
