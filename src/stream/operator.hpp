#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "millrace/core/byte_buffer.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/core/io.hpp"
#include "millrace/stream/collector.hpp"
#include "millrace/stream/record_type.hpp"
#include "millrace/stream/runtime_context.hpp"
#include "millrace/stream/shared_description.hpp"
#include "millrace/stream/watermark_alignment.hpp"

namespace millrace {

class coordinator_context;
class keyed_state_slot;
class operator_coordinator;
class operator_state_backend;
template <class Key>
class keyed_state_backend;

/// Where an operator puts what it does not want to keep in memory.
struct spill_options {
  /// Begins the paths of this task's temporary files and directories; no other task's is the same.
  std::string directory = "spill";
  /// What one subtask of an operator that sorts, or of an iteration's head, keeps in memory
  /// (`taskmanager.memory.sort`).
  std::uint64_t memory_bytes = std::uint64_t{64} << 20;
};

/// Everything the world gives to an operator, injected so that a simulation can give another world.
/// Valid from open() to close(), used only from the operator's task.
class operator_context {
 public:
  virtual ~operator_context() = default;

  /// Who the operator is, and its metrics.
  virtual runtime_context& runtime() noexcept = 0;
  /// Runs blocking work elsewhere. `done` is called back in the task, between two batches, after
  /// which the task steps again; it is never called once the operator is closed. Unlike elsewhere,
  /// `done` may throw: that fails the task with the operator's name.
  virtual io_executor& io() noexcept = 0;
  /// For work that is given to io().
  virtual file_system& files() noexcept = 0;
  /// The only source of time.
  virtual const clock& time() const noexcept = 0;
  /// Steps the task when `time().now()` is `when`, even if nothing arrives, and calls the
  /// operator's on_processing_time. Each operator has one wake-up: its earliest request counts, and
  /// is over once it was called.
  virtual void wake_at(std::chrono::steady_clock::time_point when) = 0;
  /// The same when the wall clock shows `when`. The clock may jump: on_processing_time is told the
  /// time it is then, and asks again if that is too early.
  void wake_at_processing_time(timestamp_ms when);

  /// Where rows of `type` for the side output of that tag go; null if the job does not read it.
  /// Push what is for it before a watermark that it precedes: watermarks take their way through the
  /// main output. Throws `failure(type_mismatch)` if the job reads it as another type.
  virtual output* side_output(const std::string& tag, const record_type& type) = 0;
  /// How large batches for side outputs become; those of the main output are what bind_output said.
  virtual const batch_limits& batches() const noexcept = 0;

  /// The operator's keyed state, made by the first call; `Key` must be the same in all. Include
  /// "millrace/state/keyed_state_slot.hpp" to use it. Throws `failure` if the backend can't be
  /// opened.
  template <class Key, class Slot = keyed_state_slot>
  keyed_state_backend<Key>& keyed_backend() {
    return static_cast<Slot&>(keyed_state()).template get<Key>();
  }
  /// For keyed_backend().
  virtual keyed_state_slot& keyed_state() noexcept = 0;
  /// The operator's state that belongs to no key. Include "millrace/state/operator_state.hpp".
  virtual operator_state_backend& operator_state() noexcept = 0;

  /// For operators that keep more than fits into memory.
  virtual const spill_options& spilling() const noexcept = 0;

  /// How often generators are asked for watermarks (`pipeline.auto-watermark-interval`); 0 for
  /// never.
  virtual std::chrono::milliseconds auto_watermark_interval() const noexcept = 0;
  /// Whether the job takes checkpoints. If not, there are savepoints only: on_checkpoint_complete
  /// comes for the one that the job is stopped with, if ever.
  virtual bool is_checkpointed() const noexcept = 0;
  /// In a job that takes no checkpoints: no snapshot can hold what the operator has, so there are
  /// to be no savepoints while its task runs. `why` is what who asks for one is told.
  virtual void refuse_savepoints(std::string /*why*/) {}
  /// Whether the operator's state comes from a checkpoint; its states then hold it from open() on.
  virtual bool is_restored() const noexcept = 0;
  /// Sends an event to the operator's coordinator in the job master. Events of one subtask arrive
  /// in order; those of an attempt that has been replaced do not arrive. Throws `failure` if the
  /// operator's factory makes no coordinator.
  virtual void send_to_coordinator(std::vector<std::byte> event) = 0;

