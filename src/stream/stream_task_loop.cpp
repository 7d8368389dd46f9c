#include <algorithm>

#include "millrace/graph/channels.hpp"
#include "millrace/stream/stream_task.hpp"

// What a task does as a part of an iteration's loop.

namespace millrace {

void stream_task::join_loop(const graph::job_graph& graph, const task_options& options) {
  auto role = graph::iteration_role_of(graph, who_.vertex);
  if (!role) return;
  loop_ = std::make_unique<loop_member>(*std::move(role));
  const auto channels = graph::input_channels(graph, who_.vertex, who_.subtask);
  loop_->is_feedback.resize(channels.size());
  loop_->elements_back.resize(channels.size());
  for (std::uint32_t c = 0; c < channels.size(); ++c) {
    const auto& edge = graph.edges[channels[c].edge];
    if (!loop_->role.has_edge[edge.id]) loop_->outside.push_back(c);
    if (!edge.is_feedback) continue;
    loop_->is_feedback[c] = true;
    loop_->feedback_input = edge.target_input;
    ++loop_->open_feedback;
    watermarks_.on_end(c);  // event time does not go around
  }
  if (!is_head()) return;
  loop_->came_back = std::make_unique<feedback_buffer>(
      services_.io(), services_.files(), options.spilling.directory + "-feedback",
      options.spilling.memory_bytes,
      [this](auto channel, auto charge) { services_.return_credit(channel, charge); });
}

void stream_task::take_back(std::uint32_t channel, element e) {
  ++loop_->elements_back[channel];
  if (auto* data = std::get_if<record_batch>(&e)) {
    if (!data->rows)
      throw failure(errc::protocol,
                    "a batch without rows arrived on channel " + std::to_string(channel));
    if (phase_ != phase::running)
      throw failure(errc::invalid_graph,
                    "records were fed back after the loop of the iteration had ended: an operator "
                    "that emits at the end of its input only, such as one with windows of "
                    "processing time, must not feed records back in a job that ends");
    loop_->came_back->push(channel, std::move(*data));
  } else if (std::holds_alternative<end_of_input>(e)) {
    if (phase_ == phase::running || loop_->open_feedback == 0)
      throw failure(errc::protocol, "the end of the loop came back on channel " +
                                        std::to_string(channel) + " before it was sent");
    --loop_->open_feedback;
  }
}

/// Records in the loop come before new ones, so that these come in only as fast as those leave. But
/// records that go around for ever must not keep all others out.
bool stream_task::take_next_at_head() {
  auto& back = *loop_->came_back;
  const bool has_input = !gate_.is_empty() && back.has_room();
  if (back.has_next() && !(has_input && loop_->since_input >= feedback_batches_per_input)) {
    ++loop_->since_input;
    chain_.process(loop_->feedback_input, back.take());
    return true;
  }
  if (!has_input) return false;
  loop_->since_input = 0;
  take(*gate_.next());
  return true;
}

void stream_task::pass_time(watermark_change change) {
  if (is_head() && change.watermark == max_watermark) {
    loop_->event_time_held = true;
    change.watermark.reset();
  }
  chain_.on_time(change);
}

void stream_task::end_what_may_end() {
  if (loop_->event_time_held && loop_->event_time_may_end) {
    loop_->event_time_held = false;
    chain_.on_time({max_watermark, std::nullopt});
  }
  if (!loop_->may_end) return;
  if (!loop_->came_back->is_empty())
    throw failure(errc::protocol, "the iteration was ended while records were left in its loop");
  chain_.end_input(loop_->feedback_input);
  phase_ = phase::finishing;
}

void stream_task::on_iteration_command(const iteration_command& command) {
  const bool is_for_head = command.request >= iteration_request::end_event_time;
  if (!loop_ || (is_for_head && !is_head()) || command.request > iteration_request::end)
    throw failure(errc::protocol, "a command of an iteration came to a task that it is not for");
  switch (command.request) {
    case iteration_request::report:
      chain_.hold_loop_timers(false);
      loop_->question = command;
      break;
    case iteration_request::confirm:
      loop_->question = command;
      break;
    case iteration_request::end_event_time:
      loop_->event_time_may_end = true;
      break;
    case iteration_request::end:
      loop_->may_end = true;
      break;
  }
}

bool stream_task::is_passive() const {
  const auto has_ended = [this](std::uint32_t c) { return gate_.has_end_come(c); };
  return gate_.is_empty() && std::ranges::all_of(loop_->outside, has_ended) &&
         !chain_.is_blocked() && !chain_.is_busy() && !chain_.holds_records() &&
         (!is_head() || loop_->came_back->is_empty());
}

void stream_task::answer_coordinator(task_progress progress) {
  const bool passive =
      phase_ == phase::running && progress == task_progress::waiting && is_passive();
  const bool is_final = loop_->question->request == iteration_request::confirm;
  if (!passive && !is_final) return;
  iteration_report report{loop_->question->round, passive, chain_.elements_sent(), {}};
  for (std::uint32_t c = 0; c < gate_.channel_count(); ++c)
    report.received.push_back(loop_->is_feedback[c] ? loop_->elements_back[c]
                                                    : gate_.elements_received(c));
  if (passive && is_final) chain_.hold_loop_timers(true);
  loop_->question.reset();
  services_.report_iteration(report);
}

}  // namespace millrace
