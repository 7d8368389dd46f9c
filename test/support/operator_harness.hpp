#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include "millrace/state/keyed_state_slot.hpp"
#include "millrace/state/operator_state.hpp"
#include "millrace/stream/operator.hpp"
#include "millrace/stream/output_tag.hpp"
#include "support/manual_io.hpp"
#include "support/memory_files.hpp"
#include "support/virtual_clock.hpp"

namespace millrace::test {

/// One operator on its own: its world, and what it emits.
template <class In, class Out>
class operator_harness : public operator_context, private batch_consumer {
 public:
  explicit operator_harness(const operator_factory_ptr& factory,
                            runtime_context::identity self = {},
                            std::shared_ptr<state_backend> state = nullptr)
      : runtime_(std::move(self)),
        keyed_state_(
            {.operator_name = runtime_.operator_name(),
             .operator_uid = runtime_.operator_uid(),
             .subtask_index = runtime_.subtask_index(),
             .groups = key_group_range_of(runtime_.subtask_index(), runtime_.max_parallelism(),
                                          runtime_.parallelism()),
             .max_parallelism = runtime_.max_parallelism(),
             .time = &clock_},
            std::move(state)),
        operator_state_(runtime_.operator_name()),
        op_(factory->create()) {
    out_.add(*this);
    op_->bind_output(out_, limits_);
  }
  ~operator_harness() override { op_->close(); }

  void open() { op_->open(*this); }
  void process(std::vector<In> rows, rows_access access = rows_access::exclusive) {
    process_timed(std::move(rows), {}, access);
  }
  /// With a timestamp for each row.
  void process_timed(std::vector<In> rows, timestamp_column timestamps,
                     rows_access access = rows_access::exclusive, std::size_t input = 0) {
    typed_batch_ptr<In> in(new typed_batch<In>);
    in->rows.assign(rows.begin(), rows.end());
    in->timestamps = std::move(timestamps);
    op_->process(input, *in, access);
    if (access == rows_access::shared)
      CHECK(std::equal(rows.begin(), rows.end(), in->rows.begin(), in->rows.end()));
  }
  /// Polls a source until it has nothing to say, with or without its I/O.
  poll_status poll_all(bool runs_io = true) {
    for (;;) {
      const auto how = source().poll();
      if (how == poll_status::finished) return how;
      if (how == poll_status::idle) {
        if (!runs_io || io_.is_empty()) return how;
        io_.run();
      }
    }
  }
  /// What the task does at a barrier, which waits for I/O; returns the state that belongs to no
  /// key.
  std::vector<saved_operator_state> checkpoint(checkpoint_id id) {
    op_->prepare_snapshot(id);
    while (op_->is_busy() && !io_.is_empty()) io_.run();
    op_->snapshot_state(id);
    return operator_state_.snapshot();
  }
  /// Before open(): what `checkpoint` of another harness returned.
  void restore(const std::vector<saved_operator_state>& saved) {
    is_restored_ = true;
    REQUIRE(operator_state_.restore(saved));
  }
  /// Before open().
  void take_checkpoints() { is_checkpointed_ = true; }
  /// Before open(): the same files as other harnesses.
  void share_files(std::shared_ptr<memory_files> files) { files_ = std::move(files); }
  /// Events that were sent to the coordinator and not taken yet.
  std::vector<std::vector<std::byte>> take_events() { return std::exchange(events_, {}); }

  void advance_to(timestamp_ms at) { op_->on_watermark(at); }
  /// Lets time pass; calls the operator as often as it asked to be woken meanwhile.
  void pass_time(std::chrono::nanoseconds by) {
    const auto until = clock_.now() + by;
    while (wake_ <= until) {
      clock_.advance_to(std::exchange(wake_, never));
      op_->on_processing_time(clock_.wall_ms());
    }
    clock_.advance_to(until);
  }
  void finish() {
    op_->on_watermark(max_watermark);
    op_->end_input(0);
    while (!op_->finish()) {
    }
  }
  void close() { op_->close(); }

  /// Reads a side output from now on; call before open().
  template <class T>
  const std::vector<T>& listen(const output_tag<T>& tag) {
    auto listener = std::make_unique<side_listener<T>>();
    const auto& rows = listener->rows;
    listener->out.add(*listener);
    side_[tag.name()] = std::move(listener);
    return rows;
  }

  /// What came to a side output that is listened to.
  template <class T>
  const std::vector<T>& side_rows(const output_tag<T>& tag) const {
    return static_cast<const side_listener<T>&>(*side_.at(tag.name())).rows;
  }

