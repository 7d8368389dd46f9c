#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "millrace/source/source.hpp"
#include "millrace/source/source_coordinator.hpp"
#include "millrace/source/source_event_time.hpp"
#include "millrace/source/source_messages.hpp"
#include "millrace/state/operator_state.hpp"

namespace millrace {

/// Runs the reader of one subtask of a source (Flink's SourceOperator): brings it what the
/// enumerator sends, keeps its splits as operator state, and gives its records event time if the
/// source has a watermark strategy.
///
/// Checkpointed: the splits, with how far they were read, as a list that is dealt out anew when the
/// parallelism changes. Not checkpointed: event time, which the splits build up again.
template <class T>
class source_reader_operator final : public source_operator, private reader_context {
 public:
  /// `event_time` may be null.
  source_reader_operator(std::shared_ptr<const source_base<T>> source,
                         std::unique_ptr<source_event_time_base<T>> event_time)
      : source_(std::move(source)), event_time_(std::move(event_time)) {}

  void bind_output(output& target, const batch_limits& limits) override {
    source_operator::bind_output(target, limits);
    if (event_time_)
      event_time_->bind(out_, target, limits);
    else
      out_.bind(target, limits);
  }

  void open(operator_context& context) override {
    context_ = &context;
    splits_ = context.operator_state().get_list_state(
        list_state_descriptor<encoded_split>("source-splits"));
    reader_ = source_->make_reader(*this);
    if (event_time_) event_time_->open(context, reader_->can_pause_splits());
    if (context.is_restored()) add_splits(splits_.get());
    reader_->start();
    ask_to_be_woken();
  }

  poll_status poll() override {
    const auto how = reader_->poll(out_);
    out_.flush();
    pause_splits();
    return how;
  }

  void on_coordinator_event(byte_view event) override {
    auto message = decode_reader_message(event);
    switch (message.what) {
      case reader_message::kind::splits:
        return add_splits(std::move(message.splits));
      case reader_message::kind::no_more_splits:
        return reader_->no_more_splits();
      case reader_message::kind::event:
        return reader_->on_event(message.event);
    }
  }

  void on_processing_time(timestamp_ms) override {
    const auto now = context_->time().now();
    if (reader_wake_ <= now) reader_wake_ = never;
    if (event_time_) event_time_->on_time(now);
    ask_to_be_woken();
  }

  void on_alignment_limit(const std::string& group, timestamp_ms limit) override {
    if (!event_time_) return;
    event_time_->on_alignment_limit(group, limit);
    pause_splits();
  }
  bool is_busy() const noexcept override { return event_time_ && event_time_->is_held(); }
  bool is_held_back() const noexcept override { return is_busy(); }

  void on_watermark(timestamp_ms at) override {
    if (event_time_) event_time_->end();
    source_operator::on_watermark(at);
  }

  void snapshot_state(checkpoint_id checkpoint) override {
    splits_.update(reader_->encode_snapshot(checkpoint));
  }
  void on_checkpoint_complete(checkpoint_id checkpoint) override {
    reader_->on_checkpoint_complete(checkpoint);
  }
  void on_checkpoint_aborted(checkpoint_id checkpoint) override {
    reader_->on_checkpoint_aborted(checkpoint);
  }

  bool finish() override {
    reader_->finish();
    return true;
  }
  void close() noexcept override {
    if (reader_) reader_->close();
  }
  source_progress progress() const noexcept override {
    return reader_ ? reader_->progress() : source_progress{};
  }

 private:
  static constexpr auto never = std::chrono::steady_clock::time_point::max();

  operator_context& task() noexcept override { return *context_; }
  void wake_at(std::chrono::steady_clock::time_point when) override {
    reader_wake_ = reader_wake_ <= context_->time().now() ? when : std::min(reader_wake_, when);
    context_->wake_at(reader_wake_);
  }
  void request_split() override {
    context_->send_to_coordinator(
        encode_message(enumerator_message{enumerator_message::kind::split_request, {}}));
  }
  void send_event(std::vector<std::byte> event) override {
    context_->send_to_coordinator(
        encode_message(enumerator_message{enumerator_message::kind::event, std::move(event)}));
  }

  void add_splits(std::vector<encoded_split> splits) {
    if (event_time_)
      for (const auto& split : splits) event_time_->add_split(split.id);
    reader_->add_encoded_splits(std::move(splits));
  }

  void pause_splits() {
    if (!event_time_) return;
    if (const auto paused = event_time_->take_paused()) reader_->pause_splits(*paused);
  }

  /// The operator has one wake-up for both.
  void ask_to_be_woken() {
    auto next = reader_wake_;
    if (event_time_) next = std::min(next, event_time_->next_look());
    if (next != never) context_->wake_at(next);
  }

  std::shared_ptr<const source_base<T>> source_;
  std::unique_ptr<source_event_time_base<T>> event_time_;
  operator_context* context_ = nullptr;
  operator_list_state<encoded_split> splits_;
  source_output<T> out_;
  std::unique_ptr<source_reader_base<T>> reader_;
  std::chrono::steady_clock::time_point reader_wake_ = never;
};

/// Makes the operators and the coordinator of a source.
template <class T>
class source_factory final : public operator_factory {
 public:
  /// Makes what gives the records of a subtask event time; may return null.
  using event_time_maker = std::function<std::unique_ptr<source_event_time_base<T>>()>;

  source_factory(std::shared_ptr<const source_base<T>> source, event_time_maker event_time)
      : source_(std::move(source)), event_time_(std::move(event_time)) {}

  std::unique_ptr<stream_operator> create() const override {
    return std::make_unique<source_reader_operator<T>>(source_,
                                                       event_time_ ? event_time_() : nullptr);
  }
  const record_type* input_type(std::size_t) const noexcept override { return nullptr; }
  const record_type* output_type() const noexcept override { return &record_type_of<T>(); }
  bool has_coordinator() const noexcept override { return true; }
  std::unique_ptr<operator_coordinator> create_coordinator(
      coordinator_context& context) const override {
    return std::make_unique<source_coordinator>(source_, context);
  }

 private:
  std::shared_ptr<const source_base<T>> source_;
  event_time_maker event_time_;
};

/// The factory of a source whose records have no event time, or bring their own timestamps.
template <class T>
std::shared_ptr<const operator_factory> make_source(std::shared_ptr<const source_base<T>> source) {
  return std::make_shared<source_factory<T>>(std::move(source), nullptr);
}

/// The factory of a source with event time per split.
template <class T>
std::shared_ptr<const operator_factory> make_source(std::shared_ptr<const source_base<T>> source,
                                                    watermark_strategy<T> strategy) {
  return std::make_shared<source_factory<T>>(std::move(source), [strategy = std::move(strategy)] {
    return make_source_event_time(strategy);
  });
}

}  // namespace millrace
