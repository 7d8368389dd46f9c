#include "millrace/source/source_coordinator.hpp"

#include <utility>

#include "millrace/source/source_messages.hpp"

namespace millrace {

source_coordinator::source_coordinator(std::shared_ptr<const enumerator_factory> source,
                                       coordinator_context& context)
    : source_(std::move(source)), context_(context), has_reader_(context.parallelism(), false) {}

status source_coordinator::restore(byte_view snapshot) {
  byte_reader in(snapshot);
  std::uint32_t version = 0;
  if (!decode(in, version))
    return millrace::fail(errc::invalid_data, "the snapshot of its enumerator is malformed");
  if (version != snapshot_version)
    return millrace::fail(errc::invalid_data, "the snapshot of its enumerator is of version " +
                                                  std::to_string(version) +
                                                  ", this engine knows version " +
                                                  std::to_string(snapshot_version));
  try {
    enumerator_ = source_->remake_enumerator(*this, snapshot.last(in.remaining()));
  } catch (const failure& e) {
    return tl::unexpected(e.what_failed());
  }
  return {};
}

void source_coordinator::start() {
  if (!enumerator_) enumerator_ = source_->make_enumerator(*this);
  enumerator_->start();
}

void source_coordinator::on_subtask_ready(std::uint32_t subtask) {
  has_reader_[subtask] = true;
  enumerator_->add_reader(subtask);
}

void source_coordinator::on_subtask_failed(std::uint32_t subtask, checkpoint_id restored) {
  has_reader_[subtask] = false;
  auto lost = tracker_.take_back(subtask, restored);
  if (!lost.empty()) enumerator_->add_encoded_splits_back(std::move(lost), subtask);
}

void source_coordinator::on_event(std::uint32_t subtask, byte_view event) {
  const auto message = decode_enumerator_message(event);
  if (message.what == enumerator_message::kind::split_request)
    enumerator_->handle_split_request(subtask);
  else
    enumerator_->handle_event(subtask, message.event);
}

std::vector<std::byte> source_coordinator::snapshot(checkpoint_id checkpoint) {
  byte_writer out;
  encode(out, snapshot_version);
  const auto state = enumerator_->encode_snapshot(checkpoint);
  out.put_bytes(state.data(), state.size());
  tracker_.on_checkpoint(checkpoint);
  return std::move(out).take();
}

void source_coordinator::on_checkpoint_complete(checkpoint_id checkpoint) {
  tracker_.on_checkpoint_complete(checkpoint);
  enumerator_->on_checkpoint_complete(checkpoint);
}

void source_coordinator::on_wake() {
  enumerator_->on_wake();
}

void source_coordinator::close() noexcept {
  if (enumerator_) enumerator_->close();
}

bool source_coordinator::has_reader(std::uint32_t subtask) const noexcept {
  return subtask < has_reader_.size() && has_reader_[subtask];
}

bool source_coordinator::assign_encoded(std::uint32_t subtask, std::vector<encoded_split> splits) {
  if (!has_reader(subtask)) return false;
  if (splits.empty()) return true;
  tracker_.on_assigned(subtask, splits);
  context_.send_to_subtask(
      subtask, encode_message(reader_message{reader_message::kind::splits, std::move(splits), {}}));
  return true;
}

void source_coordinator::signal_no_more_splits(std::uint32_t subtask) {
  context_.send_to_subtask(
      subtask, encode_message(reader_message{reader_message::kind::no_more_splits, {}, {}}));
}

void source_coordinator::send_event(std::uint32_t subtask, std::vector<std::byte> event) {
  context_.send_to_subtask(
      subtask, encode_message(reader_message{reader_message::kind::event, {}, std::move(event)}));
}

}  // namespace millrace
