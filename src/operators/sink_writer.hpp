#pragma once

#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "millrace/stream/operator.hpp"

/// What the author of a connector writes for the side that takes records (Flink's SinkWriter and
/// TwoPhaseCommittingSink's PrecommittingSinkWriter, FLIP-143 and FLIP-191).
namespace millrace {

/// The committable of a sink that has nothing to commit: what it has written is visible at once.
using no_committable = std::monostate;

/// Rows of a batch as a writer sees them. Valid during the call.
template <class T>
struct sink_rows {
  /// In the order of the stream.
  std::span<const T> rows;
  /// Event times of the rows; empty if they have none.
  std::span<const timestamp_ms> timestamps;

  /// Of one row, `no_timestamp` if it has none.
  timestamp_ms timestamp_of(std::size_t row) const noexcept {
    return timestamps.empty() ? no_timestamp : timestamps[row];
  }
};

/// The world of a writer. Used only from its task, valid as long as the writer.
class sink_writer_context {
 public:
  /// `io` is what the writer is to use in place of that of `context`. Both must outlive this.
  sink_writer_context(operator_context& context, io_executor& io) : context_(context), io_(io) {}

  /// Who the writer is, and its metrics.
  runtime_context& runtime() const noexcept { return context_.runtime(); }
  /// For all that may block. Completions come between two calls of the writer and may throw, which
  /// fails the job.
  io_executor& io() const noexcept { return io_; }
  /// For work that is given to io().
  file_system& files() const noexcept { return context_.files(); }
  /// The only source of time.
  const clock& time() const noexcept { return context_.time(); }
  /// Asks for on_processing_time when the wall clock shows `when`; the earliest request counts.
  void wake_at_processing_time(timestamp_ms when) const { context_.wake_at_processing_time(when); }
  /// Where the writer keeps what a restart needs. Include "millrace/state/operator_state.hpp".
  operator_state_backend& operator_state() const noexcept { return context_.operator_state(); }
  /// Whether the job takes checkpoints.
  bool is_checkpointed() const noexcept { return context_.is_checkpointed(); }
  /// Whether operator_state() holds what an earlier attempt has saved.
  bool is_restored() const noexcept { return context_.is_restored(); }

 private:
  operator_context& context_;
  io_executor& io_;
};

/// Why a writer is to write out what it holds.
enum class flush_cause : std::uint8_t {
  checkpoint,    ///< A barrier waits for it.
  end_of_input,  ///< No more records come; nothing may stay behind.
};

/// Takes the records of one subtask. `Committable` names something that is written but not yet
/// visible; it travels to the committer as a record. Used only from its task; nothing may block,
/// what does goes to the context's io(). All may throw, which fails the job. For each checkpoint,
///
///     flush(checkpoint)  …until not busy…  prepare_commit  snapshot_state  then, if it completes,
///     on_checkpoint_complete
///
/// and at the end of a bounded stream flush(end_of_input), …until not busy…, prepare_commit.
/// Without checkpoints prepare_commit is also called after every call and completion, and what it
/// returns is committed at once.
template <class T, class Committable = no_committable>
class sink_writer {
 public:
  virtual ~sink_writer() = default;

  /// A whole batch.
  virtual void write(const sink_rows<T>& rows) = 0;
  /// Event time has come to `at`.
  virtual void on_watermark(timestamp_ms /*at*/) {}
  /// A wake-up that was asked for is due; `now` is the wall clock's time.
  virtual void on_processing_time(timestamp_ms /*now*/) {}
  /// Starts to write out all that was given so far. Once the writer is no longer busy, each record
  /// so far is safe: visible, or named by a committable, or by the state that is saved next.
  virtual void flush(flush_cause /*why*/) {}
  /// Whether the writer should be given nothing more for now: it waits for I/O, after flush() or
  /// because too much has gathered.
  virtual bool is_busy() const noexcept { return false; }
  /// What is ready to be committed and was not returned before.
  virtual std::vector<Committable> prepare_commit() { return {}; }
  /// Write to the operator state what a restart needs. Must not wait.
  virtual void snapshot_state(checkpoint_id) {}
  /// A restart will go back to this checkpoint or a later one; in a job without committers also to
  /// one before, if this one is damaged. So leave it to a committer to make output visible: if it
  /// were done here, it could be done twice.
  virtual void on_checkpoint_complete(checkpoint_id) {}
  /// After the end, a failure or a cancellation; no completion comes any more. What no checkpoint
  /// names is to be removed, as well as can be.
  virtual void close() noexcept {}
};

}  // namespace millrace
