#include "millrace/state/keyed_state_slot.hpp"

namespace millrace {

void keyed_state_slot::take(std::unique_ptr<keyed_state_backend_base> made) {
  state_ = std::move(made);
  for (const auto& [group, bytes] : std::exchange(restored_, {})) {
    if (bytes.empty()) continue;
    byte_reader in(bytes);
    if (auto done = state_->restore_key_group(group, in); !done) throw failure(done.error());
  }
}

void keyed_state_slot::begin_snapshot() {
  MILLRACE_ASSERT(snapshot_ == nullptr, "an operator's state is in one snapshot at a time");
  if (state_ != nullptr)
    snapshot_ = state_->begin_snapshot();
  else
    unasked_ = restored_;
}

bool keyed_state_slot::write_snapshot(snapshot_budget& budget) {
  return snapshot_ == nullptr || snapshot_->write(budget);
}

std::vector<encoded_key_group> keyed_state_slot::take_snapshot() {
  if (snapshot_ == nullptr) return std::exchange(unasked_, {});
  return std::exchange(snapshot_, nullptr)->take();
}

}  // namespace millrace
