#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/core/file_system.hpp"
#include "millrace/core/io.hpp"
#include "millrace/stream/batch.hpp"
#include "millrace/stream/element.hpp"

namespace millrace {

/// What comes back to the head of an iteration, in order, until the head can send it around again.
///
/// It takes every batch at once and returns its credit, whether or not the head may send: so no
/// task of the loop ever waits for the head, and the cycle of tasks that wait for each other's
/// credit, which would be the end of a loop, cannot close. What does not fit into memory goes to
/// temporary files and comes back from there; only while the disk is slower than the loop is credit
/// held back, and the disk waits for nobody in the loop.
///
///     push -> [ back: in memory ] -> [ files ] -> [ front: in memory ] -> take
///
/// The front takes half of the memory, the back and what is being written a quarter each. Owned by
/// one task and used only from it; what it leaves to the I/O executor owns all it touches.
class feedback_buffer {
 public:
  using return_credit = std::function<void(std::uint32_t channel, std::uint64_t charge)>;

  /// `directory` is for its temporary files alone, and made when there are some.
  feedback_buffer(io_executor& io, file_system& files, std::string directory,
                  std::uint64_t memory_bytes, return_credit give_back);
  ~feedback_buffer();
  feedback_buffer(const feedback_buffer&) = delete;
  feedback_buffer& operator=(const feedback_buffer&) = delete;

  void push(std::uint32_t channel, record_batch data);

  /// Whether a batch is at hand. If not, there may be some in files, that are about to be.
  bool has_next() const noexcept { return !front_.empty(); }
  /// Only if has_next().
  batch_ptr take();
  bool is_empty() const noexcept { return front_.empty() && files_.empty() && back_.empty(); }
  /// Whether the head may take new records into the loop: only while what comes back fits.
  bool has_room() const noexcept { return files_.empty() && back_.empty(); }
  /// Throws what became of temporary files since the last call.
  void rethrow_failure();

 private:
  struct spill_file;
  struct held {
    batch_ptr rows;
    std::uint64_t bytes = 0;
  };
  static std::uint64_t bytes_of(const batch& rows) noexcept;
  bool is_back_full() const noexcept { return back_bytes_ >= memory_bytes_ / 4; }
  void pump();
  void write_back();
  void read_front();
  void on_io_done(const std::shared_ptr<spill_file>& file);

  io_executor& io_;
  file_system& disk_;
  const std::string directory_;
  const std::uint64_t memory_bytes_;
  const return_credit give_back_;

  std::deque<held> front_;
  std::deque<std::shared_ptr<spill_file>> files_;  ///< Oldest first.
  std::deque<held> back_;
  std::uint64_t front_bytes_ = 0;
  std::uint64_t back_bytes_ = 0;
  std::uint64_t files_made_ = 0;
  bool is_working_ = false;  ///< One piece of I/O at a time.
  std::vector<std::pair<std::uint32_t, std::uint64_t>>
      owed_;  ///< Credit held back: channel, charge.
  std::optional<error> failure_;
  std::shared_ptr<bool> is_open_ = std::make_shared<bool>(true);
};

}  // namespace millrace
