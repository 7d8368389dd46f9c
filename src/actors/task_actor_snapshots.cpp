#include <utility>

#include "millrace/actors/task_actor_state.hpp"
#include "millrace/checkpoint/stored_files.hpp"
#include "millrace/core/kill_point.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/mutant.hpp"

// A task's part in checkpoints and savepoints.

namespace millrace {

void task_host::acknowledge_checkpoint(task_snapshot snapshot) {
  if (snapshot.cut.kind == checkpoint_kind::checkpoint)
    return store(std::move(snapshot), std::nullopt);
  const auto id = snapshot.cut.checkpoint;
  auto target = savepoint_targets_.extract(id);
  if (target.empty())
    homeless_snapshots_[id] = std::move(snapshot);
  else
    store(std::move(snapshot), std::move(target.mapped()));
}

void task_host::on_savepoint_target(const wire::savepoint_target& target) {
  if (!is_active()) return;
  auto waiting = homeless_snapshots_.extract(target.checkpoint);
  if (waiting.empty())
    savepoint_targets_[target.checkpoint] = target.location;
  else
    store(std::move(waiting.mapped()), target.location);
}

void task_host::on_drain() {
  if (!is_active()) return;
  task_->drain();
  schedule_step();
}

void task_host::store(task_snapshot snapshot, std::optional<std::string> directory) {
  struct upload {
    task_snapshot snapshot;
    uploaded_files base;
    result<stored_task_state> stored;
    uploaded_files files{};  // that it has
  };
  const auto job = std::make_shared<upload>();
  job->snapshot = std::move(snapshot);
  const auto& cut = job->snapshot.cut;
  if (cut.base)
    job->base = uploads_.base(
        MILLRACE_MUTANT(previous_is_base) ? checkpoint_id{cut.checkpoint.number - 1} : *cut.base);
  pass(kill_point::snapshot_taken);
  if (MILLRACE_MUTANT(acknowledged_before_upload)) {
    wire::acknowledge_checkpoint ack;
    ack.what.task = setup_.id;
    ack.what.checkpoint = job->snapshot.cut.checkpoint;
    return self_->send(setup_.task_manager, std::move(ack));
  }
  io_->submit(
      [job, storage = setup_.checkpoints, copies = setup_.copies, id = setup_.id,
       directory = std::move(directory)] {
        try {
          job->stored = directory ? storage->store_at(*directory, id, job->snapshot)
                                  : storage->store(id, job->snapshot, job->base);
          if (job->stored) job->files = uploaded_files_of(*job->stored, job->snapshot);
          const auto checkpoint = job->snapshot.cut.checkpoint;
          if (job->stored && copies != nullptr && !directory) {
            stored_files files(storage->location_of(checkpoint));
            files.add(*job->stored);
            copies->need(checkpoint, files.paths());
          }
        } catch (const std::exception& e) {
          job->stored = millrace::fail(errc::internal, e.what());
        }
        job->snapshot.operators.clear();
        job->snapshot.in_flight.clear();
      },
      [this, job] {
        const auto& about = job->snapshot;
        if (!job->stored)
          return self_->send(
              setup_.task_manager,
              wire::decline_checkpoint{setup_.id, about.cut.checkpoint, job->stored.error()});
        uploads_.add(about.cut.checkpoint, std::move(job->files));
        const auto ms = [](std::chrono::nanoseconds ns) {
          return static_cast<std::uint64_t>(
              std::chrono::duration_cast<std::chrono::milliseconds>(ns).count());
        };
        self_->send(
            setup_.task_manager,
            wire::acknowledge_checkpoint{{setup_.id, about.cut.checkpoint, std::move(*job->stored),
                                          ms(about.alignment), ms(about.synchronous),
                                          ms(setup_.time->now() - about.frozen_at)}});
        pass(kill_point::state_acknowledged);
      });
}

void task_host::await_last_checkpoint() {
  self_->send(setup_.task_manager, wire::last_checkpoint_awaited{setup_.id});
}

void task_host::on_trigger(const wire::trigger_checkpoint& trigger) {
  if (!is_active()) return;
  guarded([&] { task_->on_checkpoint_trigger(trigger.cut); });
  schedule_step();
}

void task_host::on_checkpoint_complete(const wire::checkpoint_complete& complete) {
  if (!is_active()) return;
  pass(kill_point::completion_received);
  guarded([&] { task_->on_checkpoint_complete(complete.checkpoint); });
  schedule_step();
}

void task_host::on_checkpoint_aborted(const wire::checkpoint_aborted& aborted) {
  if (!is_active()) return;
  savepoint_targets_.erase(aborted.checkpoint);
  homeless_snapshots_.erase(aborted.checkpoint);
  guarded([&] { task_->on_checkpoint_aborted(aborted.checkpoint); });
  schedule_step();
}

}  // namespace millrace
