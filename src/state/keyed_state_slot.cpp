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

std::vector<encoded_key_group> keyed_state_slot::snapshot() const {
  if (state_ == nullptr) return restored_;
  std::vector<encoded_key_group> all;
  all.reserve(env_.groups.size());
  for (auto group = env_.groups.first; group <= env_.groups.last; ++group) {
    byte_writer out;
    const auto entry_bytes = state_->snapshot_key_group(group, out);
    all.push_back({group, entry_bytes == 0 ? std::vector<std::byte>() : std::move(out).take()});
  }
  return all;
}

}  // namespace millrace
