#include "millrace/actors/job_checkpoints.hpp"

#include <algorithm>
#include <caf/event_based_actor.hpp>
#include <chrono>

#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/local_messages.hpp"
#include "millrace/actors/wire.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/mutant.hpp"

namespace millrace {

job_checkpoints::job_checkpoints(caf::event_based_actor& self, io_executor& io, options opts,
                                 hooks h)
    : self_(self),
      io_(io),
      job_(opts.job),
      storage_(std::move(opts.storage)),
      store_(std::move(opts.store)),
      epoch_(opts.from.epoch),
      time_(std::move(opts.time)),
      hooks_(std::move(h)),
      coordinator_(std::move(opts.settings), std::move(opts.graph), opts.job) {
  std::vector<checkpoint_id> completed;
  for (const auto& pointer : opts.from.checkpoints) completed.push_back(pointer.checkpoint);
  for (const auto& id : coordinator_.recover(completed, opts.from.last_checkpoint)) discard(id);
}

std::int64_t job_checkpoints::now_ms() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             self_.clock().now().time_since_epoch())
      .count();
}

std::uint64_t job_checkpoints::wall_ms() const {
  return static_cast<std::uint64_t>(time_->wall_ms());
}

// -- what was observed ----------------------------------------------------------------------------

void job_checkpoints::on_running() {
  carry_out(coordinator_.on_running(now_ms(), wall_ms()));
}

void job_checkpoints::on_not_running(checkpoint_failure why) {
  carry_out(coordinator_.on_not_running(why, now_ms()));
}

bool job_checkpoints::on_task_finished(const execution_attempt_id& task) {
  const auto decision = coordinator_.on_task_finished(task, now_ms(), wall_ms());
  carry_out(decision);
  return !decision.aborted.empty();
}

void job_checkpoints::on_all_await_last() {
  carry_out(coordinator_.on_request(now_ms(), wall_ms()));
}

void job_checkpoints::on_acknowledged(wire::acknowledge_checkpoint& ack) {
  carry_out(coordinator_.on_acknowledged(std::move(ack.what), now_ms()));
}

void job_checkpoints::on_declined(const wire::decline_checkpoint& decline) {
  carry_out(
      coordinator_.on_declined(decline.task, decline.checkpoint, decline.why.message, now_ms()));
}

void job_checkpoints::on_timer(const local::checkpoint_timer& timer) {
  if (timer.generation != timer_generation_) return;
  timer_ms_.reset();
  carry_out(coordinator_.on_time(now_ms(), wall_ms()));
}

std::optional<wire::restore_point> job_checkpoints::restore_from() const {
  const auto latest = coordinator_.latest();
  if (!latest) return std::nullopt;
  return wire::restore_point{latest, storage_->location_of(latest)};
}

void job_checkpoints::take(caf::response_promise promise) {
  waiters_.push_back({std::move(promise), {}});
  carry_out(coordinator_.on_request(now_ms(), wall_ms()));
}

void job_checkpoints::end(graph::job_status how) {
  on_not_running(checkpoint_failure::stopped);
  for (auto& w : std::exchange(waiters_, {}))
    w.promise.deliver(to_caf(
        {errc::cancelled, "the job has ended: it is " + std::string(graph::to_string(how))}));
  const bool is_kept = coordinator_.settings().keeps_checkpoints(how);
  storage_work_.push_back(
      {[this, is_kept] {
         // Not before: what is being stored now may be complete by then.
         const auto keep = is_kept ? coordinator_.kept().all() : std::vector<checkpoint_id>();
         return [storage = storage_, keep] { return storage->clean_up(keep); };
       },
       [this](const status& done) {
         if (!done)
           log_event(log_level::warn, "cannot remove checkpoints",
                     {{"job", to_string(job_)}, {"reason", done.error().message}});
       }});
  if (storage_work_.size() == 1) work_on_next();
}

// -- carrying out ---------------------------------------------------------------------------------

void job_checkpoints::carry_out(const checkpoint_decision& decision) {
  for (const auto& aborted : decision.aborted) {
    log_event(log_level::warn, "checkpoint failed",
              {{"job", to_string(job_)},
               {"checkpoint", std::to_string(aborted.checkpoint.number)},
               {"reason", aborted.message}});
    hooks_.abort(aborted.tasks, aborted.checkpoint);
    discard(aborted.checkpoint);
    answer(aborted.checkpoint, aborted.message);
  }
  for (const auto& id : decision.store) {
    if (MILLRACE_MUTANT(completion_told_early))
      hooks_.complete(coordinator_.pending(id)->tasks(), id);
    // Nobody is told before a later master would go on from it.
    enqueue(
        [storage = storage_, store = store_, job = job_, epoch = epoch_,
         metadata = coordinator_.metadata_of(id)] {
          const auto id = metadata.checkpoint;
          return storage->complete(metadata).and_then([&] {
            return store->checkpoint_completed(job, epoch, {id, storage->location_of(id)});
          });
        },
        [this, id](const status& how) {
          carry_out(coordinator_.on_stored(id, how, now_ms(), wall_ms()));
        });
  }
  if (decision.completed) {
    const auto record = coordinator_.history().ended().back();
    log_event(log_level::info, "checkpoint complete",
              {{"job", to_string(job_)},
               {"checkpoint", std::to_string(decision.completed->number)},
               {"ms", std::to_string(record.duration_ms)},
               {"bytes", std::to_string(record.bytes)}});
    hooks_.complete(decision.completed_at, *decision.completed);
    answer(*decision.completed, {});
  }
  for (const auto& id : decision.discard) discard(id);
  if (MILLRACE_MUTANT(checkpoint_removed_early) && decision.begin && coordinator_.latest())
    discard(coordinator_.latest());
  if (decision.begin) {
    for (auto& w : waiters_)
      if (!w.checkpoint) w.checkpoint = *decision.begin;
    enqueue(
        [storage = storage_, store = store_, job = job_, epoch = epoch_, id = *decision.begin] {
          return store->checkpoint_begun(job, epoch, id).and_then([&] {
            return storage->begin(id);
          });
        },
        [this, id = *decision.begin](const status& how) { begun(id, how); });
  }
  set_timer();
  if (decision.fail_job) hooks_.fail_job(*decision.fail_job);
}

