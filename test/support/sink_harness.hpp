#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "millrace/operators/sink.hpp"
#include "support/operator_harness.hpp"

namespace millrace::test {

/// Both operators' state at a checkpoint.
struct saved_sink {
  std::vector<saved_operator_state> writer;
  std::vector<saved_operator_state> committer;
};

/// One subtask of a sink: a writer, and a committer chained behind it. To crash it, drop it; what
/// it leaves are the files, which a successor shares, and the states that checkpoint() has
/// returned.
template <class T, class Sink>
class sink_harness {
 public:
  using committable = typename Sink::committable;

  explicit sink_harness(const Sink& sink, runtime_context::identity self = {},
                        std::shared_ptr<memory_files> files = std::make_shared<memory_files>())
      : sink_harness(make_sink_operators<T>(sink), std::move(self), std::move(files)) {}

  sink_harness& take_checkpoints() {
    writer_.take_checkpoints();
    committer_.take_checkpoints();
    return *this;
  }
  sink_harness& restore(const saved_sink& saved) {
    writer_.restore(saved.writer);
    committer_.restore(saved.committer);
    return *this;
  }
  void open() {
    committer_.open();
    writer_.open();
    hand_over();
  }
  void process(std::vector<T> rows, timestamp_column timestamps = {}) {
    writer_.process_timed(std::move(rows), std::move(timestamps));
    hand_over();
  }
  void pass_time(std::chrono::nanoseconds by) {
    writer_.pass_time(by);
    hand_over();
    committer_.pass_time(by);
  }
  /// Runs all I/O there is. With `steps_max` at most so many pieces of work.
  void run_io(std::size_t steps_max = 1'000'000) {
    for (std::size_t i = 0; i < steps_max && !is_io_idle(); ++i) {
      if (!writer_.manual().is_empty())
        writer_.manual().run();
      else
        committer_.manual().run();
      hand_over();
    }
  }
  /// The writer's part of a barrier; the committables have gone before it.
  saved_sink checkpoint(std::uint64_t number) {
    saved_sink saved;
    saved.writer = writer_.checkpoint(checkpoint_id{number});
    hand_over();
    saved.committer = committer_.checkpoint(checkpoint_id{number});
    return saved;
  }
  void complete(std::uint64_t number) {
    writer_.op().on_checkpoint_complete(checkpoint_id{number});
    committer_.op().on_checkpoint_complete(checkpoint_id{number});
  }
  void abort(std::uint64_t number) {
    writer_.op().on_checkpoint_aborted(checkpoint_id{number});
    committer_.op().on_checkpoint_aborted(checkpoint_id{number});
  }
  /// To the end of the input, with all I/O.
  void finish() {
    writer_.finish();
    run_io();
    committer_.finish();
    run_io();
  }
  /// Cancels the sink; work that is under way ends.
  void close() {
    writer_.close();
    committer_.close();
    writer_.manual().run_all_without_completion();
    committer_.manual().run_all_without_completion();
  }
  bool is_busy() { return writer_.op().is_busy() || committer_.op().is_busy(); }
  bool is_io_idle() { return writer_.manual().is_empty() && committer_.manual().is_empty(); }

  operator_harness<T, committable>& writer() { return writer_; }
  operator_harness<committable, committable>& committer() { return committer_; }
  memory_files& memory() { return writer_.memory(); }
  /// Committables that the committer has passed on.
  std::vector<committable> take() { return committer_.take(); }

 private:
  sink_harness(sink_operators made, runtime_context::identity self,
               std::shared_ptr<memory_files> files)
      : writer_(made.writer, self), committer_(made.committer, std::move(self)) {
    writer_.share_files(files);
    committer_.share_files(std::move(files));
  }

  void hand_over() {
    if (auto made = writer_.take(); !made.empty()) committer_.process(std::move(made));
  }

  operator_harness<T, committable> writer_;
  operator_harness<committable, committable> committer_;
};

/// Subtask `index` of `parallelism`.
inline runtime_context::identity subtask(std::uint32_t index, std::uint32_t parallelism,
                                         std::uint32_t attempt = 0) {
  runtime_context::identity self;
  self.subtask_index = index;
  self.parallelism = parallelism;
  self.attempt = attempt;
  return self;
}

}  // namespace millrace::test