  source_operator& source() { return dynamic_cast<source_operator&>(*op_); }
  stream_operator& op() { return *op_; }
  std::vector<Out> take() {
    timestamps_.clear();
    return std::exchange(emitted_, {});
  }
  /// Of the rows that the next take() returns.
  const timestamp_column& timestamps() const { return timestamps_; }
  /// All that the operator has passed on.
  const std::vector<timestamp_ms>& watermarks() const { return watermarks_; }
  const std::vector<stream_status>& statuses() const { return statuses_; }
  const std::vector<alignment_report>& alignment_reports() const { return alignment_reports_; }
  bool has_wake_up() const { return wake_ != never; }
  manual_io& manual() { return io_; }
  memory_files& memory() { return *files_; }
  virtual_clock& clock_now() { return clock_; }
  std::chrono::steady_clock::time_point woken_at() const { return wake_; }

  runtime_context& runtime() noexcept override { return runtime_; }
  io_executor& io() noexcept override { return io_; }
  file_system& files() noexcept override { return *files_; }
  const clock& time() const noexcept override { return clock_; }
  output* side_output(const std::string& tag, const record_type& type) override {
    const auto side = side_.find(tag);
    if (side == side_.end()) return nullptr;
    CHECK(typeid(*side->second->type) == typeid(type));
    return &side->second->out;
  }
  const batch_limits& batches() const noexcept override { return limits_; }
  const spill_options& spilling() const noexcept override { return spilling_; }
  /// Before open().
  void set_spilling(spill_options how) { spilling_ = std::move(how); }
  std::chrono::milliseconds auto_watermark_interval() const noexcept override {
    return std::chrono::milliseconds(200);
  }
  bool is_checkpointed() const noexcept override { return is_checkpointed_; }
  bool is_restored() const noexcept override { return is_restored_; }
  void send_to_coordinator(std::vector<std::byte> event) override {
    events_.push_back(std::move(event));
  }
  void report_alignment(const alignment_report& report) override {
    alignment_reports_.push_back(report);
  }
  void wake_at(std::chrono::steady_clock::time_point when) override {
    wake_ = wake_ <= clock_.now() ? when : std::min(wake_, when);
  }
  keyed_state_slot& keyed_state() noexcept override { return keyed_state_; }
  /// All of it at once.
  std::vector<encoded_key_group> keyed_snapshot() {
    keyed_state_.begin_snapshot();
    auto budget = snapshot_budget::unlimited();
    CHECK(keyed_state_.write_snapshot(budget));
    return keyed_state_.take_snapshot();
  }
  operator_state_backend& operator_state() noexcept override { return operator_state_; }

 private:
  void consume(batch& rows, rows_access) override {
    const auto& typed = rows_of<Out>(rows);
    emitted_.insert(emitted_.end(), typed.begin(), typed.end());
    for (std::size_t i = 0; i < rows.size(); ++i)
      timestamps_.push_back(static_cast<typed_batch<Out>&>(rows).timestamp_of(i));
  }
  void on_watermark(timestamp_ms at) override { watermarks_.push_back(at); }
  void on_status(stream_status now) override { statuses_.push_back(now); }

  struct side_stream {
    virtual ~side_stream() = default;
    const record_type* type = nullptr;
    output out;
  };
  template <class T>
  struct side_listener final : side_stream, batch_consumer {
    side_listener() { this->type = &record_type_of<T>(); }
    void consume(batch& batch, rows_access) override {
      const auto& typed = rows_of<T>(batch);
      rows.insert(rows.end(), typed.begin(), typed.end());
    }
    std::vector<T> rows;
  };

  const batch_limits limits_{.rows = 8, .bytes = 4096};
  spill_options spilling_;
  runtime_context runtime_;
  manual_io io_;
  std::shared_ptr<memory_files> files_ = std::make_shared<memory_files>();
  virtual_clock clock_;
  keyed_state_slot keyed_state_;
  operator_state_backend operator_state_;
  static constexpr auto never = std::chrono::steady_clock::time_point::max();
  std::chrono::steady_clock::time_point wake_ = never;
  output out_;
  std::map<std::string, std::unique_ptr<side_stream>> side_;
  std::unique_ptr<stream_operator> op_;
  std::vector<Out> emitted_;
  timestamp_column timestamps_;
  std::vector<timestamp_ms> watermarks_;
  std::vector<stream_status> statuses_;
  std::vector<alignment_report> alignment_reports_;
  std::vector<std::vector<std::byte>> events_;
  bool is_checkpointed_ = false;
  bool is_restored_ = false;
};

}  // namespace millrace::test