void job_checkpoints::begun(checkpoint_id checkpoint, const status& how) {
  const auto* pending = coordinator_.pending(checkpoint);
  if (pending == nullptr) return;
  const auto give_up = [&](checkpoint_failure why, const error& e) {
    carry_out(coordinator_.on_not_begun(checkpoint, why, e.message, now_ms()));
  };
  if (!how) return give_up(checkpoint_failure::storage, how.error());
  auto plan = hooks_.plan();
  if (!plan) return give_up(checkpoint_failure::not_running, plan.error());
  auto coordinators = hooks_.snapshot_coordinators(checkpoint);
  if (!coordinators) return give_up(checkpoint_failure::coordinator, coordinators.error());
  const auto cut = pending->cut();
  const auto told = plan->trigger;
  coordinator_.on_begun(checkpoint, std::move(*plan), std::move(*coordinators));
  hooks_.trigger(told, cut);
}

/// To those who have asked for it, or for one before that this one speaks for.
void job_checkpoints::answer(checkpoint_id checkpoint, const std::string& failure) {
  std::vector<waiter> others;
  for (auto& w : std::exchange(waiters_, {})) {
    const bool is_meant =
        failure.empty() ? w.checkpoint && w.checkpoint <= checkpoint : w.checkpoint == checkpoint;
    if (!is_meant)
      others.push_back(std::move(w));
    else if (failure.empty())
      w.promise.deliver(wire::checkpoint_taken{*last_completed()});
    else
      w.promise.deliver(to_caf(
          {errc::io, "checkpoint " + std::to_string(checkpoint.number) + " failed: " + failure}));
  }
  waiters_.insert(waiters_.end(), std::make_move_iterator(others.begin()),
                  std::make_move_iterator(others.end()));
}

void job_checkpoints::discard(checkpoint_id checkpoint) {
  // What a later master would go on from must be whole.
  enqueue(
      [storage = storage_, store = store_, job = job_, epoch = epoch_, checkpoint] {
        return store->checkpoint_dropped(job, epoch, checkpoint).and_then([&] {
          return storage->discard(checkpoint);
        });
      },
      [this, checkpoint](const status& how) {
        if (!how)
          log_event(log_level::warn, "cannot remove a checkpoint",
                    {{"job", to_string(job_)},
                     {"checkpoint", std::to_string(checkpoint.number)},
                     {"reason", how.error().message}});
      });
}

void job_checkpoints::enqueue(std::function<status()> work,
                              std::function<void(const status&)> done) {
  storage_work_.push_back({[work = std::move(work)] { return work; }, std::move(done)});
  if (storage_work_.size() == 1) work_on_next();
}

void job_checkpoints::work_on_next() {
  auto outcome = std::make_shared<status>();
  io_.submit([work = storage_work_.front().begin(), outcome] { *outcome = work(); },
             [this, outcome] {
               // It stays the first until it is done, so that what it leads to comes behind it.
               const auto done = std::move(storage_work_.front().done);
               done(*outcome);
               storage_work_.pop_front();
               if (!storage_work_.empty()) return work_on_next();
               hooks_.on_idle();
             });
}

void job_checkpoints::set_timer() {
  const auto next = coordinator_.next_ms();
  if (!next || (timer_ms_ && *timer_ms_ <= *next)) return;
  timer_ms_ = next;
  const auto now = now_ms();
  const auto delay = std::chrono::milliseconds(std::max(*next, now) - now);
  self_.delayed_send(&self_, delay, local::checkpoint_timer{++timer_generation_});
}

// -- looking --------------------------------------------------------------------------------------

checkpoint_record job_checkpoints::with_location(checkpoint_record record) const {
  const auto& kept = coordinator_.kept().all();
  if (std::find(kept.begin(), kept.end(), record.checkpoint) != kept.end())
    record.location = storage_->location_of(record.checkpoint);
  return record;
}

wire::checkpoint_list job_checkpoints::list() const {
  wire::checkpoint_list list;
  list.job = job_;
  list.completed = coordinator_.history().completed();
  list.failed = coordinator_.history().failed();
  for (auto& record : coordinator_.records(now_ms()))
    list.checkpoints.push_back(with_location(std::move(record)));
  return list;
}

std::optional<checkpoint_record> job_checkpoints::last_completed() const {
  const auto& ended = coordinator_.history().ended();
  const auto last = std::find_if(ended.rbegin(), ended.rend(), [](const auto& r) {
    return r.status == checkpoint_status::completed;
  });
  if (last == ended.rend()) return std::nullopt;
  return with_location(*last);
}

}  // namespace millrace
