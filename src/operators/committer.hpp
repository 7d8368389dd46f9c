#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/stream/runtime_context.hpp"

/// What the author of a connector writes for the side that makes records visible (Flink's
/// Committer and global committer, FLIP-143 and FLIP-191).
namespace millrace {

/// How an attempt to commit something ended.
enum class commit_status : std::uint8_t {
  committed,          ///< It is visible now.
  already_committed,  ///< It was visible already: an earlier attempt did it and nobody knew.
  retry_later,        ///< Not yet, but the same may succeed later.
  failed,             ///< It will never succeed: the job fails.
};

/// The same with the reason.
struct commit_result {
  commit_status status = commit_status::committed;  ///< Of the attempt.
  /// For retry_later and failed: what stood in the way, and what to do.
  error why{};

  /// It is visible now.
  static commit_result committed() { return {}; }
  /// It was visible already.
  static commit_result already_committed() { return {commit_status::already_committed, {}}; }
  /// The same may succeed later.
  static commit_result retry_later(error why) {
    return {commit_status::retry_later, std::move(why)};
  }
  /// It will never succeed.
  static commit_result failed(error why) { return {commit_status::failed, std::move(why)}; }
};

/// How often and how fast commits are tried again.
struct commit_retry_policy {
  std::chrono::milliseconds initial_backoff{100};  ///< Doubled each time,
  std::chrono::milliseconds backoff_max{10'000};   ///< up to this.
  std::uint32_t attempts_max = 10;                 ///< Then the job fails.
};

/// The world of a committer.
struct committer_context {
  const runtime_context& runtime;  ///< Of its subtask.
  file_system& files;              ///< Outlives the committer.
};

/// Makes visible what writers have prepared. Called on I/O threads, where it may block, one call at
/// a time; the object belongs to one subtask.
template <class Committable>
class committer {
 public:
  virtual ~committer() = default;

  /// One result for each of `what`, which are in the order of their checkpoints. Must be
  /// idempotent: what was committed before a crash comes again after the restart. After
  /// `retry_later` the same ones come again, together with what has been added; whoever needs the
  /// order answers so for all that follow, too. What it throws counts as failed.
  virtual std::vector<commit_result> commit(const std::vector<Committable>& what) = 0;

  /// The last call, if anything was handed over that will never be committed because the job failed
  /// or was cancelled before its first checkpoint: to be removed, as well as can be. Some of it may
  /// have been committed by a call whose answer came too late; that stays.
  virtual void discard(const std::vector<Committable>&) noexcept {}
};

/// The same for everything that all subtasks have prepared for one checkpoint: a manifest, a marker
/// that a data set is complete. There is one in a job, with parallelism 1.
template <class Committable>
class global_committer {
 public:
  virtual ~global_committer() = default;

  /// All committables of one checkpoint, of all subtasks; at least one. Idempotent, as above. It
  /// may come before the committers of the same checkpoint are through: who needs their work
  /// answers `retry_later` until it is done.
  ///
  /// Without checkpoints it comes at the end of the input, with number 0. What savepoints that were
  /// taken meanwhile have comes before, in a call of its own for each, with the savepoint's number.
  virtual commit_result commit(checkpoint_id checkpoint, const std::vector<Committable>& all) = 0;
};

/// A committer for whom the order counts over all subtasks: what one of them has prepared, and what
/// another one prepares later, when the parallelism has changed, may be about the same, such as the
/// row of a key. In a job with checkpoints nothing new is committed before all that a restart has
/// brought is. In one without them no subtask waits for another, so it is refused to begin with
/// another parallelism as long as anything of a snapshot is left to be committed.
template <class Committable>
class ordered_committer : public committer<Committable> {
 public:
  /// How many of `what` are left to be committed. Commits nothing. Called as commit() is.
  virtual result<std::size_t> count_uncommitted(const std::vector<Committable>& what) = 0;
};

}  // namespace millrace
