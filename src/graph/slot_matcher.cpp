#include "millrace/graph/slot_matcher.hpp"

#include <algorithm>

#include "millrace/core/assert.hpp"
#include "millrace/core/mutant.hpp"

namespace millrace::graph {

namespace {

bool is_free(const slot_info& slot) {
  return slot.state == slot_state::free;
}

}  // namespace

// -- task managers ------------------------------------------------------------------------------

lost_slots slot_matcher::add_task_manager(const resource_id& id, std::string address,
                                          const std::vector<slot_info>& slots,
                                          std::map<job_id, std::uint32_t> had) {
  auto before = remove_task_manager(id);
  known_task_manager added{id, std::move(address), {}, std::move(had)};
  for (const auto& info : slots) {
    added.slots.push_back({info, true});
    if (is_free(info)) continue;
    // What it holds is neither lost nor waited for.
    auto is_held = [&](const slot_grant& g) { return g.allocation == info.allocation; };
    std::erase_if(before.lost, is_held);
    std::erase_if(before.requeued, is_held);
    if (job_demand* d = find_demand(info.job)) std::erase(d->pending, info.allocation);
    added.note_slots_of(info.job);
  }
  task_managers_.push_back(std::move(added));
  return before;
}

lost_slots slot_matcher::remove_task_manager(const resource_id& id) {
  lost_slots result;
  auto gone = std::find_if(task_managers_.begin(), task_managers_.end(),
                           [&](const known_task_manager& tm) { return tm.id == id; });
  if (gone == task_managers_.end()) return result;
  for (const auto& [info, confirmed] : gone->slots) {
    if (is_free(info)) continue;
    slot_grant had{info.job, info.allocation, id, gone->address, info.index};
    if (!confirmed && requeue(info.job, info.allocation))
      result.requeued.push_back(std::move(had));
    else
      result.lost.push_back(std::move(had));
  }
  task_managers_.erase(gone);
  return result;
}

// -- jobs ---------------------------------------------------------------------------------------

void slot_matcher::request(const job_id& job, const std::string& job_name,
                           const std::vector<allocation_id>& allocations, std::int64_t now_ms,
                           std::int64_t deadline_ms) {
  job_demand* d = find_demand(job);
  auto is_known = [&](const allocation_id& allocation) {
    return is_granted(allocation) ||
           (d && std::find(d->pending.begin(), d->pending.end(), allocation) != d->pending.end());
  };
  std::vector<allocation_id> added;
  for (const auto& allocation : allocations)
    if (!is_known(allocation)) added.push_back(allocation);

  if (d && d->pending.empty() && !added.empty()) {
    // It was served and asks anew: at the end of the queue.
    withdraw(job);
    d = nullptr;
  }
  if (!d) {
    queue_.push_back({job, job_name, {}, used_by(job), now_ms, deadline_ms});
    d = &queue_.back();
  }
  d->deadline_ms = deadline_ms;
  d->needed += static_cast<std::uint32_t>(added.size());
  d->pending.insert(d->pending.end(), added.begin(), added.end());
}

std::vector<slot_grant> slot_matcher::match() {
  std::vector<slot_grant> grants;
  auto free = free_count();
  const auto registered = registered_count();
  for (auto& demand : queue_) {
    auto wanted = static_cast<std::uint32_t>(demand.pending.size());
    if (wanted == 0) continue;
    if (wanted > free) {
      if (wanted + used_by(demand.job) <= registered) break;
      continue;
    }
    for (const auto& allocation : demand.pending) grants.push_back(grant(demand.job, allocation));
    demand.pending.clear();
    free -= wanted;
  }
  MILLRACE_ASSERT(free == free_count(), "slots in use and free slots are not all slots");
  return grants;
}

slot_grant slot_matcher::grant(const job_id& job, const allocation_id& allocation) {
  known_task_manager* chosen = next_task_manager(job);
  MILLRACE_ASSERT(chosen != nullptr, "granted more slots than are free");
  auto free = std::find_if(chosen->slots.begin(), chosen->slots.end(),
                           [](const known_slot& s) { return is_free(s.info); });
  free->info = {free->info.index, slot_state::allocated, job, allocation};
  free->confirmed = false;
  return {job, allocation, chosen->id, chosen->address, free->info.index};
}

void slot_matcher::confirm(const resource_id& task_manager, const allocation_id& allocation) {
  if (known_slot* held = find_slot(task_manager, allocation)) {
    held->info.state = slot_state::active;
    held->confirmed = true;
    find_task_manager(task_manager)->note_slots_of(held->info.job);
  }
}

void slot_matcher::reject(const resource_id& task_manager, const allocation_id& allocation) {
  known_slot* held = find_slot(task_manager, allocation);
  if (!held || held->confirmed) return;
  auto job = held->info.job;
  release(task_manager, allocation);
  requeue(job, allocation);
}

void slot_matcher::rename(const job_id& job, const allocation_id& from, const allocation_id& to) {
  if (job_demand* d = find_demand(job))
    std::replace(d->pending.begin(), d->pending.end(), from, to);
}

void slot_matcher::release(const resource_id& task_manager, const allocation_id& allocation) {
  if (known_slot* held = find_slot(task_manager, allocation))
    *held = {{held->info.index, slot_state::free, {}, {}}, false};
}

void slot_matcher::withdraw(const job_id& job) {
  std::erase_if(queue_, [&](const job_demand& d) { return d.job == job; });
}

void slot_matcher::forget(const job_id& job) {
  for (auto& tm : task_managers_) tm.had.erase(job);
}

std::vector<slot_failure> slot_matcher::expire(std::int64_t now_ms) {
  std::vector<slot_failure> failures;
  if (MILLRACE_MUTANT(slot_timeout_never_armed)) return failures;
  auto is_late = [&](const job_demand& d) { return !d.pending.empty() && d.deadline_ms <= now_ms; };
  for (const auto& demand : queue_)
    if (is_late(demand))
      failures.push_back({demand.job, {errc::no_slots, shortage_text(demand, now_ms)}});
  std::erase_if(queue_, is_late);
  return failures;
}

std::optional<std::int64_t> slot_matcher::next_deadline_ms() const {
  std::optional<std::int64_t> next;
  for (const auto& demand : queue_)
    if (!demand.pending.empty() && (!next || demand.deadline_ms < *next)) next = demand.deadline_ms;
  return next;
}

// -- counting -----------------------------------------------------------------------------------

std::uint32_t slot_matcher::known_task_manager::free_count() const {
  return static_cast<std::uint32_t>(std::count_if(
      slots.begin(), slots.end(), [](const known_slot& s) { return is_free(s.info); }));
}

std::uint32_t slot_matcher::known_task_manager::used_by(const job_id& job) const {
  return static_cast<std::uint32_t>(std::ranges::count_if(
      slots, [&](const known_slot& s) { return !is_free(s.info) && s.info.job == job; }));
}

void slot_matcher::known_task_manager::note_slots_of(const job_id& job) {
  const auto now = std::ranges::count_if(slots, [&](const known_slot& s) {
    return !is_free(s.info) && s.confirmed && s.info.job == job;
  });
  auto& most = had[job];
  most = std::max(most, static_cast<std::uint32_t>(now));
}

bool slot_matcher::known_task_manager::is_missed_by(const job_id& job) const {
  const auto found = had.find(job);
  return found != had.end() && used_by(job) < found->second;
}

std::uint32_t slot_matcher::registered_count() const {
  std::size_t count = 0;
  for (const auto& tm : task_managers_) count += tm.slots.size();
  return static_cast<std::uint32_t>(count);
}

std::uint32_t slot_matcher::free_count() const {
  std::uint32_t count = 0;
  for (const auto& tm : task_managers_) count += tm.free_count();
  return count;
}

std::vector<task_manager_slots> slot_matcher::task_managers() const {
  std::vector<task_manager_slots> all;
  for (const auto& tm : task_managers_)
    all.push_back(
        {tm.id, tm.address, static_cast<std::uint32_t>(tm.slots.size()), tm.free_count()});
  return all;
}

std::uint32_t slot_matcher::pending_count(const job_id& job) const {
  for (const auto& demand : queue_)
    if (demand.job == job) return static_cast<std::uint32_t>(demand.pending.size());
  return 0;
}

std::uint32_t slot_matcher::used_by(const job_id& job) const {
  std::uint32_t count = 0;
  for (const auto& tm : task_managers_) count += tm.used_by(job);
  return count;
}

// -- finding ------------------------------------------------------------------------------------

slot_matcher::job_demand* slot_matcher::find_demand(const job_id& job) {
  for (auto& demand : queue_)
    if (demand.job == job) return &demand;
  return nullptr;
}

slot_matcher::known_task_manager* slot_matcher::find_task_manager(const resource_id& task_manager) {
  const auto found = std::ranges::find(task_managers_, task_manager, &known_task_manager::id);
  return found == task_managers_.end() ? nullptr : &*found;
}

slot_matcher::known_slot* slot_matcher::find_slot(const resource_id& task_manager,
                                                  const allocation_id& allocation) {
  if (auto* tm = find_task_manager(task_manager))
    for (auto& slot : tm->slots)
      if (!is_free(slot.info) && slot.info.allocation == allocation) return &slot;
  return nullptr;
}

bool slot_matcher::is_granted(const allocation_id& allocation) const {
  for (const auto& tm : task_managers_)
    for (const auto& slot : tm.slots)
      if (!is_free(slot.info) && slot.info.allocation == allocation) return true;
  return false;
}

slot_matcher::known_task_manager* slot_matcher::next_task_manager(const job_id& job) {
  // Compares a.free / a.slots with b.free / b.slots without division; ties by registration.
  auto emptier = [](const known_task_manager& a, const known_task_manager& b) {
    return std::uint64_t{a.free_count()} * b.slots.size() >
           std::uint64_t{b.free_count()} * a.slots.size();
  };
  known_task_manager* best = nullptr;
  const auto is_better = [&](const known_task_manager& tm) {
    if (best == nullptr) return true;
    if (const bool is_missed = tm.is_missed_by(job); is_missed != best->is_missed_by(job))
      return is_missed;
    return placement_ == slot_placement::spread ? emptier(tm, *best) : emptier(*best, tm);
  };
  for (auto& tm : task_managers_)
    if (tm.free_count() != 0 && is_better(tm)) best = &tm;
  return best;
}

bool slot_matcher::requeue(const job_id& job, const allocation_id& allocation) {
  job_demand* d = find_demand(job);
  if (d) d->pending.push_back(allocation);
  return d != nullptr;
}

std::string slot_matcher::shortage_text(const job_demand& demand, std::int64_t now_ms) const {
  return "job '" + demand.job_name + "' needs " + std::to_string(demand.needed) + " slots, " +
         std::to_string(free_count()) + " free of " + std::to_string(registered_count()) +
         " registered (on " + std::to_string(task_managers_.size()) +
         (task_managers_.size() == 1 ? " task manager" : " task managers") + ") after " +
         std::to_string((now_ms - demand.since_ms) / 1000) +
         " s; start more task managers, raise taskmanager.numberOfTaskSlots, cancel another job or "
         "lower the parallelism";
}

}  // namespace millrace::graph
