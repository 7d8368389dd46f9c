#include "millrace/stream/stream_task.hpp"

#include <algorithm>
#include <utility>

#include "millrace/core/assert.hpp"
#include "millrace/core/mutant.hpp"
#include "millrace/graph/channels.hpp"

namespace millrace {

namespace {

/// No more batches in a step that has taken this long: what comes meanwhile, such as barriers,
/// waits for its end.
constexpr std::chrono::milliseconds step_time_max{10};

std::vector<std::uint32_t> input_of_each_channel(const graph::job_graph& graph,
                                                 const execution_attempt_id& who) {
  std::vector<std::uint32_t> inputs;
  for (const auto& channel : graph::input_channels(graph, who.vertex, who.subtask))
    inputs.push_back(graph.edges[channel.edge].target_input);
  return inputs;
}

}  // namespace

stream_task::stream_task(const graph::job_graph& graph, const execution_attempt_id& who,
                         std::shared_ptr<const job_program> program, task_services& services,
                         const task_options& options)
    : who_(who),
      program_(std::move(program)),
      services_(services),
      chain_(graph, who, *program_, services, options),
      gate_(input_of_each_channel(graph, who)),
      watermarks_(input_of_each_channel(graph, who)),
      aligner_(gate_.channel_count(), options.alignment_max),
      awaits_last_(options.is_checkpointed),
      alignment_max_(options.alignment_max),
      slice_bytes_(options.snapshot_slice_bytes),
      since_when_(services.time().now()) {
  const auto channels = graph::input_channels(graph, who.vertex, who.subtask);
  for (std::uint32_t c = 0; c < channels.size(); ++c)
    if (!graph::can_be_overtaken(graph, graph.edges[channels[c].edge])) aligner_.keep_order(c);
  join_loop(graph, options);
}

void stream_task::restore(task_restore saved) {
  ending_ = saved.ending;
  if (ending_ == subtask_ending::ended) {
    phase_ = phase::restored_finished;
    return;
  }
  if (ending_ == subtask_ending::operators_finished) {
    phase_ = phase::awaiting_checkpoint;
    first_after_all_ = saved.checkpoint;
    is_last_complete_ = true;
  }
  chain_.restore(std::move(saved.operators));
  for (const auto& each : saved.in_flight) {
    if (each.at == channel_end::sender) {
      chain_.send_again(each);
      continue;
    }
    if (each.channel < gate_.channel_count())
      chain_.check_input_type(gate_.input_of(each.channel), *each.rows);
    if (auto queued = gate_.replay(each.channel, each.rows); !queued) throw failure(queued.error());
  }
}

void stream_task::open() {
  since_when_ = services_.time().now();
  switch (ending_) {
    case subtask_ending::none:
      return chain_.open();
    case subtask_ending::operators_finished:
      return chain_.open_finished();
    case subtask_ending::ended:
      for (auto& e : chain_.exchanges()) e->broadcast(end_of_input{});
  }
}

void stream_task::close() noexcept {
  chain_.close();
  if (loop_) loop_->came_back.reset();
}

void stream_task::on_element(std::uint32_t input_channel, element e) {
  if (is_head() && input_channel < gate_.channel_count() && loop_->is_feedback[input_channel])
    return take_back(input_channel, std::move(e));
  const auto* const found = std::get_if<barrier>(&e);
  const auto cut = found != nullptr ? std::optional(*found) : std::nullopt;
  if (!recorder_.is_idle() && input_channel < gate_.channel_count()) {
    recorder_.on_element(input_channel, e);
    hand_on_whole_snapshots();
  }
  if (auto pushed = gate_.push(input_channel, std::move(e)); !pushed) throw failure(pushed.error());
  if (cut && phase_ < phase::restored_finished && phase_ != phase::stopped)
    act(aligner_.on_arrival(input_channel, *cut, services_.time().now()), input_channel);
}

void stream_task::on_channel_open(std::uint32_t output_channel, std::uint64_t bytes) {
  check_output_channel(output_channel);
  std::uint32_t index = 0;
  chain_.exchange_of_channel(output_channel, index).open(index, bytes);
}

void stream_task::on_credit(std::uint32_t output_channel, std::uint64_t charge) {
  check_output_channel(output_channel);
  std::uint32_t index = 0;
  if (!chain_.exchange_of_channel(output_channel, index).give_back(index, charge))
    throw failure(errc::protocol, "the receiver of output channel " +
                                      std::to_string(output_channel) +
                                      " returned more credit than it was sent");
}

void stream_task::on_alignment_limit(const std::string& group, timestamp_ms limit) {
  if (ending_ != subtask_ending::ended) chain_.on_alignment_limit(group, limit);
}

void stream_task::on_coordinator_event(std::uint32_t operator_index, byte_view event) {
  if (operator_index >= chain_.size())
    throw failure(errc::protocol, "an event arrived for operator " +
                                      std::to_string(operator_index) + " of a task with " +
                                      std::to_string(chain_.size()));
  if (!due_.empty() && !MILLRACE_MUTANT(events_overtake_barrier))
    due_.back().events.push_back({operator_index, {event.begin(), event.end()}});
  else if (ending_ != subtask_ending::ended)
    chain_.on_coordinator_event(operator_index, event);
}

void stream_task::check_output_channel(std::uint32_t channel) const {
  if (channel < chain_.output_channel_count()) return;
  throw failure(errc::protocol, "credit arrived for output channel " + std::to_string(channel) +
                                    " of a task with " +
                                    std::to_string(chain_.output_channel_count()));
}

task_progress stream_task::step() {
  account(activity::busy);  // closes the span of waiting before this step
  chain_.rethrow_io_failure();
  if (is_head()) loop_->came_back->rethrow_failure();
  auto progress = run();
  if (loop_ && loop_->question) answer_coordinator(progress);
  if (writing_) {
    write_snapshot();
    if (writing_ || !due_.empty()) progress = task_progress::ready;
  }
  const bool held_up = phase_ != phase::done && chain_.is_blocked();
  account(progress == task_progress::ready ? activity::busy
          : held_up                        ? activity::blocked
                                           : activity::idle);
  return progress;
}

task_progress stream_task::run() {
  mind_alignment_time();
  if (phase_ == phase::stopped) {
    const auto progress = await_stop();
    if (phase_ == phase::stopped) return progress;
  }
  if (phase_ < phase::draining && !chain_.is_blocked()) {
    // Timers that were left when its operators had finished never fire.
    if (ending_ == subtask_ending::operators_finished)
      chain_.wake_busy(since_when_);
    else
      chain_.wake_operators(since_when_);
  }
  if (phase_ == phase::running) {
    const auto progress = chain_.source() ? run_source() : run_inputs();
    if (phase_ <= phase::stopped) return progress;
  }
  return finish();
}

task_progress stream_task::run_source() {
  for (int i = 0; i < batches_per_step; ++i) {
    if (!take_due_snapshots()) return wait_with_snapshot();
    if (chain_.is_blocked()) return task_progress::waiting;
    if (phase_ == phase::stopped) return wait_for_input();
    if (is_drained_) {
      end_of_source();
      return task_progress::ready;
    }
    if (chain_.is_busy()) return wait_for_input();
    switch (chain_.poll()) {
      case poll_status::more:
        if (services_.time().now() - since_when_ > step_time_max) return task_progress::ready;
        break;
      case poll_status::idle:
        return wait_for_input();
      case poll_status::finished:
        end_of_source();
        return task_progress::ready;
    }
  }
  return task_progress::ready;
}

void stream_task::end_of_source() {
  has_source_more_ = is_drained_;
  chain_.on_source_end();
  chain_.on_time({max_watermark, std::nullopt});
  phase_ = phase::finishing;
}

task_progress stream_task::run_inputs() {
  for (int i = 0; i < batches_per_step; ++i) {
    if (!take_due_snapshots()) return wait_with_snapshot();
    if (chain_.is_blocked()) return task_progress::waiting;
    if (phase_ == phase::stopped) return wait_for_input();
    if (chain_.is_busy()) return wait_for_input();
    if (is_head()) end_what_may_end();
    if (phase_ == phase::running && !take_next()) return wait_for_input();
    if (phase_ == phase::finishing) return task_progress::ready;
    if (gate_.have_all_ended()) {
      phase_ = phase::finishing;
      return task_progress::ready;
    }
    if (services_.time().now() - since_when_ > step_time_max) break;
  }
  return task_progress::ready;
}

bool stream_task::take_next() {
  if (is_head()) return take_next_at_head();
  auto next = gate_.next();
  if (!next) return false;
  take(std::move(*next));
  return true;
}

void stream_task::take(input_gate::arrival next) {
  const auto input = gate_.input_of(next.channel);
  if (auto* data = std::get_if<record_batch>(&next.what)) {
    chain_.process(input, data->rows);
    data->rows.reset();  // freed before the sender may send the next one
    services_.return_credit(next.channel, data->charge);
  } else if (const auto* time = std::get_if<watermark>(&next.what)) {
    pass_time(watermarks_.on_watermark(next.channel, time->at));
  } else if (const auto* change = std::get_if<stream_status>(&next.what)) {
    pass_time(watermarks_.on_status(next.channel, *change));
  } else {
    if (next.ends_data) {
      pass_time(watermarks_.on_end(next.channel));
      if (gate_.has_ended(input)) chain_.end_input(input);
    }
    if (std::holds_alternative<end_of_data>(next.what)) awaits_last_ = true;
    take_barrier(next);
  }
}

void stream_task::take_barrier(const input_gate::arrival& next) {
  if (const auto* cut = std::get_if<barrier>(&next.what))
    act(aligner_.on_barrier(next.channel, *cut, services_.time().now()), next.channel);
  else if (const auto* given_up = std::get_if<cancel_barrier>(&next.what))
    act(aligner_.on_cancel(next.channel, given_up->checkpoint), next.channel);
  else if (std::holds_alternative<end_of_input>(next.what))
    act(aligner_.on_closed(next.channel, services_.time().now()), next.channel);
}

/// Whoever feeds a task that was restored as one that needs no input is restored so, too.
void stream_task::refuse_records(const input_gate::arrival& next) const {
  if (std::holds_alternative<record_batch>(next.what))
    throw failure(errc::protocol, "records came on channel " + std::to_string(next.channel) +
                                      " of a task that had been sent all of them");
}

/// What is fed back does not go through the gate.
bool stream_task::have_inputs_closed() const {
  if (!is_head()) return gate_.have_all_closed();
  return std::ranges::all_of(loop_->outside,
                             [this](std::uint32_t c) { return gate_.has_end_come(c); });
}

/// Output without credit gains nothing by being flushed, and would become smaller batches.
task_progress stream_task::wait_with_snapshot() {
  return chain_.is_blocked() ? task_progress::waiting : wait_for_input();
}

/// Nothing more to do right now, so nothing is gained by keeping partly filled batches.
task_progress stream_task::wait_for_input() {
  chain_.flush();
  return task_progress::waiting;
}

task_progress stream_task::finish() {
  if (phase_ == phase::finishing) {
    if (chain_.is_blocked()) return task_progress::waiting;
    if (MILLRACE_MUTANT(batch_after_end))
      for (auto& e : chain_.exchanges()) e->broadcast(end_of_input{});
    const auto finished = chain_.finish_step();
    if (finished == finish_status::more) return task_progress::ready;
    chain_.flush();
    if (finished == finish_status::busy) return task_progress::waiting;
    if (awaits_last_ && !MILLRACE_MUTANT(last_checkpoint_not_awaited)) {
      for (auto& e : chain_.exchanges()) e->broadcast(end_of_data{});
      services_.await_last_checkpoint();
      phase_ = phase::awaiting_checkpoint;
    } else {
      for (auto& e : chain_.exchanges()) e->broadcast(end_of_input{});
      phase_ = phase::draining;
    }
  }
  if (phase_ == phase::awaiting_checkpoint) {
    const auto progress = await_checkpoint();
    if (phase_ == phase::awaiting_checkpoint) return progress;
  }
  if (phase_ == phase::restored_finished) {
    while (const auto next = gate_.next()) refuse_records(*next);
    if (!have_inputs_closed()) return task_progress::waiting;
    phase_ = phase::draining;
  }
  if (phase_ == phase::draining && chain_.is_blocked()) return task_progress::waiting;
  // The end has to come around: whatever comes back before it is seen here.
  if (is_head() && loop_->open_feedback != 0) return task_progress::waiting;
  phase_ = phase::done;
  return task_progress::finished;
}

/// Only barriers and ends of input come any more. What operators were told before is not told them
/// again if the task was restored.
task_progress stream_task::await_checkpoint() {
  while (true) {
    if (!take_due_snapshots() || chain_.is_blocked()) return task_progress::waiting;
    auto next = gate_.next();
    if (!next) break;
    refuse_records(*next);
    take_barrier(*next);
  }
  if (!is_last_complete_ || !gate_.have_all_closed() || chain_.is_busy() || chain_.is_committing())
    return task_progress::waiting;
  for (auto& e : chain_.exchanges()) e->broadcast(end_of_input{});
  phase_ = phase::draining;
  return task_progress::ready;
}

/// What still comes belongs to nothing any more: it came behind the barrier.
task_progress stream_task::await_stop() {
  if (!is_stop_certain_) return task_progress::waiting;
  while (auto next = gate_.next())
    if (const auto* data = std::get_if<record_batch>(&next->what))
      services_.return_credit(next->channel, data->charge);
  chain_.wake_committing(since_when_);
  if (chain_.is_blocked() || !gate_.have_all_closed() || chain_.is_committing())
    return task_progress::waiting;
  for (auto& e : chain_.exchanges()) e->broadcast(end_of_input{});
  phase_ = phase::draining;
  return task_progress::ready;
}

void stream_task::account(activity what) {
  const auto now = services_.time().now();
  const auto span = static_cast<std::uint64_t>((now - since_when_).count());
  switch (since_) {
    case activity::busy:
      times_.busy_ns += span;
      break;
    case activity::idle:
      times_.idle_ns += span;
      break;
    case activity::blocked:
      times_.blocked_ns += span;
      break;
  }
  since_ = what;
  since_when_ = now;
}

task_times stream_task::times() const noexcept {
  auto times = times_;
  const auto now = services_.time().now();
  const auto span = static_cast<std::uint64_t>((now - since_when_).count());
  switch (since_) {
    case activity::busy:
      times.busy_ns += span;
      break;
    case activity::idle:
      times.idle_ns += span;
      break;
    case activity::blocked:
      times.blocked_ns += span;
      break;
  }
  return times;
}

}  // namespace millrace
