#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "millrace/connectors/text_target.hpp"
#include "millrace/core/io.hpp"

namespace millrace {

/// Takes a sink's text to its target, one write at a time: what comes while one is under way is
/// gathered for the next. So a slow stream is written at once, a fast one in large writes. Belongs
/// to one task; errors are thrown as `failure` from the completion of the I/O and stick.
class text_writer {
 public:
  /// `io` must outlive the writer's use by its operator.
  text_writer(io_executor& io, std::shared_ptr<text_target> target);
  /// Aborts the target unless everything was committed.
  ~text_writer();
  text_writer(const text_writer&) = delete;
  text_writer& operator=(const text_writer&) = delete;

  /// Append whole lines here, then call `pump`.
  std::string& buffer() noexcept { return gathered_; }
  void pump();
  /// Writes what is left and commits.
  void finish();

  /// Whether so much has gathered that the sink should get nothing more for now, or the end of it
  /// all is not yet on disk.
  bool is_busy() const noexcept;

 private:
  static constexpr std::size_t gathered_bytes_max = 1024 * 1024;

  /// Shared with the I/O threads.
  struct io_state {
    std::mutex mutex;  // against an abort while a write is under way
    std::shared_ptr<text_target> target;
    std::string text;
    status outcome;
    bool is_open = false;
    bool is_aborted = false;

    void run(bool commits);
    void abort() noexcept;
  };

  void start_io(bool commits);
  void on_io_done(bool committed);

  io_executor& io_;
  std::shared_ptr<io_state> state_;
  std::string gathered_;
  bool is_writing_ = false;
  bool is_finishing_ = false;
  bool is_committed_ = false;
  bool has_failed_ = false;
};

}  // namespace millrace