  /// Tells the other members of an alignment group, wherever they run, how far this one is. What
  /// follows from it comes back by on_alignment_limit.
  virtual void report_alignment(const alignment_report& report) = 0;
};

/// One operator of one subtask. Called only from its task, one call at a time; may throw, which
/// fails the task with the operator's name. The life of an operator:
///
///     bind_output  open  ( process* end_input )*per input  finish+  close
///
/// and for each checkpoint, between two batches, also after finish(),
///
///     prepare_snapshot  snapshot_state  then once  on_checkpoint_complete | on_checkpoint_aborted
///
/// An operator that begins with a checkpoint behind its finish() is not run again:
///
///     bind_output  open  close
///
/// with checkpoints in between; a source is not even opened. open() commits what the checkpoint
/// allows to commit. While that goes on the operator is busy, or is_committing(): the task ends
/// when no operator is, and those get their wake-ups. It must not emit.
///
/// close() is called in any case, after a failure or a cancellation too. From open() to finish()
/// on_watermark, on_status and on_processing_time come in between. The last watermark is
/// `max_watermark`; it comes before the last end_input.
class stream_operator {
 public:
  virtual ~stream_operator() = default;

  /// Where the rows go. Sinks have no use for it.
  virtual void bind_output(output& target, const batch_limits&) { output_ = &target; }
  /// Before anything is processed.
  virtual void open(operator_context&) {}
  /// A whole batch, of the type that the factory said for `input`. Everything that it causes must
  /// have been pushed to the output on return, save what the operator holds as state.
  virtual void process(std::size_t input, batch& rows, rows_access access) = 0;
  /// Event time has come to `at`, the minimum over all inputs: no earlier record is to come,
  /// unless late. Each call has a greater one. Emit what was waiting for it, flush, then pass the
  /// watermark on. An operator that holds records back may hold it back, too: whoever passes it on
  /// says that no earlier record follows.
  virtual void on_watermark(timestamp_ms at) { output_->push_watermark(at); }
  /// All inputs are idle, or one no longer is: whether watermarks are to be expected.
  virtual void on_status(stream_status now) { output_->push_status(now); }
  /// A wake-up that the operator has asked for is due; `now` is the wall clock's time. Not called
  /// while output waits for credit, so it may come late. Emits as process() does.
  virtual void on_processing_time(timestamp_ms /*now*/) {}
  /// Members of this alignment group whose watermark is beyond `limit` are to wait (is_busy) for
  /// the next limit. `max_watermark` lets everybody go.
  virtual void on_alignment_limit(const std::string& /*group*/, timestamp_ms /*limit*/) {}
  /// The source in this task has emitted everything, so nobody is held back any more by waiting for
  /// others of an alignment group. Operators in between may still emit.
  virtual void on_source_end() {}
  /// What the operator's coordinator has sent to this subtask.
  virtual void on_coordinator_event(byte_view /*event*/) {}
  /// A barrier is about to leave: emit what belongs before it, such as rows summed up in members;
  /// called again if rows come while the barrier waits (Flink's prepareSnapshotPreBarrier).
  virtual void prepare_snapshot(checkpoint_id) {}
  /// The barrier has left, and the keyed and operator state of this moment goes into the snapshot:
  /// write to it what is in members only. Must not emit, nor wait (Flink's snapshotState).
  virtual void snapshot_state(checkpoint_id) {}
  /// The whole job's checkpoint is stored and will be what a restart goes back to: make visible
  /// what waited for it, if the factory says that it `commits`. May come late, or be left out when
  /// a later one comes; then that one speaks for this one, too. Where nothing commits, a restart
  /// may still go back to one before if this one turns out to be damaged.
  virtual void on_checkpoint_complete(checkpoint_id) {}
  /// There will be no such checkpoint. What waited for it waits for the next.
  virtual void on_checkpoint_aborted(checkpoint_id) {}
  /// Nothing follows on `input`.
  virtual void end_input(std::size_t /*input*/) {}
  /// All inputs have ended: emit what is held back, start the last writes. False if there is more:
  /// then it is called again when the output has room, so emit about a batch and return.
  virtual bool finish() { return true; }
  /// True while the operator waits for I/O, or for others of its alignment group, and should be
  /// given nothing more; the task asks again after each completion and each limit. After finish()
  /// the task ends only when no operator is busy.
  virtual bool is_busy() const noexcept { return false; }
  /// Whether it waits for I/O to go on with records that it was given, however few they are. What
  /// waits for event time, for the end of the input or for a timer of the user does not count. An
  /// iteration's loop is not empty while an operator of it holds records.
  virtual bool holds_records() const noexcept { return false; }
  /// Whether a barrier need not wait although the operator is busy, as it only waits for others of
  /// its alignment group, which might wait for the barrier, or for I/O that the snapshot says how
  /// to begin anew. Whoever else waits for I/O after prepare_snapshot holds up the barrier.
  virtual bool lets_barriers_pass() const noexcept { return false; }
  /// Whether what on_checkpoint_complete has begun is still under way. A job that stops with a
  /// savepoint waits for it; no finish() comes then.
  virtual bool is_committing() const noexcept { return false; }
  /// Releases everything; outstanding I/O is dropped.
  virtual void close() noexcept {}

