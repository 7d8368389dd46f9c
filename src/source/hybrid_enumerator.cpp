#include "millrace/source/hybrid_enumerator.hpp"

#include <algorithm>
#include <utility>

namespace millrace {

hybrid_enumerator::hybrid_enumerator(enumerator_context& context,
                                     std::shared_ptr<const hybrid_chain> chain)
    : context_(context), chain_(std::move(chain)), readers_(context.parallelism()) {}

hybrid_enumerator::hybrid_enumerator(enumerator_context& context,
                                     std::shared_ptr<const hybrid_chain> chain, byte_view snapshot)
    : hybrid_enumerator(context, std::move(chain)) {
  auto state = decode_enumerator_state<hybrid_enumeration>(snapshot);
  if (state.switches.size() >= chain_->size())
    throw failure(errc::invalid_data, "the snapshot is of a hybrid source of at least " +
                                          std::to_string(state.switches.size() + 1) +
                                          " sources, but now there are " +
                                          std::to_string(chain_->size()));
  switches_ = std::move(state.switches);
  returned_ = std::move(state.returned);
  factory_ = chain_->enumerators_of(index(), context_of(index()));
  present_ = factory_->remake_enumerator(*this, state.enumerator);
}

switch_context hybrid_enumerator::context_of(std::uint32_t index) const {
  if (index == 0) return {};
  const auto& switched = switches_[index - 1];
  return {switched.at_ms, switched.previous};
}

void hybrid_enumerator::start() {
  if (!present_) {
    factory_ = chain_->enumerators_of(0, {});
    present_ = factory_->make_enumerator(*this);
  }
  present_->start();
}

/// It says by itself where it is.
void hybrid_enumerator::add_reader(std::uint32_t subtask) {
  readers_[subtask] = {};
}

void hybrid_enumerator::handle_event(std::uint32_t subtask, byte_view event) {
  const auto message = decode_hybrid_enumerator_message(event);
  switch (message.what) {
    case hybrid_enumerator_message::kind::hello: {
      auto from = std::min(message.restored.value_or(index()), index());
      if (!returned_.empty()) from = std::min(from, returned_.begin()->first);
      return lead(subtask, from);
    }
    case hybrid_enumerator_message::kind::finished:
      return on_finished(subtask, message.index, message.restored);
    case hybrid_enumerator_message::kind::split_request:
      if (message.index == index()) present_->handle_split_request(subtask);
      return;
    case hybrid_enumerator_message::kind::event:
      if (message.index == index()) present_->handle_event(subtask, message.bytes);
      return;
  }
}

/// Tells a reader which source to read.
void hybrid_enumerator::lead(std::uint32_t subtask, std::uint32_t to) {
  readers_[subtask] = {to, false};
  const auto how = context_of(to);
  context_.send_event(
      subtask, encode_message(hybrid_reader_message{hybrid_reader_message::kind::switch_to, to,
                                                    how.at_ms(), how.previous()}));
  if (to == index()) return present_->add_reader(subtask);
  // What is left of a source that is over is for whoever comes first.
  if (const auto left = returned_.find(to); left != returned_.end()) {
    if (context_.assign_encoded(subtask, wrap(to, left->second))) returned_.erase(left);
  }
  context_.send_event(subtask, encode_message(hybrid_reader_message{
                                   hybrid_reader_message::kind::no_more_splits, to, 0, {}}));
}

void hybrid_enumerator::on_finished(std::uint32_t subtask, std::uint32_t finished,
                                    std::optional<std::uint32_t> restored) {
  auto& r = readers_[subtask];
  if (r.at != finished) return;
  if (finished < index()) {
    auto next = std::min(restored.value_or(index()), index());
    if (const auto left = returned_.upper_bound(finished); left != returned_.end())
      next = std::min(next, left->first);
    return lead(subtask, next);
  }
  r.has_finished = true;
  // One that is gone goes back to a checkpoint, and may have splits of this source there.
  for (std::uint32_t s = 0; s < readers_.size(); ++s)
    if (!readers_[s].has_finished || !context_.has_reader(s)) return;
  go_on();
}

/// All have read the present source to its end.
void hybrid_enumerator::go_on() {
  auto previous = present_->encode_snapshot({});
  present_->close();
  switches_.push_back({context_.time().wall_ms(), std::move(previous)});
  wake_ = never;
  auto factory = chain_->enumerators_of(index(), context_of(index()));
  present_ = factory->make_enumerator(*this);
  factory_ = std::move(factory);
  present_->start();
  for (std::uint32_t s = 0; s < readers_.size(); ++s) {
    if (context_.has_reader(s))
      lead(s, index());
    else
      readers_[s] = {};
  }
}

void hybrid_enumerator::add_encoded_splits_back(std::vector<encoded_split> splits,
                                                std::uint32_t subtask) {
  readers_[subtask] = {};
  std::vector<encoded_split> of_present;
  for (auto& split : unwrap(splits)) {
    auto& back = split.index == index() ? of_present : returned_[split.index];
    back.push_back(std::move(split.split));
  }
  if (!of_present.empty()) present_->add_encoded_splits_back(std::move(of_present), subtask);
}

std::vector<std::byte> hybrid_enumerator::encode_snapshot(checkpoint_id checkpoint) {
  byte_writer out;
  encode(out, fingerprint_of<hybrid_enumeration>(),
         hybrid_enumeration{switches_, present_->encode_snapshot(checkpoint), returned_});
  return std::move(out).take();
}

void hybrid_enumerator::on_checkpoint_complete(checkpoint_id checkpoint) {
  present_->on_checkpoint_complete(checkpoint);
}

void hybrid_enumerator::on_wake() {
  if (wake_ > context_.time().now()) {
    if (wake_ != never) context_.wake_at(wake_);
    return;
  }
  wake_ = never;
  present_->on_wake();
}

void hybrid_enumerator::close() noexcept {
  if (present_) present_->close();
}

bool hybrid_enumerator::has_reader(std::uint32_t subtask) const noexcept {
  return context_.has_reader(subtask) && readers_[subtask].at == index();
}

bool hybrid_enumerator::assign_encoded(std::uint32_t subtask, std::vector<encoded_split> splits) {
  return has_reader(subtask) && context_.assign_encoded(subtask, wrap(index(), std::move(splits)));
}

void hybrid_enumerator::signal_no_more_splits(std::uint32_t subtask) {
  if (has_reader(subtask))
    context_.send_event(subtask, encode_message(hybrid_reader_message{
                                     hybrid_reader_message::kind::no_more_splits, index(), 0, {}}));
}

void hybrid_enumerator::send_event(std::uint32_t subtask, std::vector<std::byte> event) {
  if (has_reader(subtask))
    context_.send_event(
        subtask, encode_message(hybrid_reader_message{hybrid_reader_message::kind::event, index(),
                                                      0, std::move(event)}));
}

void hybrid_enumerator::wake_at(std::chrono::steady_clock::time_point when) {
  wake_ = std::min(wake_, when);
  context_.wake_at(wake_);
}

void hybrid_enumerator::submit(std::function<void()> work, std::function<void()> done) {
  context_.io().submit(std::move(work), for_present_source(std::move(done)));
}

std::function<void()> hybrid_enumerator::expect(std::function<void()> done) {
  return context_.io().expect(for_present_source(std::move(done)));
}

std::function<void()> hybrid_enumerator::for_present_source(std::function<void()> done) const {
  return [this, source = index(), done = std::move(done)] {
    if (source == index()) done();
  };
}

}  // namespace millrace
