#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "millrace/source/source_split.hpp"
#include "millrace/stream/operator.hpp"

namespace millrace {

/// Told which split the records come from; the operator's side of source_output.
class split_listener {
 public:
  virtual ~split_listener() = default;
  /// See source_output::begin_split. The rows before it were flushed.
  virtual void on_begin_split(const std::string& id) = 0;
  /// See source_output::end_split. The rows before it were flushed.
  virtual void on_end_split(const std::string& id) = 0;
};

/// Where a reader puts its records: a collector that also wants to know from which split they come,
/// since each split has event time of its own.
template <class T>
class source_output : public collector<T> {
 public:
  /// What follows is read from that split, until another one is named.
  void begin_split(const std::string& id) {
    if (listener_ == nullptr) return;
    this->flush();
    listener_->on_begin_split(id);
  }
  /// The split was read to its end: its event time holds up nobody any more.
  void end_split(const std::string& id) {
    if (listener_ == nullptr) return;
    this->flush();
    listener_->on_end_split(id);
  }

  /// Wires the output: the operator does it once, and a reader that hands the output on to another
  /// one for that time. Null if nobody wants to know.
  void listen(split_listener* listener) noexcept { listener_ = listener; }
  /// Who listens; null if nobody does.
  split_listener* listener() const noexcept { return listener_; }

 private:
  split_listener* listener_ = nullptr;
};

/// What a reader is given (Flink's SourceReaderContext). Valid from create_reader to close(), used
/// only from the reader's task.
class reader_context {
 public:
  virtual ~reader_context() = default;

  /// The source's operator: who it is, I/O, files, time.
  virtual operator_context& task() noexcept = 0;
  /// Polls the reader at that time, even if nothing arrives; the earliest request counts.
  virtual void wake_at(std::chrono::steady_clock::time_point when) = 0;
  /// The reader has nothing to read (soon): the enumerator's handle_split_request is called.
  virtual void request_split() = 0;
  /// Something that only the source's own enumerator understands.
  virtual void send_event(std::vector<std::byte> event) = 0;
};

/// A reader as the engine sees it, whatever its records are: see source_reader.
class any_source_reader {
 public:
  virtual ~any_source_reader() = default;

  /// Before the first poll, with the splits that it had in the checkpoint that it goes on from.
  virtual void start() {}
  /// No split comes any more: poll() says `finished` when those it has are read.
  virtual void no_more_splits() = 0;
  /// What the source's own enumerator has sent.
  virtual void on_event(byte_view /*event*/) {}
  /// Whether pause_splits works now. If not, the whole reader waits for others of its alignment
  /// group.
  virtual bool can_pause_splits() const noexcept { return false; }
  /// Splits by id that are too far ahead in event time: nothing is to be emitted of them until they
  /// are no longer named.
  virtual void pause_splits(const std::set<std::string>& /*ids*/) {}
  /// How far it is; 0 of 0 if unknown. All readers of a source are summed up.
  virtual source_progress progress() const noexcept { return {}; }
  /// What was read up to this checkpoint won't be read again.
  virtual void on_checkpoint_complete(checkpoint_id) {}
  /// There will be no such checkpoint.
  virtual void on_checkpoint_aborted(checkpoint_id) {}
  /// After poll() has said `finished`. What it throws fails the job.
  virtual void finish() {}
  /// Releases everything; outstanding I/O is dropped.
  virtual void close() noexcept {}

  /// For a typed reader: source_reader::add_splits.
  virtual void add_encoded_splits(std::vector<encoded_split> splits) = 0;
  /// For a typed reader: source_reader::snapshot.
  virtual std::vector<encoded_split> encode_snapshot(checkpoint_id checkpoint) = 0;
  /// By which name the operator hears of a split in begin_split and end_split, and pauses it: its
  /// id, but where a reader has splits of several sources, which may have the same ids.
  virtual std::string split_name(const encoded_split& split) const { return split.id; }
};

/// The same with its records.
template <class T>
class source_reader_base : public any_source_reader {
 public:
  /// Emits about a batch and returns; never blocks. `idle` if there is nothing now: it is polled
  /// again after an event of the enumerator, a completion of I/O or a wake-up.
  virtual poll_status poll(source_output<T>& out) = 0;
};

/// Reads the splits of one subtask (Flink's SourceReader). Called only from its task, one call at a
/// time; may throw, which fails the task with the operator's name. What blocks goes to
/// `context.task().io()`; fetching_reader does that for readers that have something to fetch.
template <class T, source_split Split>
class source_reader : public source_reader_base<T> {
 public:
  /// Splits from the enumerator, or those that the reader had in the checkpoint that it goes on
  /// from: then before start().
  virtual void add_splits(std::vector<Split> splits) = 0;
  /// The splits that were not read to their end, with how far they were read: reading goes on with
  /// the record behind the last that was emitted.
  virtual std::vector<Split> snapshot(checkpoint_id checkpoint) = 0;

  void add_encoded_splits(std::vector<encoded_split> splits) final {
    add_splits(decode_splits<Split>(splits));
  }
  std::vector<encoded_split> encode_snapshot(checkpoint_id checkpoint) final {
    return encode_splits(snapshot(checkpoint));
  }
};

}  // namespace millrace
