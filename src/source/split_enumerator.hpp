#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "millrace/core/byte_buffer.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/core/io.hpp"
#include "millrace/source/source_split.hpp"

namespace millrace {

/// What an enumerator is given (Flink's SplitEnumeratorContext). Used only from its own calls and
/// from completions of its I/O.
class enumerator_context {
 public:
  virtual ~enumerator_context() = default;

  /// As errors show it.
  virtual const std::string& operator_name() const noexcept = 0;
  /// Number of readers, whether they are there or not.
  virtual std::uint32_t parallelism() const noexcept = 0;
  /// Whether the reader of a subtask is there.
  virtual bool has_reader(std::uint32_t subtask) const noexcept = 0;
  /// For a typed enumerator: split_enumerator::assign.
  virtual bool assign_encoded(std::uint32_t subtask, std::vector<encoded_split> splits) = 0;
  /// The reader ends when it is through with the splits that it has. Ignored if it is not there;
  /// its next attempt has to be told again.
  virtual void signal_no_more_splits(std::uint32_t subtask) = 0;
  /// Something that only the source's own reader understands. Ignored if it is not there.
  virtual void send_event(std::uint32_t subtask, std::vector<std::byte> event) = 0;
  /// Fails the job with the operator's name.
  virtual void fail(error why) = 0;
  /// Runs blocking work elsewhere, such as looking for new splits. `done` may throw, which fails
  /// the job; it never runs after close().
  virtual io_executor& io() noexcept = 0;
  /// For work that is given to io().
  virtual file_system& files() noexcept = 0;
  /// The only source of time.
  virtual const clock& time() const noexcept = 0;
  /// Calls on_wake at that time; the earliest request counts, and is over once it was called.
  virtual void wake_at(std::chrono::steady_clock::time_point when) = 0;
};

/// An enumerator as the engine sees it: see split_enumerator.
class split_enumerator_base {
 public:
  virtual ~split_enumerator_base() = default;

  /// Before anything else: a good place to begin to look for splits.
  virtual void start() {}
  /// The reader of a subtask is there. Not called for what went on before a restore.
  virtual void add_reader(std::uint32_t /*subtask*/) {}
  /// A reader has nothing to read and wants a split.
  virtual void handle_split_request(std::uint32_t /*subtask*/) {}
  /// What the source's own reader has sent.
  virtual void handle_event(std::uint32_t /*subtask*/, byte_view /*event*/) {}
  /// Snapshots up to this one are what a restart goes back to, at least.
  virtual void on_checkpoint_complete(checkpoint_id) {}
  /// A wake-up that was asked for is due.
  virtual void on_wake() {}
  /// Outstanding I/O is dropped.
  virtual void close() noexcept {}

  /// For a typed enumerator: split_enumerator::add_splits_back.
  virtual void add_encoded_splits_back(std::vector<encoded_split> splits,
                                       std::uint32_t subtask) = 0;
  /// For a typed enumerator: split_enumerator::snapshot, behind the fingerprint of its type.
  virtual std::vector<std::byte> encode_snapshot(checkpoint_id checkpoint) = 0;
};

/// Finds the splits of a source and hands them to readers (Flink's SplitEnumerator). There is one,
/// in the job master's node; it is called one call at a time and must not block: what does goes to
/// `context().io()`. It may throw, which fails the job with the operator's name.
///
/// `State` is what goes into a checkpoint: splits that no reader has, and whatever else is needed
/// to go on. Splits that readers have are in their own snapshots.
template <source_split Split, encodable State>
class split_enumerator : public split_enumerator_base {
 public:
  explicit split_enumerator(enumerator_context& context) : context_(context) {}

  /// A reader has failed, and these splits were given to it after the checkpoint that it goes back
  /// to, so that nobody has them any more.
  virtual void add_splits_back(std::vector<Split> splits, std::uint32_t subtask) = 0;
  /// What another enumerator needs to go on from here. Splits that were assigned until now are not
  /// part of it.
  virtual State snapshot(checkpoint_id checkpoint) = 0;

  void add_encoded_splits_back(std::vector<encoded_split> splits, std::uint32_t subtask) final {
    add_splits_back(decode_splits<Split>(splits), subtask);
  }
  std::vector<std::byte> encode_snapshot(checkpoint_id checkpoint) final {
    byte_writer out;
    encode(out, fingerprint_of<State>(), snapshot(checkpoint));
    return std::move(out).take();
  }

 protected:
  /// What the enumerator was made with.
  enumerator_context& context() noexcept { return context_; }
  /// The same.
  const enumerator_context& context() const noexcept { return context_; }

  /// Gives splits to a reader. False if it is not there (any more): then they stay yours.
  [[nodiscard]] bool assign(std::uint32_t subtask, const std::vector<Split>& splits) {
    return context_.assign_encoded(subtask, encode_splits(splits));
  }

 private:
  enumerator_context& context_;
};

/// What split_enumerator::encode_snapshot made. Throws `failure` if it is the state of another
/// enumerator.
template <encodable State>
State decode_enumerator_state(byte_view snapshot) {
  byte_reader in(snapshot);
  std::uint64_t type = 0;
  State state{};
  if (decode(in, type) && type != fingerprint_of<State>())
    throw failure(errc::type_mismatch,
                  "the enumerator's state was saved as another type than " +
                      describe_type<State>() +
                      ", which the source has now: start without the snapshot, or give the source "
                      "another uid");
  if (!decode(in, state) || in.remaining() != 0)
    throw failure(errc::invalid_data, "the enumerator's state in the snapshot is malformed");
  return state;
}

}  // namespace millrace
