#include "millrace/graph/slot_table.hpp"

#include <algorithm>

namespace millrace::graph {

std::string_view to_string(slot_state state) noexcept {
  switch (state) {
    case slot_state::free:
      return "free";
    case slot_state::allocated:
      return "allocated";
    case slot_state::active:
      return "active";
  }
  return "unknown";
}

slot_table::slot_table(std::uint32_t slots) : slots_(slots) {
  for (std::uint32_t i = 0; i < slots; ++i) slots_[i].info.index = i;
}

result<slot_info> slot_table::allocate(job_id job, allocation_id allocation,
                                       std::int64_t deadline_ms,
                                       std::optional<std::uint32_t> index) {
  if (const table_slot* held = find(allocation)) {
    if (held->info.job != job)
      return fail(errc::protocol, "allocation " + to_string(allocation) + " belongs to job " +
                                      to_string(held->info.job) + ", not to " + to_string(job));
    return held->info;
  }
  if (index && *index >= slots_.size())
    return fail(errc::protocol, "slot " + std::to_string(*index) + " does not exist, there are " +
                                    std::to_string(slots_.size()));
  auto wanted = std::find_if(slots_.begin(), slots_.end(), [&](const table_slot& s) {
    return s.info.state == slot_state::free && (!index || s.info.index == *index);
  });
  if (wanted == slots_.end())
    return fail(errc::no_slots,
                index ? "slot " + std::to_string(*index) + " is taken by job " +
                            to_string(slots_[*index].info.job)
                      : "none of " + std::to_string(slots_.size()) + " slots is free");
  wanted->info = {wanted->info.index, slot_state::allocated, job, allocation};
  wanted->deadline_ms = deadline_ms;
  return wanted->info;
}

status slot_table::activate(job_id job, allocation_id allocation) {
  table_slot* held = find(allocation);
  if (!held || held->info.job != job)
    return fail(errc::stale, "allocation " + to_string(allocation) + " holds no slot for job " +
                                 to_string(job) + "; it was freed or timed out");
  held->info.state = slot_state::active;
  return {};
}

std::optional<std::uint32_t> slot_table::active_slot(job_id job, allocation_id allocation) const {
  for (const auto& slot : slots_)
    if (slot.info.state == slot_state::active && slot.info.job == job &&
        slot.info.allocation == allocation)
      return slot.info.index;
  return std::nullopt;
}

std::optional<slot_info> slot_table::release(allocation_id allocation) {
  if (table_slot* held = find(allocation)) return clear(*held);
  return std::nullopt;
}

std::vector<slot_info> slot_table::release_job(job_id job) {
  return clear_where([&](const table_slot& s) { return s.info.job == job; });
}

std::vector<slot_info> slot_table::expire(std::int64_t now_ms) {
  return clear_where([&](const table_slot& s) {
    return s.info.state == slot_state::allocated && s.deadline_ms <= now_ms;
  });
}

std::optional<std::int64_t> slot_table::next_deadline_ms() const {
  std::optional<std::int64_t> next;
  for (const auto& slot : slots_)
    if (slot.info.state == slot_state::allocated && (!next || slot.deadline_ms < *next))
      next = slot.deadline_ms;
  return next;
}

std::vector<slot_info> slot_table::offers_for(job_id job) const {
  std::vector<slot_info> offers;
  for (const auto& slot : slots_)
    if (slot.info.state == slot_state::allocated && slot.info.job == job)
      offers.push_back(slot.info);
  return offers;
}

std::vector<slot_info> slot_table::report() const {
  std::vector<slot_info> all;
  for (const auto& slot : slots_) all.push_back(slot.info);
  return all;
}

std::uint32_t slot_table::free_count() const noexcept {
  return static_cast<std::uint32_t>(
      std::count_if(slots_.begin(), slots_.end(),
                    [](const table_slot& s) { return s.info.state == slot_state::free; }));
}

slot_table::table_slot* slot_table::find(allocation_id allocation) {
  for (auto& slot : slots_)
    if (slot.info.state != slot_state::free && slot.info.allocation == allocation) return &slot;
  return nullptr;
}

slot_info slot_table::clear(table_slot& slot) {
  auto held = slot.info;
  slot.info = {held.index, slot_state::free, {}, {}};
  return held;
}

std::vector<slot_info> slot_table::clear_where(auto&& condition) {
  std::vector<slot_info> held;
  for (auto& slot : slots_)
    if (slot.info.state != slot_state::free && condition(slot)) held.push_back(clear(slot));
  return held;
}

}  // namespace millrace::graph
