#pragma once

#include <memory>
#include <string>

#include "millrace/core/io.hpp"

namespace millrace {

/// Takes a subtask's lines to the standard output of this process, one write at a time: what comes
/// while one is under way is gathered for the next. Lines of different tasks are not mixed. Belongs
/// to one task; errors are thrown as `failure` from the completion of the I/O and stick.
class standard_output {
 public:
  /// `io` must outlive the use by its operator.
  explicit standard_output(io_executor& io) : io_(io) {}

  /// Append whole lines here, then call `pump`.
  std::string& buffer() noexcept { return gathered_; }
  /// Begins to write.
  void pump();
  /// Busy until all is written.
  void flush();
  /// Whether so much has gathered that the sink should get nothing more for now.
  bool is_busy() const noexcept;

 private:
  static constexpr std::size_t gathered_bytes_max = 1024 * 1024;
  /// Shared with the I/O threads.
  struct writing;

  io_executor& io_;
  std::shared_ptr<writing> state_;
  std::string gathered_;
  bool is_writing_ = false;
  bool is_flushing_ = false;
  bool has_failed_ = false;
};

}  // namespace millrace
