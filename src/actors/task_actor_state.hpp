#pragma once

#include <caf/actor.hpp>
#include <caf/event_based_actor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/actors/io_executor_actor.hpp"
#include "millrace/actors/local_messages.hpp"
#include "millrace/actors/task_actor.hpp"
#include "millrace/actors/task_actor_credit.hpp"
#include "millrace/actors/wire.hpp"
#include "millrace/checkpoint/checkpoint_uploads.hpp"
#include "millrace/stream/operator_failure.hpp"
#include "millrace/stream/stream_task.hpp"

namespace millrace {

/// The state and the handlers of the actor that spawn_task spawns, and the world as its stream_task
/// sees it: its life and its channels (task_actor.cpp), and its part in checkpoints
/// (task_actor_snapshots.cpp).
class task_host : public task_services {
 public:
  static inline const char* name = "millrace.task";

  explicit task_host(caf::event_based_actor* self) : self_(self) {}

  void init(task_setup setup);

  void start();
  void begin(std::optional<task_restore> from);
  void step();
  void on_element(wire::channel_element& e);
  void on_credit(const wire::channel_credit& credit);
  void on_open_channel(const wire::open_channel& request, const caf::actor& consumer);
  void on_channel_opened(const wire::channel_opened& opened, const caf::strong_actor_ptr& producer);
  void on_io_done(const local::io_done& done);
  void on_wake(const local::wake& wake);
  void set_wake();
  void on_alignment_limit(const wire::align_watermarks& limit);
  void on_coordinator_event(const wire::coordinator_event& event);
  void on_command_iteration(const wire::command_iteration& command);
  void on_trigger(const wire::trigger_checkpoint& trigger);
  void on_savepoint_target(const wire::savepoint_target& target);
  void on_drain();
  void on_checkpoint_complete(const wire::checkpoint_complete& complete);
  void on_checkpoint_aborted(const wire::checkpoint_aborted& aborted);
  void check_inputs();
  void cancel();
  void fail(error cause, std::string failed_operator = {});
  void report();

  void send(std::uint32_t channel, element e) override;
  void return_credit(std::uint32_t channel, std::uint64_t charge) override;
  io_executor& io() noexcept override { return *io_; }
  file_system& files() noexcept override { return *setup_.files; }
  const clock& time() const noexcept override { return *setup_.time; }
  void wake_at(std::chrono::steady_clock::time_point when) override;
  void send_to_coordinator(std::uint32_t operator_index, std::vector<std::byte> event) override;
  void report_alignment(std::uint32_t operator_index, const alignment_report& report) override;
  void report_iteration(const iteration_report& report) override;
  void acknowledge_checkpoint(task_snapshot snapshot) override;
  void await_last_checkpoint() override;

 private:
  struct input {
    caf::actor producer;  // null until it has opened the channel
    std::uint32_t output_channel = 0;
  };
  struct output {
    caf::actor consumer;  // null until it has asked for the channel
    execution_attempt_id consumer_id;
    std::uint32_t input_channel = 0;
  };

  /// Runs a call into the task; what it throws ends the task.
  template <class Call>
  void guarded(Call&& call) noexcept;
  void make_outputs();
  error not_restored(const error& why) const;
  /// Has the state stored, in the savepoint's directory or, without one, among the checkpoints.
  void store(task_snapshot snapshot, std::optional<std::string> directory);
  wire::task_state_changed changed_to(graph::execution_state state) const;
  void schedule_step();
  void send_credit(std::uint32_t channel, std::uint64_t charge);
  bool is_active() const noexcept { return task_ != nullptr; }
  void end(wire::task_state_changed how);

  caf::event_based_actor* self_;
  task_setup setup_;
  std::unique_ptr<actor_io_executor> io_;
  std::unique_ptr<stream_task> task_;                                  // from start to end
  std::vector<input> inputs_;                                          // by input channel
  std::vector<execution_attempt_id> producers_;                        // by input channel
  std::vector<output> outputs_;                                        // by output channel
  std::vector<std::pair<std::uint32_t, std::uint64_t>> early_credit_;  // channels, before the begin
  std::vector<wire::coordinator_event> early_events_;                  // while the state is read
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> output_of_;  // edge, subtask
  std::map<checkpoint_id, std::string> savepoint_targets_;     // told, but not reached
  std::map<checkpoint_id, task_snapshot> homeless_snapshots_;  // the other way round
  checkpoint_uploads uploads_;
  std::optional<credit_accumulator> credit_;
  std::optional<std::chrono::steady_clock::time_point> wake_;
  bool has_started_ = false;
  bool step_pending_ = false;
  bool ended_ = false;
};

template <class Call>
void task_host::guarded(Call&& call) noexcept {
  try {
    call();
  } catch (const operator_failure& e) {
    fail(e.what_failed(), e.operator_name());
  } catch (const failure& e) {
    fail(e.what_failed());
  } catch (const std::exception& e) {
    fail({errc::internal, e.what()});
  } catch (...) {
    fail({errc::internal, "threw something that is no std::exception"});
  }
}

}  // namespace millrace
