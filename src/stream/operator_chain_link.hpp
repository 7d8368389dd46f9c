#pragma once

#include <algorithm>
#include <chrono>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include "millrace/state/keyed_state_slot.hpp"
#include "millrace/state/operator_state.hpp"
#include "millrace/stream/operator.hpp"
#include "millrace/stream/operator_chain.hpp"
#include "millrace/stream/operator_failure.hpp"

// Part of operator_chain.cpp.

namespace millrace {

/// One operator in its place: its context, its output, and the consumer that its predecessor feeds.
class operator_chain::link final : public batch_consumer,
                                   public operator_context,
                                   private io_executor {
 public:
  link(std::unique_ptr<stream_operator> op, runtime_context::identity who, operator_chain& chain,
       std::shared_ptr<state_backend> state)
      : op_(std::move(op)),
        runtime_(std::move(who)),
        chain_(chain),
        services_(chain.services_),
        keyed_state_(keyed_state_of(runtime_, services_.time()), std::move(state)),
        operator_state_(runtime_.operator_name()),
        index_(static_cast<std::uint32_t>(chain.links_.size())) {}

  /// `side_output` is the tag, empty for the main output; `type` is what the consumer reads.
  /// `in_loop` if both ends are part of one loop.
  void add_consumer(const std::string& side_output, batch_consumer& consumer,
                    const record_type* type, bool in_loop) {
    if (in_loop) out_.add_to_loop(consumer);
    if (side_output.empty()) return out_.add(consumer);
    if (type == nullptr)
      throw failure(errc::invalid_graph,
                    "this node has no code for what reads side output '" + side_output +
                        "' of operator '" + runtime_.operator_name() +
                        "': it was built from another job than the one submitted");
    auto& side = side_[side_output];
    side.type = type;  // the same for all: the graph was checked
    side.out.add(consumer);
    out_.add_to_time(consumer);
  }

  /// Runs a call into the operator; what it throws gets the operator's name.
  template <class Call>
  decltype(auto) named(Call&& call) {
    try {
      return call();
    } catch (...) {
      rethrow_as_operator_failure(runtime_.operator_name());
    }
  }

  /// named(), unless the operator was left closed.
  template <class Call>
  void if_open(Call&& call) {
    if (!is_left_closed_) named([&] { call(*op_); });
  }

  void consume(batch& rows, rows_access access) override { process(0, rows, access); }
  void on_watermark(timestamp_ms at) override {
    // In a loop, event time ends before the input does, which ends it, too.
    if (at == max_watermark && std::exchange(has_time_ended_, true)) return;
    named([&] { op_->on_watermark(at); });
  }
  void on_status(stream_status now) override {
    named([&] { op_->on_status(now); });
  }

  void process(std::uint32_t input, batch& rows, rows_access access) {
    rows_in_ += rows.size();
    named([&] { op_->process(input, rows, access); });
  }

  stream_operator& op() noexcept { return *op_; }
  const stream_operator& op() const noexcept { return *op_; }
  output& out() noexcept { return out_; }
  operator_counts counts() const noexcept {
    auto rows_out = out_.rows_out();
    for (const auto& [tag, side] : side_) rows_out += side.out.rows_out();
    return {rows_in_, rows_out};
  }

  runtime_context& runtime() noexcept override { return runtime_; }
  const runtime_context& runtime() const noexcept { return runtime_; }
  io_executor& io() noexcept override { return *this; }
  file_system& files() noexcept override { return services_.files(); }
  const clock& time() const noexcept override { return services_.time(); }
  void wake_at(std::chrono::steady_clock::time_point when) override {
    wake_ = std::min(wake_, when);
    // The task steps after each completion: no timer is needed for what is due at once.
    if (is_completing_ && when <= services_.time().now())
      chain_.next_wake_ = std::min(chain_.next_wake_, when);
    else
      chain_.wake_at(when);
  }

  output* side_output(const std::string& tag, const record_type& type) override {
    const auto side = side_.find(tag);
    if (side == side_.end()) return nullptr;
    // Different types may have one fingerprint, but batches in memory are of one C++ type.
    if (typeid(*side->second.type) != typeid(type))
      throw failure(errc::type_mismatch, "side output '" + tag + "' is given records of type " +
                                             std::string(type.description()) +
                                             ", but the job reads it as " +
                                             std::string(side->second.type->description()) +
                                             ": use an output_tag of the same type at both ends");
    return &side->second.out;
  }
  const batch_limits& batches() const noexcept override { return chain_.batches_; }
  const spill_options& spilling() const noexcept override { return chain_.spilling_; }
  std::chrono::milliseconds auto_watermark_interval() const noexcept override {
    return chain_.auto_watermark_interval_;
  }
  bool is_checkpointed() const noexcept override { return chain_.is_checkpointed_; }
  void refuse_savepoints(std::string why) override {
    if (chain_.savepoint_refusal_.empty()) chain_.savepoint_refusal_ = std::move(why);
  }
  void expect_coordinator() noexcept { has_coordinator_ = true; }
  bool is_restored() const noexcept override { return is_restored_; }
  void send_to_coordinator(std::vector<std::byte> event) override {
    if (!has_coordinator_)
      throw failure(errc::internal, "operator '" + runtime_.operator_name() +
                                        "' sends an event to its coordinator, but its factory "
                                        "says that it has none");
    services_.send_to_coordinator(index_, std::move(event));
  }
  void report_alignment(const alignment_report& report) override {
    services_.report_alignment(index_, report);
  }

  /// Calls the operator if its wake-up is due; returns the next one.
  std::chrono::steady_clock::time_point wake(std::chrono::steady_clock::time_point now) {
    if (wake_ <= now) {
      wake_ = never;
      named([&] { op_->on_processing_time(services_.time().wall_ms()); });
    }
    return wake_;
  }
  std::chrono::steady_clock::time_point next_wake() const noexcept { return wake_; }
  void restore(operator_snapshot saved) {
    is_restored_ = true;
    keyed_state_.restore(std::move(saved.keyed_state), std::move(saved.database));
    named([&] {
      if (auto done = operator_state_.restore(saved.operator_state); !done)
        throw failure(done.error());
    });
  }
  void prepare_snapshot(checkpoint_id checkpoint) {
    if (prepared_for_ == checkpoint && rows_prepared_ == rows_in_) return;
    prepared_for_ = checkpoint;
    rows_prepared_ = rows_in_;
    if_open([&](auto& op) { op.prepare_snapshot(checkpoint); });
  }
  operator_snapshot begin_snapshot(checkpoint_id checkpoint, snapshot_form form) {
    if (is_left_closed_) return {operator_state_.snapshot(), {}, nullptr};
    return named([&]() -> operator_snapshot {
      op_->snapshot_state(checkpoint);
      keyed_state_.begin_snapshot(form);
      return {operator_state_.snapshot(), {}, keyed_state_.snapshot_image()};
    });
  }
  bool write_snapshot(operator_snapshot& into, snapshot_budget& budget) {
    if (is_left_closed_) return true;
    return named([&] {
      if (!keyed_state_.write_snapshot(budget)) return false;
      into.keyed_state = keyed_state_.take_snapshot();
      return true;
    });
  }

  keyed_state_slot& keyed_state() noexcept override { return keyed_state_; }
  operator_state_backend& operator_state() noexcept override { return operator_state_; }

  /// Instead of opening the operator.
  void leave_closed() noexcept { is_left_closed_ = true; }
  /// After this no completion reaches the operator.
  void close() noexcept {
    is_open_.reset();
    if (!is_left_closed_) op_->close();
    keyed_state_.close();
  }

  void rethrow_io_failure() {
    if (io_failure_) std::rethrow_exception(std::exchange(io_failure_, nullptr));
  }

 private:
  static keyed_state_environment keyed_state_of(const runtime_context& self, const clock& time) {
    return {.operator_name = self.operator_name(),
            .operator_uid = self.operator_uid(),
            .subtask_index = self.subtask_index(),
            .groups = key_group_range_of(self.subtask_index(), self.max_parallelism(),
                                         self.parallelism()),
            .max_parallelism = self.max_parallelism(),
            .time = &time};
  }

  void submit(std::function<void()> work, std::function<void()> done) override {
    services_.io().submit(std::move(work), guarded(std::move(done)));
  }
  std::function<void()> expect(std::function<void()> done) override {
    return services_.io().expect(guarded(std::move(done)));
  }

  /// Completions come from outside a step, where nobody expects an exception.
  std::function<void()> guarded(std::function<void()> done) {
    return [this, done = std::move(done), open = std::weak_ptr<bool>(is_open_)] {
      if (open.expired()) return;
      is_completing_ = true;
      try {
        named(done);
      } catch (...) {
        if (!io_failure_) io_failure_ = std::current_exception();
      }
      is_completing_ = false;
    };
  }

  std::unique_ptr<stream_operator> op_;
  runtime_context runtime_;
  operator_chain& chain_;
  task_services& services_;
  keyed_state_slot keyed_state_;
  operator_state_backend operator_state_;
  std::uint32_t index_;  // of the vertex
  bool has_coordinator_ = false;
  std::chrono::steady_clock::time_point wake_ = never;
  output out_;
  struct side_stream {
    const record_type* type = nullptr;
    output out;
  };
  std::map<std::string, side_stream> side_;  // by tag
  std::uint64_t rows_in_ = 0;
  checkpoint_id prepared_for_;
  std::uint64_t rows_prepared_ = 0;  // that had come when it prepared
  std::shared_ptr<bool> is_open_ = std::make_shared<bool>(true);
  bool has_time_ended_ = false;
  bool is_completing_ = false;  // a completion of I/O is with the operator
  bool is_restored_ = false;
  bool is_left_closed_ = false;
  std::exception_ptr io_failure_;
};

}  // namespace millrace
