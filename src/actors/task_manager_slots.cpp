#include <chrono>
#include <utility>

#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/task_manager_state.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/mutant.hpp"

// A task manager's slots, from being granted to being freed.

namespace millrace {

namespace {

constexpr std::chrono::seconds offer_timeout{10};

}  // namespace

void task_manager::on_allocate_slot(const wire::allocate_slot& request,
                                    const caf::actor& job_master) {
  if (stopping_ || !job_master) return;
  if (!master_->is_registered()) {
    // The resource manager gives slots out before its answer to our registration has arrived.
    early_.emplace_back(request, job_master);
    return;
  }
  if (request.master_epoch != master_->epoch()) return;
  grants_seen_ = request.number;
  if (!make_way_for(request)) return;
  const auto offer_ms = std::chrono::duration_cast<std::chrono::milliseconds>(offer_timeout);
  auto promised = slots_->allocate(request.job, request.allocation, now_ms() + 2 * offer_ms.count(),
                                   request.slot);
  if (!promised) {
    // The resource manager's view is out of date; the next heartbeat tells it how things are.
    log_event(log_level::warn, "cannot allocate a slot",
              {{"job", to_string(request.job)}, {"reason", promised.error().message}});
    return;
  }
  if (job_masters_.try_emplace(request.job, known_job_master{job_master, request.epoch}).second)
    self_->monitor(job_master);
  log_event(log_level::info, "offering a slot",
            {{"job", to_string(request.job)}, {"slot", std::to_string(request.slot)}});
  offer(request, job_master);
}

bool task_manager::make_way_for(const wire::allocate_slot& request) {
  const auto known = job_masters_.find(request.job);
  if (known == job_masters_.end() || known->second.epoch == request.epoch) return true;
  if (request.epoch < known->second.epoch) return false;
  self_->demonitor(known->second.handle);
  job_masters_.erase(known);
  give_up_job(request.job);
  return true;
}

void task_manager::give_up_job(const job_id& id) {
  for (const auto& s : slots_->report())
    if (s.state != graph::slot_state::free && s.job == id) close_allocation(s.allocation);
  tasks_->cancel_job(id);
}

caf::actor task_manager::master_of(const job_id& id) const {
  const auto found = job_masters_.find(id);
  return found == job_masters_.end() ? caf::actor() : found->second.handle;
}

void task_manager::offer(const wire::allocate_slot& request, const caf::actor& job_master) {
  wire::offer_slot offer;
  offer.job = request.job;
  offer.allocation = request.allocation;
  offer.resource = options_.resource;
  offer.host = options_.host;
  offer.port = options_.port;
  offer.registration = request.registration;
  offer.kept = copies_->kept_of(request.job);
  self_->request(job_master, offer_timeout, std::move(offer), caf::actor(self_))
      .then([this,
             request](const wire::slot_offer_answer& a) { on_offer_answered(request, a.accepted); },
            [this, request](const caf::error&) { on_offer_answered(request, false); });
}

void task_manager::on_offer_answered(const wire::allocate_slot& request, bool accepted) {
  if (accepted && slots_->activate(request.job, request.allocation)) return;
  close_allocation(request.allocation);
}

void task_manager::close_allocation(const allocation_id& allocation,
                                    const std::optional<error>& why) {
  closing_.insert(allocation);
  tasks_->cancel_allocation(allocation, why);
  free_if_idle(allocation);
}

void task_manager::free_if_idle(const allocation_id& allocation) {
  if (!closing_.contains(allocation) || tasks_->has_tasks_in(allocation)) return;
  closing_.erase(allocation);
  if (MILLRACE_MUTANT(slot_kept)) return;
  const auto slot = slots_->release(allocation);
  if (!slot) return;
  log_event(log_level::info, "freed a slot",
            {{"job", to_string(slot->job)}, {"slot", std::to_string(slot->index)}});
  tell_freed(*slot);
  forget_if_over(slot->job);
}

void task_manager::tell_freed(const graph::slot_info& slot) {
  if (!master_->is_registered()) return freed_early_.push_back(slot);
  self_->send(master_->resource_manager(),
              wire::slot_freed{options_.resource, master_->epoch(), slot.index, slot.allocation});
}

/// A job without slots and tasks is over, as far as this node is concerned.
void task_manager::forget_if_over(const job_id& id) {
  if (tasks_->has_tasks_of(id)) return;
  for (const auto& s : slots_->report())
    if (s.state != graph::slot_state::free && s.job == id) return;
  if (!MILLRACE_MUTANT(program_kept)) programs_->release(id);
  tasks_->forget_job(id);
  copies_->job_left(id, ended_jobs_.erase(id) != 0);
  if (const auto found = job_masters_.find(id); found != job_masters_.end()) {
    self_->demonitor(found->second.handle);
    job_masters_.erase(found);
  }
}

void task_manager::on_free_slot(const wire::free_slot& request) {
  // The resource manager may say so of a job that only gets another master.
  if (const auto master = master_of(request.job);
      master && self_->current_sender() == master && !request.goes_on)
    ended_jobs_.insert(request.job);
  for (const auto& s : slots_->report()) {
    if (s.state != graph::slot_state::free && s.allocation == request.allocation &&
        s.job == request.job)
      return close_allocation(request.allocation);
  }
}

void task_manager::on_registered() {
  peers_->set_master(master_->resource());
  for (const auto& slot : std::exchange(freed_early_, {})) tell_freed(slot);
  for (const auto& [request, job_master] : std::exchange(early_, {}))
    on_allocate_slot(request, job_master);
}

void task_manager::on_master_lost(const std::string& reason) {
  // Whoever takes over, or finds itself alone, gives the work out anew.
  early_.clear();
  grants_seen_ = 0;
  const error why{errc::master_lost, "its task manager has lost the master (" + reason + ")"};
  for (const auto& s : slots_->report())
    if (s.state != graph::slot_state::free) close_allocation(s.allocation, why);
}

}  // namespace millrace
