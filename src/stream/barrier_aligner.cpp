#include "millrace/stream/barrier_aligner.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "millrace/core/assert.hpp"
#include "millrace/core/mutant.hpp"

namespace millrace {

namespace {

bool blocks(const barrier& cut) {
  return cut.alignment != barrier_alignment::at_least_once && !MILLRACE_MUTANT(alignment_left_out);
}

}  // namespace

void barrier_aligner::keep_order(std::uint32_t channel) {
  MILLRACE_ASSERT(pending_.empty() && !keeps_order_[channel], "an order is kept from the start");
  keeps_order_[channel] = true;
  ++open_in_order_;
}

barrier_aligner::decision barrier_aligner::on_arrival(std::uint32_t channel, const barrier& cut,
                                                      time_point now) {
  decision result;
  if (is_over(cut.checkpoint) || is_closed_[channel] || keeps_order_[channel]) return result;
  if (cut.alignment == barrier_alignment::unaligned) {
    auto* found = find_or_begin(cut, now, result);
    if (found == nullptr) return result;
    found->cut.alignment = cut.alignment;
    complete_what_is_there(now, result);
  } else if (cut.alignment == barrier_alignment::aligned_at_first && pending_.empty()) {
    find_or_begin(cut, now, result);  // its time begins
  }
  return result;
}

barrier_aligner::decision barrier_aligner::on_barrier(std::uint32_t channel, const barrier& cut,
                                                      time_point now) {
  decision result;
  if (is_over(cut.checkpoint) || is_closed_[channel]) return result;
  auto* found = find_or_begin(cut, now, result);
  if (found == nullptr || found->has_come[channel]) return result;
  if (cut.alignment == barrier_alignment::unaligned) found->cut.alignment = cut.alignment;
  note_come(*found, channel);
  result.block = blocks(cut);
  found->blocks_channels |= result.block;
  complete_what_is_there(now, result);
  return result;
}

barrier_aligner::decision barrier_aligner::on_cancel(std::uint32_t, checkpoint_id checkpoint) {
  decision result;
  if (is_over(checkpoint)) return result;
  give_up(checkpoint, result);
  result.cancelled = checkpoint;
  return result;
}

barrier_aligner::decision barrier_aligner::on_closed(std::uint32_t channel, time_point now) {
  decision result;
  if (is_closed_[channel]) return result;
  is_closed_[channel] = true;
  --open_;
  if (keeps_order_[channel]) --open_in_order_;
  for (auto& p : pending_)
    if (!p.has_come[channel]) note_come(p, channel);
  complete_what_is_there(now, result);
  return result;
}

barrier_aligner::decision barrier_aligner::on_trigger(const barrier& cut, time_point now) {
  decision result;
  if (is_over(cut.checkpoint)) return result;
  const auto at = place_of(cut.checkpoint);
  if (at == pending_.end() || at->cut.checkpoint != cut.checkpoint) begin(cut, now);
  complete_what_is_there(now, result);
  return result;
}

barrier_aligner::decision barrier_aligner::on_abort(checkpoint_id checkpoint) {
  decision result;
  if (!is_over(checkpoint)) give_up(checkpoint, result);
  return result;
}

barrier_aligner::decision barrier_aligner::on_time(time_point now) {
  decision result;
  const auto due = deadline();
  if (!due || now < *due) return result;
  std::find_if(pending_.begin(), pending_.end(), is_aligned_at_first)->cut.alignment =
      barrier_alignment::unaligned;
  complete_what_is_there(now, result);
  return result;
}

std::optional<barrier_aligner::time_point> barrier_aligner::deadline() const {
  const auto first = std::find_if(pending_.begin(), pending_.end(), is_aligned_at_first);
  if (first == pending_.end()) return std::nullopt;
  return first->begun + alignment_max_;
}

bool barrier_aligner::is_aligned_at_first(const alignment& pending) {
  return pending.cut.alignment == barrier_alignment::aligned_at_first;
}

bool barrier_aligner::is_over(checkpoint_id checkpoint) const {
  return checkpoint <= last_done_ || given_up_.contains(checkpoint);
}

std::deque<barrier_aligner::alignment>::iterator barrier_aligner::place_of(
    checkpoint_id checkpoint) {
  return std::find_if(pending_.begin(), pending_.end(),
                      [&](const auto& p) { return p.cut.checkpoint >= checkpoint; });
}

barrier_aligner::alignment* barrier_aligner::find_or_begin(const barrier& cut, time_point now,
                                                           decision& result) {
  const auto at = place_of(cut.checkpoint);
  const bool is_there = at != pending_.end() && at->cut.checkpoint == cut.checkpoint;
  if (blocks(cut)) {
    if (!is_there &&
        std::any_of(at, pending_.end(), [](const auto& p) { return p.blocks_channels; }))
      return nullptr;
    if (at != pending_.begin()) drop_until(std::prev(at)->cut.checkpoint, result);
  }
  return is_there ? &*at : begin(cut, now);  // dropping others leaves the iterator valid
}

barrier_aligner::alignment* barrier_aligner::begin(const barrier& cut, time_point now) {
  return &*pending_.insert(place_of(cut.checkpoint),
                           {cut, now, is_closed_, open_, open_in_order_, false});
}

void barrier_aligner::note_come(alignment& pending, std::uint32_t channel) {
  pending.has_come[channel] = true;
  --pending.awaited;
  if (keeps_order_[channel]) --pending.awaited_in_order;
}

bool barrier_aligner::is_complete(const alignment& pending) {
  return pending.awaited == 0 ||
         (pending.cut.alignment == barrier_alignment::unaligned && pending.awaited_in_order == 0);
}

/// One before them that is not complete has been left out by somebody, and never will be.
void barrier_aligner::complete_what_is_there(time_point now, decision& result) {
  for (auto& p : pending_)
    if (is_complete(p)) result.aligned.push_back({p.cut, now - p.begun, std::move(p.has_come)});
  if (result.aligned.empty()) return;
  result.block = false;
  drop_until(result.aligned.back().cut.checkpoint, result);
}

void barrier_aligner::give_up(checkpoint_id checkpoint, decision& result) {
  const auto found = std::find_if(pending_.begin(), pending_.end(),
                                  [&](const auto& p) { return p.cut.checkpoint == checkpoint; });
  if (found != pending_.end()) {
    result.release = found->blocks_channels;
    pending_.erase(found);
  }
  given_up_.insert(checkpoint);
  if (given_up_.size() > given_up_max) drop_until(*given_up_.begin(), result);
}

void barrier_aligner::drop_until(checkpoint_id last, decision& result) {
  while (!pending_.empty() && pending_.front().cut.checkpoint <= last) {
    result.release |= pending_.front().blocks_channels;
    pending_.pop_front();
  }
  last_done_ = std::max(last_done_, last);
  given_up_.erase(given_up_.begin(), given_up_.upper_bound(last_done_));
}

}  // namespace millrace
