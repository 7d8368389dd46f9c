#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "millrace/api/job_runner.hpp"
#include "millrace/core/metrics.hpp"

namespace millrace::cli {

/// Shows on stderr how an attached job gets on: on a terminal one line that is overwritten, else a
/// line whenever the job's status changes and now and then a line between.
class progress_display {
 public:
  using clock = std::chrono::steady_clock;

  explicit progress_display(bool on_terminal) : on_terminal_(on_terminal) {}
  ~progress_display() { clear(); }
  progress_display(const progress_display&) = delete;
  progress_display& operator=(const progress_display&) = delete;

  void show(const job_progress& progress, clock::time_point now);
  /// Bytes of the job's library that the cluster has.
  void show_upload(std::uint64_t sent, std::uint64_t size);
  /// Removes the line from the terminal, for other output.
  void clear();

 private:
  void overwrite(const std::string& line);

  bool on_terminal_;
  bool visible_ = false;
  meter rate_;
  std::string last_state_;
  clock::time_point last_line_{};
  clock::time_point last_upload_line_{};
};

/// "RUNNING  12.3 M records  1.2 M records/s  45 %", or what the job waits for.
std::string progress_text(const job_progress& progress, double per_second);

}  // namespace millrace::cli
