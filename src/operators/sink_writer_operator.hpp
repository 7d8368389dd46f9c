#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "millrace/operators/sink_writer.hpp"
#include "millrace/operators/typed_factory.hpp"

namespace millrace {

/// Makes the writer of one subtask.
template <class T, class Committable>
using sink_writer_maker =
    std::function<std::unique_ptr<sink_writer<T, Committable>>(sink_writer_context&)>;

/// Runs a writer, and hands on what it has prepared (Flink's SinkWriterOperator). It is busy while
/// the writer is, and from a barrier on until the writer has written everything out: the barrier
/// has to wait for that, because the committables go before it.
template <class T, class Committable>
class sink_writer_operator final
    : public std::conditional_t<std::is_same_v<Committable, no_committable>, stream_operator,
                                producing<Committable>>,
      private io_executor {
 public:
  explicit sink_writer_operator(sink_writer_maker<T, Committable> make) : make_(std::move(make)) {}

  void open(operator_context& context) override {
    io_ = &context.io();
    context_.emplace(context, static_cast<io_executor&>(*this));
    writer_ = make_(*context_);
  }

  void process(std::size_t, batch& rows, rows_access) override {
    auto& typed = millrace::typed<T>(rows);
    writer_->write({{typed.rows.data(), typed.rows.size()}, typed.timestamps});
    go_on();
  }
  void on_watermark(timestamp_ms at) override {
    writer_->on_watermark(at);
    this->forwarded().push_watermark(at);
  }
  void on_processing_time(timestamp_ms now) override {
    writer_->on_processing_time(now);
    go_on();
  }

  void prepare_snapshot(checkpoint_id) override {
    if (!has_finished_) flush(flush_cause::checkpoint);
  }
  void snapshot_state(checkpoint_id id) override { writer_->snapshot_state(id); }
  void on_checkpoint_complete(checkpoint_id id) override { writer_->on_checkpoint_complete(id); }

  bool finish() override {
    has_finished_ = true;
    flush(flush_cause::end_of_input);
    return true;
  }
  bool is_busy() const noexcept override { return is_flushing_ || (writer_ && writer_->is_busy()); }
  void close() noexcept override {
    if (writer_) writer_->close();
    writer_.reset();
  }

 private:
  /// A barrier may come while the writer still works for one that was aborted.
  void flush(flush_cause why) {
    next_flush_ = why;
    go_on();
  }

  /// After whatever the writer may have got further by.
  void go_on() {
    if (is_flushing_ ? writer_->is_busy() : !next_flush_ && context_->is_checkpointed()) return;
    if (next_flush_) {
      is_flushing_ = true;
      writer_->flush(*std::exchange(next_flush_, std::nullopt));
      if (writer_->is_busy()) return;
    }
    is_flushing_ = false;
    if constexpr (!std::is_same_v<Committable, no_committable>) {
      for (auto& each : writer_->prepare_commit()) this->out_.emit(std::move(each));
      this->out_.flush();
    }
  }

  // What the writer's I/O completes, the operator has to know.
  void submit(std::function<void()> work, std::function<void()> done) override {
    io_->submit(std::move(work), followed(std::move(done)));
  }
  std::function<void()> expect(std::function<void()> done) override {
    return io_->expect(followed(std::move(done)));
  }
  std::function<void()> followed(std::function<void()> done) {
    return [this, done = std::move(done)] {
      done();
      if (writer_) go_on();
    };
  }

  sink_writer_maker<T, Committable> make_;
  io_executor* io_ = nullptr;
  std::optional<sink_writer_context> context_;
  std::unique_ptr<sink_writer<T, Committable>> writer_;
  bool is_flushing_ = false;  // a barrier or the end waits for the writer
  std::optional<flush_cause> next_flush_;
  bool has_finished_ = false;
};

/// The operator that runs the writers that `make` makes.
template <class T, class Committable>
operator_factory_ptr make_sink_writer_operator(sink_writer_maker<T, Committable> make) {
  using out = std::conditional_t<std::is_same_v<Committable, no_committable>, void, Committable>;
  return make_factory<T, out>([make = std::move(make)] {
    return std::make_unique<sink_writer_operator<T, Committable>>(make);
  });
}

}  // namespace millrace
