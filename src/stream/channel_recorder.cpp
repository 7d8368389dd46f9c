#include "millrace/stream/channel_recorder.hpp"

#include <algorithm>
#include <utility>

#include "millrace/core/mutant.hpp"

namespace millrace {

void channel_recorder::begin(task_snapshot snapshot, std::vector<bool> awaited, time_point now) {
  const auto open = static_cast<std::size_t>(std::count(awaited.begin(), awaited.end(), true));
  recordings_.push_back({std::move(snapshot), std::move(awaited), open, false, now});
}

void channel_recorder::add_state(checkpoint_id checkpoint, std::vector<operator_snapshot> state) {
  for (auto& r : recordings_) {
    if (r.snapshot.cut.checkpoint != checkpoint) continue;
    r.snapshot.operators = std::move(state);
    r.has_state = true;
    return;
  }
}

void channel_recorder::on_element(std::uint32_t channel, const element& e) {
  const auto* data = std::get_if<record_batch>(&e);
  const auto* cut = std::get_if<barrier>(&e);
  const auto* given_up_at = std::get_if<cancel_barrier>(&e);
  const bool is_end = std::holds_alternative<end_of_input>(e);
  std::erase_if(recordings_, [&](recording& r) {
    if (!r.awaited[channel]) return false;
    const auto checkpoint = r.snapshot.cut.checkpoint;
    if (data != nullptr) {
      if (!MILLRACE_MUTANT(late_batch_not_recorded))
        r.snapshot.in_flight.push_back({channel_end::receiver, channel, data->rows});
    } else if (is_end || (cut != nullptr && cut->checkpoint == checkpoint)) {
      r.awaited[channel] = false;
      --r.open;
    } else if (cut != nullptr) {
      return cut->checkpoint > checkpoint;  // ours was left out
    } else if (given_up_at != nullptr) {
      return given_up_at->checkpoint == checkpoint;
    }
    return false;
  });
}

void channel_recorder::give_up(checkpoint_id checkpoint) {
  std::erase_if(recordings_,
                [&](const auto& r) { return r.snapshot.cut.checkpoint == checkpoint; });
}

std::vector<task_snapshot> channel_recorder::take_whole(time_point now) {
  std::vector<task_snapshot> whole;
  std::erase_if(recordings_, [&](recording& r) {
    if (!r.has_state || (r.open != 0 && !MILLRACE_MUTANT(acknowledged_before_last_barrier)))
      return false;
    r.snapshot.alignment += now - r.begun;
    whole.push_back(std::move(r.snapshot));
    return true;
  });
  return whole;
}

}  // namespace millrace
