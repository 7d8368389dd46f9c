#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/connectors/file_committer.hpp"
#include "millrace/connectors/part_files.hpp"
#include "millrace/connectors/rolling_policy.hpp"
#include "millrace/operators/sink_writer.hpp"
#include "millrace/state/operator_state.hpp"

namespace millrace {

/// Of a part that was open at a checkpoint. In checkpoints: its form is fixed.
struct open_part_state {
  std::string bucket;
  std::string working;
  std::uint64_t bytes = 0;  ///< So many of the file count.
  timestamp_ms opened_ms = 0;
  timestamp_ms written_ms = 0;
};

/// The number of the next part of a subtask. In checkpoints: fields may be added at the end only.
struct next_part_state {
  std::uint32_t subtask = 0;
  std::uint64_t number = 0;
  std::uint32_t parallelism = 0;  ///< 0 if it is not known.
};

/// Makes the places of one subtask.
using part_places_maker =
    std::function<std::unique_ptr<part_places>(const sink_writer_context&, part_recovery)>;

/// The parts that one subtask writes at the same time, one for each bucket: all of a file sink but
/// how records become bytes. One piece of I/O is under way at a time; what comes meanwhile is
/// gathered for the next, so that a slow stream is written at once, and a fast one in large writes.
/// Belongs to one task; errors are thrown as `failure` from the completion of the I/O, and stick.
///
///     open --roll--> closing --closed--> rolled --prepare_commit--> (the committer's)
class part_writer {
 public:
  /// A part to which records may be appended.
  struct part {
    /// What was not given to I/O yet. Append to it, then see whether it has become full.
    std::string text{};
    /// The part is full when `text` has so many bytes.
    std::size_t text_max = 0;

    /// Whether nothing was written to it yet.
    bool is_empty() const noexcept { return written == 0 && text.empty(); }
    bool is_full() const noexcept { return text.size() >= text_max; }

    std::shared_ptr<part_file> file{};
    std::uint64_t written = 0;  ///< Given to I/O.
    /// Of these, what the last flush has made safe; nothing if there was none.
    std::optional<std::uint64_t> synced{};
    timestamp_ms opened_ms = 0;
    timestamp_ms written_ms = 0;
    bool is_saved = false;  ///< A checkpoint names it.
  };

  /// Takes up what `context` has of an earlier attempt. With `keeps_one` there is one part, of
  /// bucket "", which is there from the start on, even if no record comes.
  part_writer(sink_writer_context& context, const part_places_maker& make_places,
              const rolling_policy& policy, bool keeps_one);

  /// Before the records of a batch.
  void begin_batch() { now_ms_ = context_.time().wall_ms(); }
  /// The open part of a bucket, a new one if there is none. Valid until roll(), or the next batch.
  /// Throws `failure(invalid_argument)` for a bucket that is no relative path below the directory.
  part& part_of(std::string_view bucket);
  /// Ends the part of a bucket.
  void roll(std::string_view bucket);
  /// After the records of a batch: begins to write.
  void pump();

  void on_processing_time(timestamp_ms now);
  void flush(flush_cause why);
  bool is_busy() const noexcept;
  std::vector<file_committable> prepare_commit();
  void snapshot_state(checkpoint_id id);
  void on_checkpoint_complete(checkpoint_id id);
  void close() noexcept;

 private:
  static constexpr std::size_t gathered_bytes_max = 1024 * 1024;
  using part_map = std::map<std::string, std::unique_ptr<part>, std::less<>>;

  /// A part that is written and not handed over yet.
  struct rolled_part {
    file_committable what;
    std::shared_ptr<part_file> file;  // null if an earlier attempt has written it
    bool is_saved = false;
  };

  part_recovery recover();
  void resume_parts(const part_places& places);
  part& add(std::string bucket, timestamp_ms opened_ms);
  part_map::iterator roll(part_map::iterator which);
  void append_gathered(part& to);
  void set_room(part& of) const;
  timestamp_ms due_ms(const part& which) const;
  void ask_for_time(const part& which);
  void start_io();
  void on_io_done(const result<std::uint64_t>& next_number, std::vector<part_command>& done);
  void on_closed(const std::shared_ptr<part_file>& file);

  sink_writer_context& context_;
  rolling_policy policy_;
  bool replaces_ = false;
  std::shared_ptr<part_files> files_;

  part_map open_;
  std::vector<std::unique_ptr<part>> closing_;
  std::vector<part_command> commands_;    // that wait for the I/O under way
  std::vector<std::string> spare_texts_;  // empty ones, for their memory
  std::size_t gathered_bytes_ = 0;        // that wait for the I/O under way
  timestamp_ms now_ms_ = 0;
  bool is_writing_ = false;
  bool is_flushing_ = false;
  bool has_failed_ = false;
  checkpoint_id first_checkpoint_;  // of this attempt

  // Checkpointed.
  std::vector<rolled_part> rolled_;
  std::vector<std::string> superseded_;  // files that an attempt has copied to go on
  std::uint64_t next_number_ = 0;
  operator_list_state<open_part_state> open_state_;
  operator_list_state<file_committable> rolled_state_;
  operator_list_state<std::string> superseded_state_;
  operator_list_state<next_part_state> next_state_;
};

}  // namespace millrace
