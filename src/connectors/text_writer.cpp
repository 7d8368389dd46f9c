#include "millrace/connectors/text_writer.hpp"

#include <utility>

namespace millrace {

text_writer::text_writer(io_executor& io, std::shared_ptr<text_target> target)
    : io_(io), state_(std::make_shared<io_state>()) {
  state_->target = std::move(target);
  start_io(false);  // opens the target, so that a refused path is noticed before any record
}

text_writer::~text_writer() {
  if (is_committed_) return;
  io_.submit([state = state_] { state->abort(); }, [] {});
}

void text_writer::pump() {
  if (is_writing_ || has_failed_) return;
  if (!gathered_.empty() || (is_finishing_ && !is_committed_)) start_io(is_finishing_);
}

void text_writer::finish() {
  is_finishing_ = true;
  pump();
}

bool text_writer::is_busy() const noexcept {
  if (has_failed_) return false;
  return is_finishing_ ? !is_committed_ : gathered_.size() >= gathered_bytes_max;
}

void text_writer::start_io(bool commits) {
  is_writing_ = true;
  state_->text.clear();
  state_->text.swap(gathered_);
  io_.submit([state = state_, commits] { state->run(commits); },
             [this, commits] { on_io_done(commits); });
}

void text_writer::on_io_done(bool committed) {
  is_writing_ = false;
  if (!state_->outcome) {
    has_failed_ = true;
    throw failure(state_->outcome.error());
  }
  is_committed_ = committed;
  pump();
}

void text_writer::io_state::run(bool commits) {
  std::lock_guard lock(mutex);
  if (is_aborted) return;
  if (!std::exchange(is_open, true)) outcome = target->open();
  if (outcome && !text.empty()) outcome = target->write(text);
  if (outcome && commits) outcome = target->commit();
}

void text_writer::io_state::abort() noexcept {
  std::lock_guard lock(mutex);
  is_aborted = true;
  target->abort();
}

}  // namespace millrace
