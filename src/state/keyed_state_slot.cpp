#include "millrace/state/keyed_state_slot.hpp"

#include "millrace/state/database_key_groups.hpp"

namespace millrace {

void keyed_state_slot::take(std::unique_ptr<keyed_state_backend_base> made) {
  state_ = std::move(made);
  if (!tables_.empty()) state_->adopt_tables(std::exchange(tables_, {}));
  for (const auto& [group, bytes] : std::exchange(restored_, {}))
    if (auto done = state_->restore_key_group(group, bytes); !done) throw failure(done.error());
}

void keyed_state_slot::read_image() {
  if (image_ == nullptr) return;
  const auto tables = image_->tables;
  auto database = database_key_groups::of(open(), tables);
  tables_.clear();
  if (!database) throw failure(database.error());
  for (auto& [group, bytes] : restored_) {
    auto whole = database->read(group, bytes.whole().part);
    if (!whole) throw failure(whole.error());
    bytes = *std::move(whole);
  }
}

void keyed_state_slot::begin_snapshot(snapshot_form form) {
  MILLRACE_ASSERT(snapshot_ == nullptr, "an operator's state is in one snapshot at a time");
  if (state_ == nullptr) {
    read_image();
    unasked_ = restored_;
  } else {
    snapshot_ = state_->begin_snapshot(form);
  }
}

bool keyed_state_slot::write_snapshot(snapshot_budget& budget) {
  return snapshot_ == nullptr || snapshot_->write(budget);
}

std::vector<encoded_key_group> keyed_state_slot::take_snapshot() {
  if (snapshot_ == nullptr) return std::exchange(unasked_, {});
  return std::exchange(snapshot_, nullptr)->take();
}

}  // namespace millrace
