#include <algorithm>
#include <iterator>
#include <utility>

#include "millrace/core/mutant.hpp"
#include "millrace/stream/stream_task.hpp"

// What a task does about barriers, and how it takes its snapshots.

namespace millrace {

void stream_task::hear(const std::vector<coordinator_event>& events) {
  for (const auto& each : events) chain_.on_coordinator_event(each.operator_index, each.event);
}

void stream_task::on_checkpoint_trigger(const barrier& cut) {
  if (phase_ < phase::restored_finished) act(aligner_.on_trigger(cut, services_.time().now()));
}

void stream_task::on_checkpoint_complete(checkpoint_id checkpoint) {
  if (first_after_all_ && checkpoint >= first_after_all_) is_last_complete_ = true;
  if (phase_ == phase::stopped && checkpoint >= stopped_at_) is_stop_certain_ = true;
  if (checkpoint <= last_prepared_) chain_.on_checkpoint_complete(checkpoint);
}

void stream_task::on_checkpoint_aborted(checkpoint_id checkpoint) {
  act(aligner_.on_abort(checkpoint));
  recorder_.give_up(checkpoint);
  give_up_due(checkpoint);
  if (writing_ && writing_->cut.checkpoint == checkpoint) {
    chain_.abandon_snapshot();
    writing_.reset();
  }
  if (checkpoint <= last_prepared_) chain_.on_checkpoint_aborted(checkpoint);
  if (phase_ == phase::stopped && checkpoint == stopped_at_ && !is_stop_certain_)
    phase_ = phase::running;
}

/// What came behind it comes behind the one before now, if that is still to be taken.
void stream_task::give_up_due(checkpoint_id checkpoint) {
  const auto found = std::find_if(due_.begin(), due_.end(), [&](const auto& due) {
    return due.what.cut.checkpoint == checkpoint;
  });
  if (found == due_.end()) return;
  auto events = std::move(found->events);
  const auto behind = due_.erase(found);
  if (behind == due_.begin()) return hear(events);
  auto& before = std::prev(behind)->events;
  before.insert(before.end(), std::make_move_iterator(events.begin()),
                std::make_move_iterator(events.end()));
}

void stream_task::act(barrier_aligner::decision what, std::uint32_t channel) {
  if (what.release) gate_.unblock_all();
  if (what.block) gate_.block(channel);
  if (what.cancelled)
    for (auto& e : chain_.exchanges()) e->broadcast(cancel_barrier{*what.cancelled});
  // One that can't be taken yet is not forgotten for a later one, which may be a savepoint: it
  // would hang, and others wait for its end, until its time is over.
  for (auto& cut : what.aligned) {
    const auto begun = services_.time().now() - cut.alignment;
    due_.push_back({std::move(cut), begun + alignment_max_, {}});
  }
}

bool stream_task::take_due_snapshots() {
  while (!due_.empty())
    if (!take_snapshot()) return false;
  return true;
}

bool stream_task::take_snapshot() {
  if (writing_) return false;
  const auto cut = due_.front().what.cut;
  const bool overtakes = cut.alignment == barrier_alignment::unaligned;
  if (chain_.is_blocked() && !overtakes) return false;
  const auto begin = services_.time().now();
  last_prepared_ = cut.checkpoint;
  chain_.prepare_snapshot(cut.checkpoint);
  if (chain_.holds_up_barrier()) return false;
  chain_.flush();
  // What was flushed may have no credit, and then the barrier would wait unseen.
  if (cut.alignment == barrier_alignment::aligned_at_first && chain_.is_blocked()) return false;
  auto& taken = writing_.emplace();
  taken.cut = cut;
  if (!MILLRACE_MUTANT(barrier_kept)) chain_.send_barrier(cut, taken.in_flight);
  const bool is_after_all = phase_ == phase::awaiting_checkpoint;
  taken.operators_finished = is_after_all && !has_source_more_;
  taken.operators = chain_.begin_snapshot(
      cut.checkpoint, cut.base ? snapshot_form::native : snapshot_form::canonical);
  taken.alignment = due_.front().what.alignment;
  taken.frozen_at = services_.time().now();
  taken.synchronous = taken.frozen_at - begin;
  if (is_after_all && !first_after_all_) first_after_all_ = cut.checkpoint;
  const auto done = std::move(due_.front());
  due_.pop_front();
  if (overtakes) record_channels(taken, done.what.has_come);
  hear(done.events);
  if (cut.kind == checkpoint_kind::final_savepoint && phase_ == phase::running) {
    phase_ = phase::stopped;
    stopped_at_ = cut.checkpoint;
  }
  return true;
}

/// The state stays behind until it is written.
void stream_task::record_channels(task_snapshot& taken, const std::vector<bool>& has_come) {
  std::vector<bool> awaited(gate_.channel_count());
  for (std::uint32_t c = 0; c < gate_.channel_count(); ++c)
    if (!has_come[c])
      awaited[c] = !gate_.collect_ahead_of(taken.cut.checkpoint, c, taken.in_flight);
  auto state = std::exchange(taken.operators, {});
  recorder_.begin(taken, std::move(awaited), services_.time().now());
  taken.operators = std::move(state);
  taken.in_flight.clear();
}

void stream_task::hand_on_whole_snapshots() {
  for (auto& whole : recorder_.take_whole(services_.time().now()))
    services_.acknowledge_checkpoint(std::move(whole));
}

void stream_task::mind_alignment_time() {
  if (const auto due = aligner_.deadline()) {
    if (since_when_ >= *due)
      act(aligner_.on_time(since_when_));
    else
      services_.wake_at(*due);
  }
  for (auto& due : due_) {
    auto& alignment = due.what.cut.alignment;
    if (alignment != barrier_alignment::aligned_at_first) continue;
    if (since_when_ >= due.overtakes_from)
      alignment = barrier_alignment::unaligned;
    else
      services_.wake_at(due.overtakes_from);
  }
}

void stream_task::write_snapshot() {
  if (!chain_.write_snapshot(writing_->operators, slice_bytes_)) return;
  auto written = *std::exchange(writing_, std::nullopt);
  if (written.cut.alignment != barrier_alignment::unaligned)
    return services_.acknowledge_checkpoint(std::move(written));
  recorder_.add_state(written.cut.checkpoint, std::move(written.operators));
  hand_on_whole_snapshots();
}

}  // namespace millrace
