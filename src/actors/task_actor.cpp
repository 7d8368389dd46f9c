#include "millrace/actors/task_actor.hpp"

#include <algorithm>
#include <caf/stateful_actor.hpp>
#include <utility>

#include "millrace/actors/spawn_control.hpp"
#include "millrace/actors/task_actor_report.hpp"
#include "millrace/actors/task_actor_state.hpp"
#include "millrace/checkpoint/local_restore.hpp"
#include "millrace/checkpoint/state_assignment.hpp"
#include "millrace/core/kill_point.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/mutant.hpp"
#include "millrace/graph/channels.hpp"

namespace millrace {

namespace {

/// CAF keeps a delayed message, and with it an actor that has ended, until it is due. So a task
/// that sleeps for long looks at the clock now and then.
constexpr std::chrono::seconds task_nap_max{30};

}  // namespace

void task_host::init(task_setup setup) {
  setup_ = std::move(setup);
  io_ = std::make_unique<actor_io_executor>(*self_, setup_.io);
  inputs_.resize(setup_.inputs.size());
  for (const auto& in : setup_.inputs) producers_.push_back(in.producer);
  credit_.emplace(static_cast<std::uint32_t>(inputs_.size()), setup_.channel_bytes);
  make_outputs();
}

void task_host::make_outputs() {
  const auto channels = graph::output_channels(*setup_.graph, setup_.id.vertex, setup_.id.subtask);
  outputs_.resize(channels.size());
  for (std::uint32_t c = 0; c < channels.size(); ++c) {
    outputs_[c].input_channel = channels[c].target_channel;
    output_of_[{channels[c].edge, channels[c].target_subtask}] = c;
  }
}

void task_host::start() {
  if (has_started_ || ended_) return;
  has_started_ = true;
  self_->send(setup_.task_manager, changed_to(graph::execution_state::initializing));
  if (!setup_.restore) return begin(std::nullopt);
  struct reading {
    explicit reading(std::shared_ptr<job_copies> copies) : from(std::move(copies)) {}
    local_restore from;
    result<task_restore> state;
    uploaded_files files;
  };
  const auto read = std::make_shared<reading>(setup_.copies);
  io_->submit(
      [read, from = std::exchange(setup_.restored_from, nullptr), graph = setup_.graph,
       id = setup_.id, backend = setup_.options.state, copies = setup_.copies] {
        const auto& metadata = from->metadata();
        if (!metadata) {
          read->state = tl::unexpected(metadata.error());
          return;
        }
        const auto assigned = assign_state(*metadata, *graph, {id.vertex, id.subtask});
        if (copies != nullptr)
          copies->need(metadata->checkpoint, files_of(assigned, from->location()));
        read->state = read_assigned_state({from->files(), from->location(), &read->from}, assigned,
                                          backend.get());
        if (read->state) read->files = restored_files(assigned, *read->state);
      },
      [this, read] {
        pass(kill_point::state_read);
        const auto& from = *setup_.restore;
        if (!read->state) return fail(not_restored(read->state.error()));
        const auto& vertex = setup_.graph->vertices[setup_.id.vertex];
        log_task_event(log_level::info, "state read", setup_.id, vertex.name, vertex.parallelism,
                       {{"checkpoint", std::to_string(from.checkpoint.number)},
                        {"local bytes", std::to_string(read->from.copy_bytes())},
                        {"remote bytes", std::to_string(read->from.original_bytes())}});
        // Another job removes its files when it likes: then all are stored anew.
        if (setup_.checkpoints && setup_.checkpoints->location_of(from.checkpoint) == from.location)
          uploads_.add(from.checkpoint, std::move(read->files));
        begin(std::move(*read->state));
      });
}

error task_host::not_restored(const error& why) const {
  return {why.code, "checkpoint " + std::to_string(setup_.restore->checkpoint.number) +
                        " can't be restored: " + why.message};
}

void task_host::begin(std::optional<task_restore> from) {
  guarded([&] {
    task_ = std::make_unique<stream_task>(*setup_.graph, setup_.id, setup_.program, *this,
                                          setup_.options);
    if (!from) return task_->open();
    try {
      task_->restore(std::move(*from));
      task_->open();
    } catch (const operator_failure& e) {
      if (!is_damage(e.code())) throw;
      // It may as well be what an operator opens besides its state.
      const auto& why = e.what_failed();
      throw operator_failure(
          e.operator_name(),
          {why.code, why.message + " (while restoring checkpoint " +
                         std::to_string(setup_.restore->checkpoint.number) + ")"});
    }
  });
  if (ended_) return;
  if (setup_.restore) pass(kill_point::task_restored);
  for (const auto& in : setup_.inputs)
    self_->send(in.producer_task_manager,
                wire::open_channel{in.producer, setup_.id, in.edge, setup_.channel_bytes},
                caf::actor(self_));
  if (!inputs_.empty()) self_->delayed_send(self_, setup_.open_timeout, local::tick{});
  auto running = changed_to(graph::execution_state::running);
  running.savepoint_refusal = task_->chain().savepoint_refusal();
  self_->send(setup_.task_manager, std::move(running));
  for (const auto& [channel, credit] : std::exchange(early_credit_, {}))
    guarded([&] { task_->on_channel_open(channel, credit); });
  if (ended_) return;
  for (const auto& event : std::exchange(early_events_, {})) on_coordinator_event(event);
  schedule_step();
}

wire::task_state_changed task_host::changed_to(graph::execution_state state) const {
  wire::task_state_changed change;
  change.task = setup_.id;
  change.state = state;
  change.report.task = setup_.id;
  return change;
}

void task_host::schedule_step() {
  if (step_pending_ || ended_) return;
  step_pending_ = true;
  self_->send(self_, local::step{});
}

void task_host::step() {
  step_pending_ = false;
  if (!is_active()) return;
  guarded([&] {
    const auto progress = task_->step();
    credit_->settle([&](auto channel, auto charge) { send_credit(channel, charge); });
    if (progress == task_progress::ready) schedule_step();
    if (progress == task_progress::finished) end(changed_to(graph::execution_state::finished));
  });
}

void task_host::on_element(wire::channel_element& e) {
  if (!is_active() || e.consumer != setup_.id) return;
  guarded([&] { task_->on_element(e.input_channel, std::move(e.what)); });
  schedule_step();
}

void task_host::on_credit(const wire::channel_credit& credit) {
  if (!is_active() || credit.producer != setup_.id) return;
  guarded([&] {
    if (credit.output_channel >= outputs_.size())
      throw failure(errc::protocol, "credit arrived for output channel " +
                                        std::to_string(credit.output_channel) + " of a task with " +
                                        std::to_string(outputs_.size()));
    task_->on_credit(credit.output_channel, credit.charge);
    if (MILLRACE_MUTANT(credit_counted_twice))
      task_->on_credit(credit.output_channel, credit.charge);
  });
  schedule_step();
}

void task_host::on_open_channel(const wire::open_channel& request, const caf::actor& consumer) {
  if (ended_ || request.producer != setup_.id) return;
  const auto found = output_of_.find({request.edge, request.consumer.subtask});
  if (found == output_of_.end()) return;
  const auto channel = found->second;
  auto& out = outputs_[channel];
  if (out.consumer) return;  // asked twice
  out.consumer = consumer;
  out.consumer_id = request.consumer;
  // At once: to read our state may take longer than the consumer is patient.
  self_->send(consumer, wire::channel_opened{request.consumer, out.input_channel, channel});
  if (!is_active()) return early_credit_.emplace_back(channel, request.credit_bytes), void();
  guarded([&] { task_->on_channel_open(channel, request.credit_bytes); });
  schedule_step();
}

void task_host::on_channel_opened(const wire::channel_opened& opened,
                                  const caf::strong_actor_ptr& producer) {
  if (!is_active() || opened.consumer != setup_.id) return;
  if (opened.input_channel >= inputs_.size()) return;
  inputs_[opened.input_channel] = {caf::actor_cast<caf::actor>(producer), opened.output_channel};
}

void task_host::on_io_done(const local::io_done& done) {
  if (ended_) return;
  guarded([&] { io_->complete(done); });
  schedule_step();
}

void task_host::wake_at(std::chrono::steady_clock::time_point when) {
  if (wake_ && *wake_ <= when) return;
  wake_ = when;
  set_wake();
}

void task_host::set_wake() {
  using duration = std::chrono::steady_clock::duration;
  const auto delay =
      std::clamp<duration>(*wake_ - setup_.time->now(), duration::zero(), task_nap_max);
  self_->delayed_send(self_, delay, local::wake{*wake_});
}

void task_host::on_wake(const local::wake& wake) {
  // An earlier request has replaced the one that this message is about.
  if (!wake_ || *wake_ != wake.when) return;
  if (setup_.time->now() < *wake_) return set_wake();
  wake_.reset();
  schedule_step();
}

void task_host::send_to_coordinator(std::uint32_t operator_index, std::vector<std::byte> event) {
  self_->send(setup_.task_manager,
              wire::operator_event{setup_.id, operator_index, std::move(event)});
}

void task_host::on_coordinator_event(const wire::coordinator_event& event) {
  if (ended_ || event.task != setup_.id) return;
  if (!is_active()) return early_events_.push_back(event);
  guarded([&] { task_->on_coordinator_event(event.operator_index, event.event); });
  schedule_step();
}

void task_host::report_alignment(std::uint32_t operator_index, const alignment_report& report) {
  self_->send(setup_.task_manager, wire::alignment_reached{setup_.id, operator_index, report});
}

void task_host::report_iteration(const iteration_report& report) {
  self_->send(setup_.task_manager, wire::iteration_reported{setup_.id, report});
}

void task_host::on_command_iteration(const wire::command_iteration& command) {
  if (!is_active()) return;
  guarded([&] { task_->on_iteration_command(command.command); });
  schedule_step();
}

void task_host::on_alignment_limit(const wire::align_watermarks& limit) {
  if (!is_active()) return;
  guarded([&] { task_->on_alignment_limit(limit.group, limit.limit); });
  schedule_step();
}

void task_host::check_inputs() {
  if (!is_active()) return;
  for (std::size_t c = 0; c < inputs_.size(); ++c) {
    if (inputs_[c].producer) continue;
    const auto& in = setup_.inputs[c];
    fail({errc::timeout, "the producer " + to_string(in.producer) + " on task manager " +
                             in.producer_address + " did not open its channel within " +
                             std::to_string(setup_.open_timeout.count()) + " ms"});
    return;
  }
}

void task_host::cancel() {
  if (!ended_) end(changed_to(graph::execution_state::canceled));
}

void task_host::fail(error cause, std::string failed_operator) {
  if (ended_) return;
  auto how = changed_to(graph::execution_state::failed);
  how.cause = std::move(cause);
  how.failed_operator = std::move(failed_operator);
  end(std::move(how));
}

void task_host::report() {
  if (is_active())
    self_->send(setup_.task_manager, local::task_reported{report_of(*task_, producers_)});
}

void task_host::end(wire::task_state_changed how) {
  ended_ = true;
  io_->drop_all();
  if (task_) {
    task_->close();
    how.report = report_of(*task_, producers_);
    how.accumulators = std::as_const(*task_).chain().accumulators();
  }
  self_->send(setup_.task_manager, std::move(how));
  // The chain is destroyed with the state, never under the feet of a call into it.
  self_->quit();
}

void task_host::send(std::uint32_t channel, element e) {
  const auto& to = outputs_[channel];
  self_->send(to.consumer, wire::channel_element{to.consumer_id, to.input_channel, std::move(e)});
}

void task_host::return_credit(std::uint32_t channel, std::uint64_t charge) {
  if (const auto due = credit_->owe(channel, charge); due != 0) send_credit(channel, due);
}

void task_host::send_credit(std::uint32_t channel, std::uint64_t charge) {
  if (MILLRACE_MUTANT(credit_kept)) return;
  const auto& from = inputs_[channel];
  self_->send(from.producer,
              wire::channel_credit{setup_.inputs[channel].producer, from.output_channel, charge});
}

namespace {

caf::behavior task_behavior(caf::stateful_actor<task_host>* self, task_setup setup) {
  auto& host = self->state;
  ignore_the_unexpected(*self);
  host.init(std::move(setup));
  return {
      [&host](wire::channel_element& e) { host.on_element(e); },
      [&host](const wire::channel_credit& credit) { host.on_credit(credit); },
      [&host](local::step) { host.step(); },
      [&host](const local::io_done& done) { host.on_io_done(done); },
      [&host](const local::wake& wake) { host.on_wake(wake); },
      [&host](const wire::open_channel& request, const caf::actor& consumer) {
        host.on_open_channel(request, consumer);
      },
      [&host, self](const wire::channel_opened& opened) {
        host.on_channel_opened(opened, self->current_sender());
      },
      [&host](const wire::align_watermarks& limit) { host.on_alignment_limit(limit); },
      [&host](const wire::command_iteration& command) { host.on_command_iteration(command); },
      [&host](const wire::coordinator_event& event) { host.on_coordinator_event(event); },
      [&host](const wire::trigger_checkpoint& trigger) { host.on_trigger(trigger); },
      [&host](const wire::savepoint_target& target) { host.on_savepoint_target(target); },
      [&host](const wire::drain_sources&) { host.on_drain(); },
      [&host](const wire::checkpoint_complete& done) { host.on_checkpoint_complete(done); },
      [&host](const wire::checkpoint_aborted& aborted) { host.on_checkpoint_aborted(aborted); },
      [&host](local::start_task) { host.start(); },
      [&host](local::tick) { host.check_inputs(); },
      [&host](wire::cancel) { host.cancel(); },
      [&host](const local::fail_task& why) { host.fail(why.cause); },
      [&host](local::report_task) { host.report(); },
  };
}

}  // namespace

caf::actor spawn_task(caf::event_based_actor& parent, task_setup setup) {
  return parent.spawn<caf::monitored>(task_behavior, std::move(setup));
}

}  // namespace millrace
