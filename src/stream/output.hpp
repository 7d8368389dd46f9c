#pragma once

#include <cstdint>
#include <vector>

#include "millrace/stream/element.hpp"

namespace millrace {

/// How large batches become before they are handed on.
struct batch_limits {
  std::uint32_t rows = 4096;        ///< At most so many rows,
  std::uint32_t bytes = 64 * 1024;  ///< and handed on at the first row that reaches these bytes.
};

/// Takes batches: the next operator of a chain, or the router of an exchange.
class batch_consumer {
 public:
  virtual ~batch_consumer() = default;
  /// A batch of the type that both ends agreed on. With `exclusive` access the rows may be taken,
  /// else only looked at.
  virtual void consume(batch& rows, rows_access access) = 0;
  /// Event time has come to `at`, after all batches before. `max_watermark` only inside of a loop.
  virtual void on_watermark(timestamp_ms /*at*/) {}
  /// Whether watermarks are to be expected, after all batches before.
  virtual void on_status(stream_status) {}
};

/// Where an operator's rows go: every chained successor and every exchange that leaves the task
/// from this operator. Owned by the chain, wired once before the task opens.
class output {
 public:
  /// Gets rows and time. It outlives this.
  void add(batch_consumer& consumer) { consumers_.push_back(&consumer); }
  /// A consumer that gets its rows from a side output of the operator: time goes by here for it,
  /// too.
  void add_to_time(batch_consumer& consumer) { only_timed_.push_back(&consumer); }

  /// Of the consumers added before, one that is part of the same loop of an iteration: there, event
  /// time ends before the input does.
  void add_to_loop(batch_consumer& consumer) { looped_.push_back(&consumer); }

  /// One virtual call per consumer and batch. Only the last one may take the rows.
  void push(batch& rows, rows_access access) {
    if (consumers_.empty()) return;
    rows_out_ += rows.size();
    for (std::size_t i = 0; i + 1 < consumers_.size(); ++i)
      consumers_[i]->consume(rows, rows_access::shared);
    consumers_.back()->consume(rows, access);
  }

  /// Tells everybody how far event time is. Everything that belongs before it must have been
  /// pushed. A watermark never goes back: one that is not beyond the last is ignored, and so is
  /// every one while the output is idle (as Flink's outputs do).
  ///
  /// `max_watermark` is noted but not passed on: those behind learn of the end of event time by the
  /// end of their input, when the operator is through with finish(). So what is emitted there is
  /// never late. Only those that are part of the same loop are told at once.
  void push_watermark(timestamp_ms at);
  /// Tells everybody whether watermarks are to be expected.
  void push_status(stream_status now);

  /// The last one that was pushed; `no_timestamp` if there was none.
  timestamp_ms watermark() const noexcept { return watermark_; }
  /// The last one that was pushed; active if there was none.
  stream_status status() const noexcept { return status_; }

  /// Whether nobody listens, so that rows need not be made.
  bool is_empty() const noexcept { return consumers_.empty(); }
  /// Rows pushed so far; not counted while nobody listens.
  std::uint64_t rows_out() const noexcept { return rows_out_; }

 private:
  std::vector<batch_consumer*> consumers_;
  std::vector<batch_consumer*> only_timed_;
  std::vector<batch_consumer*> looped_;
  std::uint64_t rows_out_ = 0;
  timestamp_ms watermark_ = no_timestamp;
  stream_status status_ = stream_status::active;
};

}  // namespace millrace