 protected:
  /// For operators that decide themselves what watermarks go on.
  output& forwarded() noexcept { return *output_; }

 private:
  output* output_ = nullptr;
};

/// What a source has to say after poll().
enum class poll_status : std::uint8_t {
  more,      ///< There was something, and there may be more at once.
  idle,      ///< Nothing now; `wake_at` or an I/O completion will say when to look again.
  finished,  ///< A bounded source has emitted everything.
};

/// How far a bounded source is, for progress displays.
struct source_progress {
  std::uint64_t done = 0;   ///< In any unit, the same as `total`.
  std::uint64_t total = 0;  ///< 0 if unknown.
};

/// An operator without input, at the head of a chain.
class source_operator : public stream_operator {
 public:
  /// Emits about a batch and returns; never blocks.
  virtual poll_status poll() = 0;
  /// How far it is; 0 of 0 if unknown.
  virtual source_progress progress() const noexcept { return {}; }

  void process(std::size_t, batch&, rows_access) final;
};

/// The description of an operator: const and shared by all its subtasks, which it makes.
class operator_factory : public shared_description {
 public:
  /// An operator for one subtask.
  virtual std::unique_ptr<stream_operator> create() const = 0;
  /// Type of input `input`; null if there is no such input (sources).
  virtual const record_type* input_type(std::size_t input) const noexcept = 0;
  /// Null for sinks.
  virtual const record_type* output_type() const noexcept = 0;
  /// Whether create_coordinator makes one.
  virtual bool has_coordinator() const noexcept { return false; }
  /// What speaks for all subtasks in the job master, such as the enumerator of a source. Include
  /// "millrace/stream/operator_coordinator.hpp" to make one. `context` outlives it.
  virtual std::unique_ptr<operator_coordinator> create_coordinator(
      coordinator_context& context) const;
  /// Whether its operators make output visible when a checkpoint is complete. Where one does, the
  /// job never goes back behind its latest checkpoint by itself: output would come again.
  virtual bool commits() const noexcept { return false; }
};

/// Shared by the plan and all subtasks of a process.
using operator_factory_ptr = boost::intrusive_ptr<const operator_factory>;

/// Base of operators that emit records of type Out.
template <class Out, class Base = stream_operator>
class producing : public Base {
 public:
  void bind_output(output& target, const batch_limits& limits) final {
    Base::bind_output(target, limits);
    out_.bind(target, limits);
  }

 protected:
  /// Flush it before process() returns.
  collector<Out> out_;
};

}  // namespace millrace
