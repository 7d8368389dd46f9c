#pragma once

#include <cstddef>
#include <memory>

#include "millrace/operators/sort_buffer.hpp"
#include "millrace/stream/operator.hpp"

namespace millrace {

/// Sorts any number of records in a bounded amount of memory (external merge sort; Flink's
/// ExternalSorter): what does not fit is written to runs, files in the directory for temporary
/// files, which are merged at the end. Two buffers take turns, so that records come in while others
/// are sorted and written. Sorting is stable.
///
/// All that takes long is done by the I/O executor; belongs to one operator of one task. Failures
/// of I/O are thrown in the task, as completions do. The files are removed when the sorter goes,
/// after a failure too; those of a killed process lie in its directory below `io.tmp.dirs`.
///
///     add*  end_input  ( peek advance )*  [ rewind ( peek advance )* ]*
class external_sorter {
 public:
  /// `label` tells the sorters of one operator apart. `memory_bytes` bounds what is kept in memory,
  /// but for the last batch that is added.
  external_sorter(operator_context& context, const std::string& label, std::uint64_t memory_bytes);
  ~external_sorter();
  external_sorter(const external_sorter&) = delete;
  external_sorter& operator=(const external_sorter&) = delete;

  void add(const sort_record& record) { gathering_.add(record); }
  /// Call after a batch was added.
  void pump();
  /// Nothing more is added: now it sorts.
  void end_input();
  /// Gives the records once more from the first one. They must have been read to the end.
  void rewind();

  enum class next : std::uint8_t {
    record,   ///< There is one.
    waiting,  ///< It is being read; is_busy() until then.
    end,      ///< There is none.
  };
  /// Looks at the next record, which is valid until the next call. Call after end_input().
  next peek(sort_record& record);
  void advance() noexcept { has_current_ = false; }

  /// Whether the operator should be given nothing more, or must wait for the next record.
  bool is_busy() const noexcept;

 private:
  /// What the I/O threads work on, at most one at a time.
  struct io_state;

  void start_io(void (io_state::*what)());
  void on_io_done();

  io_executor& io_;
  std::shared_ptr<io_state> state_;
  sort_buffer gathering_;
  bool is_working_ = false;
  bool has_input_ended_ = false;
  bool is_reading_ = false;  // the end of the input was passed on

  // What is read: a block at hand, and the next one.
  byte_writer block_;
  std::size_t block_at_ = 0;
  byte_writer next_block_;
  bool has_next_block_ = false;
  bool is_last_block_ = false;  // nothing comes after the next block
  sort_record current_;
  bool has_current_ = false;
};

}  // namespace millrace
