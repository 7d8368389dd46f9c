#include "millrace/actors/job_checkpoints.hpp"

#include <algorithm>
#include <caf/event_based_actor.hpp>
#include <chrono>

#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/job_description.hpp"
#include "millrace/actors/local_messages.hpp"
#include "millrace/actors/wire.hpp"
#include "millrace/checkpoint/savepoint_directory.hpp"
#include "millrace/core/assert.hpp"
#include "millrace/core/kill_point.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/mutant.hpp"

namespace millrace {

job_checkpoints::job_checkpoints(caf::event_based_actor& self, io_executor& io,
                                 insistent_io& insistent, options opts, hooks h)
    : self_(self),
      job_(opts.job),
      storage_(std::move(opts.storage)),
      store_(std::move(opts.store)),
      epoch_(opts.from.epoch),
      files_(std::move(opts.files)),
      time_(std::move(opts.time)),
      hooks_(std::move(h)),
      coordinator_(std::move(opts.settings), std::move(opts.graph), opts.job),
      storage_work_(io, insistent, {hooks_.on_idle, hooks_.on_replaced}) {
  std::vector<checkpoint_id> completed;
  std::vector<checkpoint_id> here;
  checkpoint_id not_ours;
  std::vector<checkpoint_pointer> left;
  for (const auto& pointer : opts.from.checkpoints) {
    if (pointer.owner == snapshot_owner::nobody) {
      left.push_back(pointer);
      continue;
    }
    if (pointer.owner == snapshot_owner::user)
      not_ours = std::max(not_ours, pointer.checkpoint);
    else
      completed.push_back(pointer.checkpoint);
    if (pointer.owner != snapshot_owner::job)
      places_[pointer.checkpoint] = {
          .location = pointer.location, .owner = pointer.owner, .stop = pointer.stop};
    else
      here.push_back(pointer.checkpoint);
  }
  if (!here.empty()) recover_files(std::move(here));
  for (const auto& id : coordinator_.recover(completed, not_ours, opts.from.last_checkpoint))
    discard(id);
  if (epoch_ > 1 && settings().is_enabled()) remove_leftovers({opts.from.last_checkpoint});
  for (const auto& begun : opts.from.savepoints) remove_unfinished(begun);
  for (const auto& pointer : left) remove_left(pointer);
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

void job_checkpoints::restore(const snapshot_origin& from) {
  coordinator_.restore(from.checkpoint, from.is_claimed, from.finished);
  const auto owner = from.is_claimed ? snapshot_owner::claimed : snapshot_owner::user;
  places_[from.checkpoint] = {.location = from.location, .owner = owner};
  if (!from.is_claimed) return;
  // Who comes after this master has to remove it, too.
  storage_work_.add(
      [store = store_, job = job_, epoch = epoch_,
       pointer = checkpoint_pointer{from.checkpoint, from.location, owner}] {
        return store->checkpoint_completed(job, epoch, pointer);
      },
      or_warn("note the snapshot that the job is started from"));
}

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
  pass(kill_point::task_acknowledged);
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
  return wire::restore_point{latest, location_of(latest)};
}

status job_checkpoints::give_up_latest(const error& why) {
  const auto damaged = coordinator_.latest();
  const auto earlier = coordinator_.earlier();
  if (!earlier) return tl::unexpected(why);
  const auto where = location_of(earlier);
  if (coordinator_.has_committers()) {
    log_event(log_level::error,
              "a checkpoint is damaged, and the job must not go on from an earlier",
              {{"job", to_string(job_)},
               {"damaged", std::to_string(damaged.number)},
               {"reason", why.message}});
    return fail(why.code,
                why.message + "; the one before, '" + where +
                    "', is not gone back to by itself, because sinks have committed output since, "
                    "which would come again: remove that, and start the job from there (millrace "
                    "run -s '" +
                    where + "')");
  }
  coordinator_.give_up_latest();
  places_.erase(damaged);
  log_event(log_level::error, "a checkpoint is damaged, going back to the one before",
            {{"job", to_string(job_)},
             {"damaged", std::to_string(damaged.number)},
             {"going back to", std::to_string(coordinator_.latest().number)},
             {"reason", why.message}});
  storage_work_.add(
      [storage = storage_, store = store_, job = job_, epoch = epoch_, damaged] {
        storage->give_up(damaged);
        return store->checkpoint_dropped(job, epoch, damaged);
      },
      or_warn("note that checkpoint " + std::to_string(damaged.number) + " is damaged"));
  return {};
}

void job_checkpoints::take(caf::response_promise promise) {
  waiters_.push_back({std::move(promise), {}});
  carry_out(coordinator_.on_request(now_ms(), wall_ms()));
}

void job_checkpoints::take_savepoint(checkpoint_kind kind, std::string parent,
                                     savepoint_done done) {
  const auto decision = coordinator_.on_savepoint_request(kind, now_ms(), wall_ms());
  if (!decision.begin)
    return done(fail(errc::stale, "no savepoint can be taken: not all tasks of the job run"));
  places_[*decision.begin] = {
      .parent = std::move(parent),
      .done = std::move(done),
      .kind = kind,
      .stop = kind == checkpoint_kind::final_savepoint ? stop_ : std::nullopt};
  carry_out(decision);
}

void job_checkpoints::remove_superseded(const std::string& location) {
  const auto its = std::find_if(places_.begin(), places_.end(), [&](const auto& entry) {
    return entry.second.owner == snapshot_owner::user && entry.second.location == location;
  });
  if (its == places_.end() || its->first == coordinator_.latest()) return;
  const auto checkpoint = its->first;
  places_.erase(its);
  remove_left({checkpoint, location});
}

void job_checkpoints::forget_stop(std::function<void()> then) {
  stop_.reset();
  for (auto& [id, its] : places_) its.stop.reset();
  storage_work_.add({[store = store_, job = job_, epoch = epoch_] {
                       return [=] { return store->stop_given_up(job, epoch); };
                     },
                     [warn = or_warn("note that the job is not stopped any more"),
                      then = std::move(then)](const status& how) {
                       warn(how);
                       then();
                     },
                     "note that job " + to_string(job_) + " is not stopped"});
}

void job_checkpoints::hold() {
  carry_out(coordinator_.hold(now_ms()));
}

void job_checkpoints::resume() {
  carry_out(coordinator_.resume(now_ms(), wall_ms()));
}

void job_checkpoints::end(graph::job_status how) {
  on_not_running(checkpoint_failure::stopped);
  for (auto& w : std::exchange(waiters_, {}))
    w.promise.deliver(to_caf(
        {errc::cancelled, "the job has ended: it is " + std::string(graph::to_string(how))}));
  remove_all_but_kept(how);
}

// -- carrying out ---------------------------------------------------------------------------------

void job_checkpoints::carry_out(const checkpoint_decision& decision) {
  // One that has ended is no reason to refuse what somebody asked for: the others go on.
  std::vector<wanted_savepoint> again;
  for (const auto& aborted : decision.aborted)
    if (aborted.why == checkpoint_failure::task_finished) want_again(aborted.checkpoint, again);
  for (const auto& aborted : decision.aborted) {
    log_event(log_level::warn, "checkpoint failed",
              {{"job", to_string(job_)},
               {"checkpoint", std::to_string(aborted.checkpoint.number)},
               {"reason", aborted.message}});
    // First of all, so that nothing that follows from it restarts the job before that is through.
    if (aborted.may_be_complete) withdraw(aborted.checkpoint);
    hooks_.abort(aborted.tasks, aborted.checkpoint);
    const auto code = is_of_its_own(aborted.why) ? errc::io : errc::stale;
    answer(aborted.checkpoint, error{code, aborted.message});  // before its place is forgotten
    if (!aborted.may_be_complete) discard(aborted.checkpoint);
  }
  for (const auto& id : decision.store) {
    if (MILLRACE_MUTANT(completion_told_early))
      hooks_.complete(coordinator_.pending(id)->tasks(), id);
    storage_work_.add(completion_of(id), [this, id](const status& how) {
      carry_out(coordinator_.on_stored(id, how, now_ms(), wall_ms()));
    });
  }
  if (const auto id = decision.saved ? decision.saved : decision.completed) {
    const auto record = record_of(*id);
    log_event(
        log_level::info,
        record.kind == checkpoint_kind::checkpoint ? "checkpoint complete" : "savepoint complete",
        {{"job", to_string(job_)},
         {"checkpoint", std::to_string(id->number)},
         {"ms", std::to_string(record.duration_ms)},
         {"bytes", std::to_string(record.bytes)},
         {"location", record.location}});
    // Ahead of coordinators, which may fail the job when they hear of it.
    answer(*id, {});
    if (decision.completed) {
      hooks_.complete(decision.completed_at, *id);
      pass(kill_point::checkpoint_announced);
    }
  }
  for (const auto& id : decision.discard) discard(id);
  if (MILLRACE_MUTANT(checkpoint_removed_early) && decision.begin && coordinator_.latest())
    discard(coordinator_.latest());
  // It is gone already if the job was failed meanwhile.
  if (decision.begin && coordinator_.pending(*decision.begin)) begin(*decision.begin);
  set_timer();
  for (auto& each : again) take_savepoint(each.kind, std::move(each.parent), std::move(each.done));
  if (decision.fail_job) hooks_.fail_job(*decision.fail_job);
}

void job_checkpoints::want_again(checkpoint_id savepoint, std::vector<wanted_savepoint>& again) {
  const auto its = places_.find(savepoint);
  if (its == places_.end() || !its->second.done) return;
  // Not of the history: there may be more of them than that remembers.
  again.push_back({its->second.kind, its->second.parent, std::exchange(its->second.done, {})});
}

void job_checkpoints::begin(checkpoint_id checkpoint) {
  const auto its = places_.find(checkpoint);
  if (its == places_.end()) {
    for (auto& w : waiters_)
      if (!w.checkpoint) w.checkpoint = checkpoint;
    return storage_work_.add(
        [storage = storage_, store = store_, job = job_, epoch = epoch_, checkpoint,
         base = coordinator_.pending(checkpoint)->cut().base] {
          return store->checkpoint_begun(job, epoch, checkpoint)
              .map([] { pass(kill_point::checkpoint_numbered); })
              .and_then([&] {
                return base ? storage->begin_incremental(checkpoint, *base)
                            : storage->begin(checkpoint);
              });
        },
        [this, checkpoint](const status& how) { begun(checkpoint, how); });
  }
  auto made = std::make_shared<result<std::string>>();
  storage_work_.add(
      [files = files_, parent = its->second.parent, store = store_, job = job_, epoch = epoch_,
       checkpoint, made]() -> status {
        *made = free_savepoint_path(*files, parent, job, checkpoint);
        if (!*made) return tl::unexpected(made->error());
        return store->savepoint_begun(job, epoch, {checkpoint, **made}).and_then([&] {
          return make_savepoint_directory(*files, **made);
        });
      },
      [this, checkpoint, made](const status& how) {
        if (*made) places_.at(checkpoint).location = **made;  // there may be something of it
        begun(checkpoint, how);
      });
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
  if (cut.kind != checkpoint_kind::checkpoint)
    hooks_.target(plan->acknowledge, checkpoint, location_of(checkpoint));
  coordinator_.on_begun(checkpoint, std::move(*plan), std::move(*coordinators));
  hooks_.trigger(told, cut);
  pass(kill_point::checkpoint_triggered);
}

/// To those who have asked for it, or for one before that this one speaks for.
void job_checkpoints::answer(checkpoint_id checkpoint, const std::optional<error>& failure) {
  if (const auto its = places_.find(checkpoint); its != places_.end()) {
    if (!failure) its->second.owner = snapshot_owner::user;
    if (const auto done = std::exchange(its->second.done, {}))
      done(!failure ? result<checkpoint_record>(record_of(checkpoint))
                    : fail(failure->code, "the savepoint could not be taken: " + failure->message));
    return forget_old_places();
  }
  std::vector<waiter> others;
  for (auto& w : std::exchange(waiters_, {})) {
    const bool is_meant =
        !failure ? w.checkpoint && w.checkpoint <= checkpoint : w.checkpoint == checkpoint;
    if (!is_meant)
      others.push_back(std::move(w));
    else if (!failure)
      w.promise.deliver(wire::checkpoint_taken{record_of(checkpoint)});
    else
      w.promise.deliver(to_caf({failure->code, "checkpoint " + std::to_string(checkpoint.number) +
                                                   " failed: " + failure->message}));
  }
  waiters_.insert(waiters_.end(), std::make_move_iterator(others.begin()),
                  std::make_move_iterator(others.end()));
}

std::string job_checkpoints::location_of(checkpoint_id checkpoint) const {
  const auto its = places_.find(checkpoint);
  return its == places_.end() ? storage_->location_of(checkpoint) : its->second.location;
}

/// Savepoints that nobody is told of any more. Not those that are not complete: who asked for them
/// is to be answered, and what is there of them to be removed.
void job_checkpoints::forget_old_places() {
  const auto& ended = coordinator_.history().ended();
  std::erase_if(places_, [&](const auto& entry) {
    const auto& [id, its] = entry;
    return its.owner == snapshot_owner::user && id != coordinator_.latest() &&
           std::none_of(ended.begin(), ended.end(),
                        [id = id](const auto& r) { return r.checkpoint == id; });
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
  const bool is_savepoint = record.kind != checkpoint_kind::checkpoint;
  // One that another has replaced is nowhere any more.
  if (is_savepoint
          ? record.status == checkpoint_status::completed && places_.contains(record.checkpoint)
          : std::find(kept.begin(), kept.end(), record.checkpoint) != kept.end())
    record.location = location_of(record.checkpoint);
  return record;
}

checkpoint_record job_checkpoints::record_of(checkpoint_id checkpoint) const {
  const auto& ended = coordinator_.history().ended();
  const auto found = std::find_if(ended.rbegin(), ended.rend(),
                                  [&](const auto& r) { return r.checkpoint == checkpoint; });
  MILLRACE_ASSERT(found != ended.rend(), "what has just ended is in the history");
  return with_location(*found);
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

result<wire::checkpoint_details> job_checkpoints::describe(checkpoint_id checkpoint,
                                                           const graph::job_graph& graph) const {
  auto all = list().checkpoints;
  const auto its = std::find_if(all.begin(), all.end(),
                                [&](const auto& r) { return r.checkpoint == checkpoint; });
  if (its == all.end()) return tl::unexpected(no_such_checkpoint(job_, checkpoint, all));
  return details_of(graph, job_, std::move(*its), *coordinator_.subtasks_of(checkpoint));
}

std::optional<checkpoint_record> job_checkpoints::last_completed() const {
  const auto& ended = coordinator_.history().ended();
  const auto last = std::find_if(ended.rbegin(), ended.rend(), [this](const auto& r) {
    return r.status == checkpoint_status::completed &&
           (r.kind == checkpoint_kind::checkpoint || r.checkpoint == coordinator_.latest());
  });
  if (last != ended.rend()) return with_location(*last);
  // Of an earlier master's no more is known.
  const auto latest = coordinator_.latest();
  if (epoch_ == 1 || !latest) return std::nullopt;
  checkpoint_record record;
  record.checkpoint = latest;
  record.status = checkpoint_status::completed;
  if (const auto its = places_.find(latest); its != places_.end()) record.kind = its->second.kind;
  record.location = location_of(latest);
  return record;
}

}  // namespace millrace
