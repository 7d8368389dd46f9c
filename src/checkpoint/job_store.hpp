#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "millrace/checkpoint/document_store.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/graph/job_graph.hpp"

namespace millrace {

/// A job that was accepted and is not over.
struct stored_job {
  job_id job;
  std::uint64_t submitted_wall_ms = 0;
  graph::job_graph graph;
};

/// Who removes a snapshot that a job can go back to.
enum class snapshot_owner : std::uint8_t {
  job,      ///< The job, among whose checkpoints it is.
  claimed,  ///< The job, which was started from it.
  user,     ///< Nobody but a user: a savepoint that the job was stopped with, and went on from.
  nobody,   ///< Whoever goes on with the job, at once: it is no place to go back to any more.
};

/// A job is being stopped with savepoints.
struct job_stop {
  std::string directory;    ///< Below which they are.
  bool is_drained = false;  ///< Its sources are told to end before.

  bool operator==(const job_stop&) const = default;
};

/// A completed checkpoint, and where its metadata lie.
struct checkpoint_pointer {
  checkpoint_id checkpoint;
  std::string location;
  snapshot_owner owner = snapshot_owner::job;
  /// Of the savepoint that a job was to stop with: who goes on from it goes on stopping.
  std::optional<job_stop> stop{};

  bool operator==(const checkpoint_pointer&) const = default;
};

/// A savepoint that was begun, and whose directory may be there.
struct begun_savepoint {
  checkpoint_id checkpoint;
  std::string location;
  /// Whoever asked for it was told that it failed: it is nobody's, whatever is there of it.
  bool is_withdrawn = false;

  bool operator==(const begun_savepoint&) const = default;
};

/// What a master of a job goes on from.
struct job_ledger {
  std::uint64_t epoch = 0;                      ///< Of the master: the nth that the job has.
  std::uint64_t last_checkpoint = 0;            ///< The highest number that was ever begun.
  std::vector<checkpoint_pointer> checkpoints;  ///< Completed and kept, ascending.
  std::vector<begun_savepoint> savepoints{};    ///< That have not ended yet.

  bool operator==(const job_ledger&) const = default;
};

/// What has to be found again when the master of a cluster, or of a job, has died: job graphs,
/// epochs, checkpoints and results (Flink's JobGraphStore, CheckpointIDCounter,
/// CompletedCheckpointStore and JobResultStore in one). Blocks: call it from I/O work. Safe to use
/// from any thread.
///
/// Epochs are the fencing tokens of job masters: whoever writes for a job names the epoch that it
/// was given, and is refused (`stale`) once another one was given out, so that what a dead master
/// has left to an I/O thread changes nothing behind its successor's back.
///
/// There must be one master at a time: two processes over one store are kept apart by whoever
/// starts them (`directory_lock`). Where that fails, as on a file system whose locks get lost, the
/// one that came last has taken over: others begin no epochs any more.
class job_store {
 public:
  /// `term` tells this process from others over the same store; 0 if there are none.
  explicit job_store(std::shared_ptr<document_store> documents, std::uint64_t term = 0);

  /// This process is the master from now on. Asked again, it only looks: `stale` once another
  /// process has taken over.
  status take_over();
  /// `stale` once another process has taken over. Changes nothing.
  status look_for_successor();

  /// A job was accepted.
  status add(const stored_job& job);
  /// Accepted, and not forgotten. A damaged one is left out, and named in the log; then `is_whole`
  /// becomes false.
  result<std::vector<stored_job>> jobs(bool* is_whole = nullptr);
  /// A master is to begin: its epoch, and what it goes on from. `cancelled` if the job has a
  /// result, `stale` if another process has taken over, `invalid_data` if the ledger is not as this
  /// process has left it.
  result<job_ledger> begin_epoch(const job_id& job);

