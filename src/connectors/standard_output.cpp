#include "millrace/connectors/standard_output.hpp"

#include <cerrno>
#include <cstdio>
#include <mutex>
#include <string_view>
#include <system_error>

#include "millrace/core/error.hpp"

namespace millrace {

namespace {

status write_all(std::string_view text) {
  static std::mutex one_at_a_time;
  std::lock_guard lock(one_at_a_time);
  // Through stdio, so that what the program itself prints keeps its place.
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0)
    return {};
  return fail(errc::io,
              "cannot write to standard output: " + std::generic_category().message(errno));
}

}  // namespace

struct standard_output::writing {
  std::string text;
  status outcome;
};

void standard_output::pump() {
  if (is_writing_ || has_failed_) return;
  if (gathered_.empty()) {
    is_flushing_ = false;
    return;
  }
  if (!state_) state_ = std::make_shared<writing>();
  is_writing_ = true;
  state_->text.clear();
  state_->text.swap(gathered_);
  io_.submit([state = state_] { state->outcome = write_all(state->text); },
             [this] {
               is_writing_ = false;
               if (!state_->outcome) {
                 has_failed_ = true;
                 throw failure(state_->outcome.error());
               }
               pump();
             });
}

void standard_output::flush() {
  is_flushing_ = true;
  pump();
}

bool standard_output::is_busy() const noexcept {
  return !has_failed_ && (is_flushing_ || gathered_.size() >= gathered_bytes_max);
}

}  // namespace millrace
