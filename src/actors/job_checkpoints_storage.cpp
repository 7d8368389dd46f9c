#include <caf/event_based_actor.hpp>
#include <string>
#include <utility>
#include <vector>

#include "millrace/actors/job_checkpoints.hpp"
#include "millrace/checkpoint/savepoint_directory.hpp"
#include "millrace/core/kill_point.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/mutant.hpp"

// What job_checkpoints has the storage do.

namespace millrace {

std::function<void(const status&)> job_checkpoints::or_warn(std::string what) const {
  return [job = job_, what = std::move(what)](const status& how) {
    if (!how)
      log_event(log_level::warn, "cannot " + what,
                {{"job", to_string(job)}, {"reason", how.error().message}});
  };
}

// -- what earlier masters have left ---------------------------------------------------------------

/// Before anything is removed: what these share with later ones must stay.
void job_checkpoints::recover_files(std::vector<checkpoint_id> completed) {
  storage_work_.add([storage = storage_,
                     completed = std::move(completed)] { return storage->recover(completed); },
                    or_warn("tell which files a checkpoint shares"));
}

/// What an earlier master has begun, up to number `last`, and not completed, or not removed to the
/// end.
void job_checkpoints::remove_leftovers(checkpoint_id last) {
  auto keep = coordinator_.kept().all();
  std::erase_if(keep, [this](checkpoint_id id) { return places_.contains(id); });
  storage_work_.add(
      [storage = storage_, store = store_, job = job_, epoch = epoch_, keep = std::move(keep),
       last] {
        const auto ours = store->check_epoch(job, epoch);
        if (!ours && !MILLRACE_MUTANT(successor_cleaned_up)) return ours;
        return storage->remove_leftovers(keep, last);
      },
      or_warn("remove what an earlier master has left"));
}

/// A savepoint that an earlier master has begun, and told nobody of, or that it has failed.
void job_checkpoints::remove_unfinished(const begun_savepoint& begun) {
  storage_work_.add(
      [files = files_, store = store_, job = job_, epoch = epoch_, begun] {
        return store->check_epoch(job, epoch)
            .and_then([&] {
              return remove_unfinished_savepoint(*files, begun.location, begun.is_withdrawn);
            })
            .and_then([&] { return store->checkpoint_dropped(job, epoch, begun.checkpoint); });
      },
      or_warn("remove an unfinished savepoint from '" + begun.location + "'"));
}

/// A snapshot elsewhere that nobody goes back to any more.
void job_checkpoints::remove_left(const checkpoint_pointer& left) {
  storage_work_.add(removal_of(left), or_warn("remove the snapshot '" + left.location +
                                              "', which another has replaced"));
}

// -- checkpoints of this one ----------------------------------------------------------------------

storage_queue::work job_checkpoints::completion_of(checkpoint_id checkpoint) const {
  auto metadata = coordinator_.metadata_of(checkpoint);
  const auto its = places_.find(checkpoint);
  const bool is_here = its == places_.end();
  // A savepoint that is taken while the job goes on is no place to go back to.
  const bool is_restart_point =
      is_here || coordinator_.pending(checkpoint)->cut().kind != checkpoint_kind::savepoint;
  const checkpoint_pointer pointer{checkpoint, location_of(checkpoint),
                                   is_here ? snapshot_owner::job : snapshot_owner::user,
                                   is_here ? std::nullopt : its->second.stop};
  return [storage = storage_, files = files_, store = store_, job = job_, epoch = epoch_, metadata,
          is_here, is_restart_point, pointer] {
    auto done = store->check_epoch(job, epoch).and_then([&] {
      return is_here ? storage->complete(metadata)
                     : complete_snapshot(*files, pointer.location, metadata);
    });
    if (!done || MILLRACE_MUTANT(completion_not_recorded)) return done;
    if (!is_restart_point) return store->savepoint_completed(job, epoch, metadata.checkpoint);
    // Nobody is told before a later master would go on from it.
    return store->checkpoint_completed(job, epoch, pointer).map([] {
      pass(kill_point::checkpoint_recorded);
    });
  };
}

void job_checkpoints::discard(checkpoint_id checkpoint) {
  // Where a savepoint is, is known when its beginning is through. What a later master would go on
  // from must be whole; what it is to remove, it must know of.
  const auto begin = [this, checkpoint]() -> storage_queue::work {
    const auto its = places_.find(checkpoint);
    if (its != places_.end() && its->second.owner == snapshot_owner::claimed)
      return removal_of(checkpoint_pointer{checkpoint, places_.extract(its).mapped().location});
    const bool is_unfinished = its != places_.end() && !its->second.owner;
    return [store = store_, job = job_, epoch = epoch_, checkpoint, is_unfinished,
            remove = removal_of(checkpoint)] {
      const auto forget = [&] {
        return store->checkpoint_dropped(job, epoch, checkpoint).map([] {
          pass(kill_point::checkpoint_forgotten);
        });
      };
      if (!is_unfinished) return forget().and_then(remove);
      return store->check_epoch(job, epoch).and_then(remove).and_then(forget);
    };
  };
  storage_work_.add({begin, or_warn("remove checkpoint " + std::to_string(checkpoint.number))});
}

/// One that failed while it was being stored. Its files stay until it is certain that no later
/// master goes back to it, and nothing is restarted: what attempts from an earlier checkpoint
/// remove, such as parts of file sinks, this one needs.
void job_checkpoints::withdraw(checkpoint_id checkpoint) {
  ++withdrawals_;
  const auto what = "withdraw checkpoint " + std::to_string(checkpoint.number);
  storage_work_.add({[this, checkpoint] { return withdrawal_of(checkpoint); },
                     [this, checkpoint, warn = or_warn(what)](const status& how) {
                       --withdrawals_;
                       warn(how);
                       if (how) discard(checkpoint);
                     },
                     what + " of job " + to_string(job_)});
}

/// It may have been noted as what a later master goes on from, although that was said to have
/// failed.
storage_queue::work job_checkpoints::withdrawal_of(checkpoint_id checkpoint) const {
  std::optional<checkpoint_pointer> before;
  const auto latest = coordinator_.latest();
  if (const auto found = places_.find(latest);
      found != places_.end() && found->second.owner == snapshot_owner::user)
    before = {latest, found->second.location, snapshot_owner::user, found->second.stop};
  const auto its = places_.find(checkpoint);
  if (its == places_.end())
    return [store = store_, job = job_, epoch = epoch_, before, checkpoint] {
      return store->checkpoint_withdrawn(job, epoch, checkpoint, before);
    };
  return [store = store_, job = job_, epoch = epoch_, before,
          begun = begun_savepoint{checkpoint, its->second.location}] {
    return store->savepoint_withdrawn(job, epoch, begun, before);
  };
}

storage_queue::work job_checkpoints::removal_of(checkpoint_id checkpoint) {
  auto its = places_.extract(checkpoint);
  if (its.empty()) return [storage = storage_, checkpoint] { return storage->discard(checkpoint); };
  const auto owner = its.mapped().owner;
  if (its.mapped().location.empty() || owner == snapshot_owner::user)
    return [] { return status(); };
  // Of what it was started from, only that may go which belongs to the snapshot.
  return [files = files_, where = std::move(its.mapped().location), owner] {
    return owner == snapshot_owner::claimed ? remove_snapshot(*files, where)
                                            : remove_snapshot_directory(*files, where);
  };
}

/// With all that has to be noted of it, so that the next master removes what this one does not.
storage_queue::work job_checkpoints::removal_of(const checkpoint_pointer& left) const {
  return [files = files_, store = store_, job = job_, epoch = epoch_, left] {
    return store->snapshot_left(job, epoch, left)
        .map([] { pass(kill_point::checkpoint_forgotten); })
        .and_then([&] { return remove_snapshot(*files, left.location); })
        .and_then([&] { return store->checkpoint_dropped(job, epoch, left.checkpoint); });
  };
}

/// When the job has ended so.
void job_checkpoints::remove_all_but_kept(graph::job_status how) {
  const bool is_kept = coordinator_.settings().keeps_checkpoints(how);
  const auto begin = [this, is_kept]() -> storage_queue::work {
    // Not before: what is being stored now may be complete by then.
    std::vector<checkpoint_id> keep;
    std::vector<storage_queue::work> claimed;
    for (const auto& id : coordinator_.kept().all()) {
      const bool is_here = !places_.contains(id);
      if (!is_kept && !is_here) claimed.push_back(removal_of(id));
      if (is_kept && is_here) keep.push_back(id);
    }
    // Without checkpoints there need not be a directory for them.
    return [storage = storage_, keep, claimed, has_any = settings().is_enabled()] {
      auto done = has_any ? storage->clean_up(keep) : status();
      for (const auto& remove : claimed) done = done.and_then(remove);
      pass(kill_point::checkpoints_removed);
      return done;
    };
  };
  storage_work_.add({begin, or_warn("remove checkpoints")});
}

}  // namespace millrace