  /// `stale` if a later master has begun an epoch, or has brought the job to its end: what is done
  /// for the job is not to be done then. So do all that follow.
  status check_epoch(const job_id& job, std::uint64_t epoch);
  /// The number will not be given again.
  status checkpoint_begun(const job_id& job, std::uint64_t epoch, checkpoint_id checkpoint);
  /// The same of a savepoint that will lie there: who finds it later, without metadata, is to
  /// remove it. Before its directory is made.
  status savepoint_begun(const job_id& job, std::uint64_t epoch, const begun_savepoint& savepoint);
  /// It is complete, and nobody's but the user's.
  status savepoint_completed(const job_id& job, std::uint64_t epoch, checkpoint_id savepoint);
  /// One that was to be what a master goes on from has failed, and may have been noted as that,
  /// though to note it was said to have failed, too: nobody goes back to it, but to `before`, if a
  /// user's is the latest then. Before its files are removed, and before anything goes on from an
  /// earlier one. Written whatever is there, so that what an attempt of this has written lasts.
  status checkpoint_withdrawn(const job_id& job, std::uint64_t epoch, checkpoint_id checkpoint,
                              const std::optional<checkpoint_pointer>& before);
  /// The same of a savepoint. It counts as begun until it is dropped, so that who finds it later
  /// can remove what is left.
  status savepoint_withdrawn(const job_id& job, std::uint64_t epoch,
                             const begun_savepoint& savepoint,
                             const std::optional<checkpoint_pointer>& before);
  /// Its metadata are stored: from now on it is what a master goes on from. Tell sinks behind it.
  /// Nothing happens if a later one is there.
  status checkpoint_completed(const job_id& job, std::uint64_t epoch,
                              const checkpoint_pointer& pointer);
  /// Nobody goes back to this one, which lies elsewhere: now its files may be removed, and until it
  /// is dropped who finds it is to do so.
  status snapshot_left(const job_id& job, std::uint64_t epoch, checkpoint_pointer snapshot);
  /// Nobody goes back to it: now its files may be removed. Fine if it was never completed. Of a
  /// savepoint that has failed: they have been removed.
  status checkpoint_dropped(const job_id& job, std::uint64_t epoch, checkpoint_id checkpoint);

  /// The job, which was to stop, goes on after all: so does who goes on from its savepoint. Written
  /// whatever is there, so that what an attempt of this has written lasts.
  status stop_given_up(const job_id& job, std::uint64_t epoch);

  /// The job has ended, and is never run again. What is in it is the caller's.
  status put_result(const job_id& job, std::uint64_t epoch, std::span<const std::byte> outcome);
  /// Of a job without a master. `not_found`.
  result<job_ledger> ledger_of(const job_id& job);
  /// Of one job. `not_found`.
  result<std::vector<std::byte>> result_of(const job_id& job);
  /// Those that can be read; the others are named in the log.
  result<std::vector<std::pair<job_id, std::vector<std::byte>>>> results();
  /// Not while the job's graph is there: it would be run again.
  status remove_result(const job_id& job);
  /// Nothing is left to be done for it; its result stays.
  status forget(const job_id& job);

 private:
  struct entry {
    std::mutex mutex;
    std::uint64_t last_epoch = 0;  // that was begun here
  };

  std::shared_ptr<entry> entry_of(const job_id& job);
  status write_term();
  /// Whether this process is still the one that has taken over last.
  status check_term();
  result<job_ledger> ledger_in_epoch(const job_id& job, std::uint64_t epoch);
  /// Changes the ledger, if it is still of that epoch. `change` returns whether it did.
  template <class Change>
  status update(const job_id& job, std::uint64_t epoch, Change&& change);
  result<job_ledger> read_ledger(const job_id& job);
  status write_ledger(const job_id& job, const job_ledger& ledger);

  std::shared_ptr<document_store> documents_;
  const std::uint64_t term_;
  std::atomic<bool> has_taken_over_ = false;
  std::mutex mutex_;  // of entries_
  std::map<job_id, std::shared_ptr<entry>> entries_;
};

}  // namespace millrace
