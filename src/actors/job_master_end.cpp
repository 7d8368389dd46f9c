#include <set>
#include <utility>

#include "millrace/actors/job_master_state.hpp"
#include "millrace/actors/job_outcome.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/mutant.hpp"
#include "millrace/core/options.hpp"

namespace millrace {

void job_master::on_cancel() {
  // Whoever asked says so again until it has ended.
  if (is_at_work())
    log_event(log_level::info, "cancelling job", {{"job", to_string(options_.job)}});
  if (MILLRACE_MUTANT(cancel_ignored)) return;
  carry_out(execution_->on_cancel(now_ms()));
}

std::chrono::milliseconds job_master::cancellation_timeout() const {
  return options_.config.get(options::task_cancellation_timeout);
}

void job_master::cancel_tasks(const std::vector<execution_attempt_id>& tasks) {
  tell_hosts_of(tasks, wire::cancel_tasks{});
}

void job_master::on_cancellation_timeout() {
  if (has_ended()) return;
  // Without an answer for so long they are as good as gone; a task manager with a task that does
  // not end stops itself.
  std::set<resource_id> silent;
  for (const auto& vertex : execution_->plan().vertices)
    for (std::uint32_t i = 0; i < vertex.parallelism; ++i) {
      const auto& e = execution_->vertex({vertex.id, i}).current();
      if (e.slot() && !graph::is_terminal(e.state())) silent.insert(e.slot()->task_manager);
    }
  const error why{errc::timeout, "its tasks did not end within " +
                                     std::to_string(cancellation_timeout().count()) +
                                     " ms after they were cancelled"};
  log_event(log_level::warn, "gave up waiting for tasks to end",
            {{"job", to_string(options_.job)}, {"reason", why.message}});
  for (const auto& resource : silent)
    carry_out(execution_->on_task_manager_lost(resource, why, now_ms()));
}

void job_master::end() {
  end_ms_ = now_ms();
  // With requests, since they would take our going down for a loss if they heard of it first.
  for (const auto& slot : slots_->take_all()) {
    const auto tm = task_managers_.find(slot.where.resource);
    if (tm == task_managers_.end()) continue;
    ++slots_to_free_;
    const auto done = [this] {
      --slots_to_free_;
      quit_if_done();
    };
    self_
        ->request(tm->second, free_slot_timeout,
                  wire::free_slot{options_.job, slot.allocation, false})
        .then([done] { done(); }, [done](const caf::error&) { done(); });
  }
  store_outcome();
}

/// Before anything is removed that the job could be run again from; and not while a checkpoint is
/// being stored, since the outcome names the last that is complete.
void job_master::store_outcome() {
  if (checkpoints_ && !checkpoints_->is_settled()) return;
  is_outcome_begun_ = true;
  insistent_->run(
      "store the result of job " + to_string(options_.job),
      [store = options_.store, job = options_.job, epoch = options_.from.epoch,
       outcome = encode_outcome({job_result_of(*execution_, times(), accumulators_), details()})] {
        return store->put_result(job, epoch, outcome);
      },
      [this](const status& how) {
        // Another master has taken the job over: how it ends is not ours to say.
        if (!how && how.error().code == errc::stale) return self_->quit();
        is_outcome_stored_ = true;
        // Who hears that the job has ended may stop the process: nothing is left to be removed
        // then.
        if (checkpoints_)
          checkpoints_->end(execution_->status());
        else
          report_end();
      });
}

void job_master::report_end() {
  is_end_reported_ = true;
  auto result = job_result_of(*execution_, times(), accumulators_);
  log_event(result.cause && result.status == graph::job_status::failed ? log_level::error
                                                                       : log_level::info,
            "job ended",
            {{"job", to_string(options_.job)},
             {"status", std::string(graph::to_string(result.status))},
             {"cause", result.cause ? result.cause->message : "none"}});
  self_->send(options_.dispatcher, std::move(result), details());
  // Whoever hears that it has stopped finds it finished.
  if (savepoints_ && execution_->status() == graph::job_status::finished)
    savepoints_->on_finished();
  quit_if_done();
}

void job_master::quit_if_done() {
  if (slots_to_free_ == 0 && is_end_reported_) self_->quit();
}

}  // namespace millrace
