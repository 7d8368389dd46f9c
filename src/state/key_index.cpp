#include "millrace/state/key_index.hpp"

#include <algorithm>
#include <utility>

namespace millrace {

std::size_t key_index::empty_slot(std::uint32_t tag) const noexcept {
  std::size_t at = home(tag);
  while (slots_[at].entry_number != 0) at = next(at);
  return at;
}

void key_index::set(std::size_t at, slot to) noexcept {
  slots_[at] = to;
  for (auto again = at + mask_ + 1; again < mask_ + near_slots; again += mask_ + 1)
    slots_[again] = to;
}

void key_index::renumber(std::uint32_t tag, std::uint32_t number, std::uint32_t now) noexcept {
  std::size_t at = home(tag);
  while (slots_[at].entry_number != number) at = next(at);
  set(at, {slots_[at].tag, now});
}

bool key_index::remove(std::size_t hole, std::size_t entries) {
  for (std::size_t at = next(hole); slots_[at].entry_number != 0; at = next(at)) {
    const std::size_t its_home = home(slots_[at].tag);
    if (((at - its_home) & mask_) < ((at - hole) & mask_)) continue;
    set(hole, slots_[at]);
    hole = at;
  }
  set(hole, slot());
  if (mask_ + 1 <= slots_kept || entries * 8 >= mask_ + 1) return false;
  resize((mask_ + 1) / 4);
  return true;
}

void key_index::grow() {
  resize(mask_ == 0 ? slots_min : 2 * (mask_ + 1));
}

void key_index::reserve(std::size_t entries) {
  if (entries == 0) return;
  auto slots = std::max(slots_min, mask_ + 1);
  while (entries * 10 > slots * 7) slots *= 2;
  if (slots > mask_ + 1) resize(slots);
}

/// From the tags alone: keys are hashed once, by the caller.
void key_index::resize(std::size_t slots) {
  key_index larger(slots);
  for (std::size_t i = 0; i <= mask_; ++i)
    if (slots_[i].entry_number != 0) larger.slots_[larger.empty_slot(slots_[i].tag)] = slots_[i];
  std::copy_n(larger.slots_.get(), near_slots - 1, larger.slots_.get() + slots);
  *this = std::move(larger);
}

}  // namespace millrace
