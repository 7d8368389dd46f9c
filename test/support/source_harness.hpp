#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "millrace/source/source_reader_operator.hpp"
#include "support/operator_harness.hpp"

namespace millrace::test {

/// A coordinator on its own: its world, and what it has sent. Its I/O is `io`.
class coordinator_world final : public coordinator_context {
 public:
  coordinator_world(file_system& disk, const clock& watch, std::uint32_t parallelism)
      : files_(disk), time_(watch), parallelism_(parallelism) {}

  const std::string& operator_name() const noexcept override { return name_; }
  const std::string& operator_uid() const noexcept override { return name_; }
  std::uint32_t parallelism() const noexcept override { return parallelism_; }
  bool is_checkpointed() const noexcept override { return true; }
  void send_to_subtask(std::uint32_t subtask, std::vector<std::byte> event) override {
    sent.emplace_back(subtask, std::move(event));
  }
  void fail(error why) override { throw failure(std::move(why)); }
  io_executor& io() noexcept override { return executor; }
  file_system& files() noexcept override { return files_; }
  const clock& time() const noexcept override { return time_; }
  void wake_at(std::chrono::steady_clock::time_point when) override {
    wake = wake ? std::min(*wake, when) : when;
  }

  manual_io executor;
  std::vector<std::pair<std::uint32_t, std::vector<std::byte>>> sent;
  std::optional<std::chrono::steady_clock::time_point> wake;

 private:
  std::string name_ = "source";
  file_system& files_;
  const clock& time_;
  std::uint32_t parallelism_;
};

/// The operator of one subtask of a source together with the source's coordinator, which has the
/// other subtasks never there. Events pass between the two, and the coordinator's I/O runs, while
/// the source is polled.
template <class T>
class source_harness : public operator_harness<T, T> {
  using base = operator_harness<T, T>;

 public:
  explicit source_harness(std::shared_ptr<const source_base<T>> source,
                          runtime_context::identity self = {})
      : source_harness(make_source<T>(std::move(source)), std::move(self), 0) {}
  source_harness(std::shared_ptr<const source_base<T>> source, watermark_strategy<T> strategy,
                 runtime_context::identity self = {})
      : source_harness(make_source<T>(std::move(source), std::move(strategy)), std::move(self), 0) {
  }

  /// Of an earlier harness: the snapshots of the operator and of the coordinator.
  void restore(const std::vector<saved_operator_state>& saved,
               const std::vector<std::byte>& enumerator) {
    base::restore(saved);
    REQUIRE(coordinator_->restore(enumerator));
  }
  std::vector<std::byte> checkpoint_coordinator(checkpoint_id id) {
    exchange();
    return coordinator_->snapshot(id);
  }

  void open() {
    coordinator_->start();
    coordinator_->on_subtask_ready(subtask_);
    base::open();
  }
  poll_status poll_all(bool runs_io = true) {
    for (;;) {
      exchange();
      const auto how = this->source().poll();
      if (how == poll_status::finished) return how;
      if (how == poll_status::more || exchange()) continue;
      if (!runs_io || this->manual().is_empty()) return how;
      this->manual().run();
    }
  }
  /// One call, after all events have passed.
  poll_status poll_once() {
    exchange();
    return this->source().poll();
  }
  /// Whether anything passed.
  bool exchange() {
    bool any = false;
    for (bool more = true; more; any |= more) {
      more = !world_.executor.is_empty();
      world_.executor.run_all();
      for (auto& event : this->take_events()) {
        coordinator_->on_event(subtask_, event);
        more = true;
      }
      for (auto& [subtask, event] : std::exchange(world_.sent, {})) {
        if (subtask == subtask_) this->op().on_coordinator_event(event);
        more = true;
      }
    }
    return any;
  }
  /// Time passes for the coordinator.
  void wake_coordinator() {
    REQUIRE(world_.wake);
    this->clock_now().advance_to(*world_.wake);
    world_.wake.reset();
    coordinator_->on_wake();
  }
  bool coordinator_waits() const { return world_.wake.has_value(); }

 private:
  source_harness(const operator_factory_ptr& factory, runtime_context::identity self, int)
      : base(factory, self),
        subtask_(self.subtask_index),
        world_(this->memory(), this->clock_now(), self.parallelism),
        coordinator_(factory->create_coordinator(world_)) {}

  std::uint32_t subtask_;
  coordinator_world world_;
  std::unique_ptr<operator_coordinator> coordinator_;
};

}  // namespace millrace::test
