#include "millrace/source/reading_operator.hpp"

#include <algorithm>
#include <utility>

#include "millrace/source/source_messages.hpp"

namespace millrace {

void reading_operator::open(operator_context& context) {
  context_ = &context;
  splits_ = context.operator_state().get_list_state(
      list_state_descriptor<encoded_split>("source-splits"));
  reader_ = make_reader(*this);
  if (event_time_) event_time_->open(context);
  if (context.is_restored()) add_splits(splits_.get());
  reader_->start();
  pause_splits();
  ask_to_be_woken();
}

poll_status reading_operator::poll() {
  const auto how = read(*reader_);
  pause_splits();
  return how;
}

void reading_operator::on_coordinator_event(byte_view event) {
  auto message = decode_reader_message(event);
  switch (message.what) {
    case reader_message::kind::splits:
      add_splits(std::move(message.splits));
      break;
    case reader_message::kind::no_more_splits:
      reader_->no_more_splits();
      break;
    case reader_message::kind::event:
      reader_->on_event(message.event);
      break;
  }
  pause_splits();  // a reader of several sources may have gone on to another one
}

void reading_operator::on_processing_time(timestamp_ms) {
  const auto now = context_->time().now();
  if (reader_wake_ <= now) reader_wake_ = never;
  if (event_time_) event_time_->on_time(now);
  ask_to_be_woken();
}

void reading_operator::on_alignment_limit(const std::string& group, timestamp_ms limit) {
  if (!event_time_) return;
  event_time_->on_alignment_limit(group, limit);
  pause_splits();
}

bool reading_operator::is_busy() const noexcept {
  return event_time_ && event_time_->is_held();
}

void reading_operator::on_watermark(timestamp_ms at) {
  if (event_time_) event_time_->end();
  source_operator::on_watermark(at);
}

void reading_operator::snapshot_state(checkpoint_id checkpoint) {
  splits_.update(reader_->encode_snapshot(checkpoint));
}

void reading_operator::on_checkpoint_complete(checkpoint_id checkpoint) {
  reader_->on_checkpoint_complete(checkpoint);
}

void reading_operator::on_checkpoint_aborted(checkpoint_id checkpoint) {
  reader_->on_checkpoint_aborted(checkpoint);
}

bool reading_operator::finish() {
  reader_->finish();
  return true;
}

void reading_operator::close() noexcept {
  if (reader_) reader_->close();
}

source_progress reading_operator::progress() const noexcept {
  return reader_ ? reader_->progress() : source_progress{};
}

void reading_operator::wake_at(time_point when) {
  reader_wake_ = reader_wake_ <= context_->time().now() ? when : std::min(reader_wake_, when);
  context_->wake_at(reader_wake_);
}

void reading_operator::request_split() {
  context_->send_to_coordinator(
      encode_message(enumerator_message{enumerator_message::kind::split_request, {}}));
}

void reading_operator::send_event(std::vector<std::byte> event) {
  context_->send_to_coordinator(
      encode_message(enumerator_message{enumerator_message::kind::event, std::move(event)}));
}

void reading_operator::add_splits(std::vector<encoded_split> splits) {
  if (event_time_)
    for (const auto& split : splits) event_time_->add_split(reader_->split_name(split));
  reader_->add_encoded_splits(std::move(splits));
}

void reading_operator::pause_splits() {
  if (!event_time_) return;
  if (const auto paused = event_time_->take_paused(reader_->can_pause_splits()))
    reader_->pause_splits(*paused);
}

/// The operator has one wake-up for both.
void reading_operator::ask_to_be_woken() {
  auto next = reader_wake_;
  if (event_time_) next = std::min(next, event_time_->next_look());
  if (next != never) context_->wake_at(next);
}

}  // namespace millrace
