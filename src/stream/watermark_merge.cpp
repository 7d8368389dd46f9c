#include "millrace/stream/watermark_merge.hpp"

#include <algorithm>

#include "millrace/core/mutant.hpp"

namespace millrace {

watermark_merge::watermark_merge(std::size_t channels)
    : channels_(channels), active_(channels), open_(channels) {
  find_holder();
}

watermark_change watermark_merge::on_watermark(std::size_t channel, timestamp_ms at) {
  if (at == max_watermark) return on_end(channel);
  auto& c = channels_.at(channel);
  // Senders send none while idle; one that does has nothing to say.
  if (c.has_ended || !c.is_active || at <= c.watermark) return {};
  c.watermark = at;
  if (!c.takes_part && at >= watermark_) {
    c.takes_part = true;
    find_holder();
  } else if (holder_ == channel) {
    // Only the channel that holds the others back can let them go.
    find_holder();
  } else {
    return {};
  }
  return update();
}

watermark_change watermark_merge::on_status(std::size_t channel, stream_status now) {
  auto& c = channels_.at(channel);
  const bool is_active = now == stream_status::active;
  if (c.has_ended || c.is_active == is_active) return {};
  if (MILLRACE_MUTANT(idle_awaited) && !is_active) return {};
  if (MILLRACE_MUTANT(return_unnoticed) && is_active) return {};
  c.is_active = is_active;
  c.takes_part = is_active && c.watermark >= watermark_;
  active_ = is_active ? active_ + 1 : active_ - 1;
  find_holder();
  return update();
}

watermark_change watermark_merge::on_end(std::size_t channel) {
  auto& c = channels_.at(channel);
  if (c.has_ended) return {};
  c.has_ended = true;
  c.takes_part = false;
  if (c.is_active) --active_;
  --open_;
  find_holder();
  return update();
}

watermark_change watermark_merge::update() {
  watermark_change change;
  auto reached = watermark_;
  if (open_ == 0) {
    reached = max_watermark;
  } else if (holder_) {
    reached = channels_[*holder_].watermark;
  } else if (active_ == 0) {
    for (const auto& c : channels_)
      if (!c.has_ended) reached = std::max(reached, c.watermark);
  }
  if (reached > watermark_) change.watermark = watermark_ = reached;
  const bool is_idle = active_ == 0 && open_ != 0;
  if (is_idle != is_idle_) {
    is_idle_ = is_idle;
    change.status = is_idle ? stream_status::idle : stream_status::active;
  }
  return change;
}

void watermark_merge::find_holder() noexcept {
  holder_.reset();
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    if (!channels_[i].takes_part) continue;
    const auto at = channels_[i].watermark;
    if (!holder_ || at < channels_[*holder_].watermark ||
        (MILLRACE_MUTANT(fastest_channel_counts) && at > channels_[*holder_].watermark))
      holder_ = i;
  }
}

}  // namespace millrace
