#include "progress.hpp"

#include <algorithm>
#include <iostream>

#include "millrace/core/human_units.hpp"
#include "text_table.hpp"

namespace millrace::cli {

namespace {

// Between two lines that say the same, where lines are kept.
constexpr auto line_interval = std::chrono::seconds(10);
constexpr auto upload_interval = std::chrono::milliseconds(200);

std::string state_of(const job_progress& progress) {
  std::string text(to_string(progress.status));
  if (!progress.waiting_for.empty()) text += ", waiting: " + progress.waiting_for;
  return printable(text);
}

}  // namespace

std::string progress_text(const job_progress& progress, double per_second) {
  std::string text = state_of(progress);
  if (!progress.waiting_for.empty()) return text;
  text += "  " + format_count(static_cast<double>(progress.source_rows)) + " records  " +
          format_rate(per_second);
  if (progress.progress_total > 0) {
    const double part =
        static_cast<double>(progress.progress_done) / static_cast<double>(progress.progress_total);
    text += "  " + std::to_string(static_cast<int>(std::min(part, 1.0) * 100)) + " %";
  }
  return text;
}

void progress_display::show(const job_progress& progress, clock::time_point now) {
  rate_.update(progress.source_rows, now.time_since_epoch());
  const std::string text = progress_text(progress, rate_.per_second());
  if (on_terminal_) {
    overwrite(text);
    return;
  }
  const std::string state = state_of(progress);
  if (state != last_state_ || now - last_line_ >= line_interval) {
    std::cerr << text << std::endl;
    last_state_ = state;
    last_line_ = now;
  }
}

void progress_display::show_upload(std::uint64_t sent, std::uint64_t size) {
  const auto now = clock::now();
  if (!on_terminal_ || size == 0 || now - last_upload_line_ < upload_interval) return;
  last_upload_line_ = now;
  overwrite("Uploading the job's library  " + format_bytes(sent) + " of " + format_bytes(size) +
            "  " + std::to_string(sent * 100 / size) + " %");
}

void progress_display::overwrite(const std::string& line) {
  std::cerr << "\r\033[K" << line << std::flush;
  visible_ = true;
}

void progress_display::clear() {
  if (visible_) std::cerr << "\r\033[K" << std::flush;
  visible_ = false;
}

}  // namespace millrace::cli
