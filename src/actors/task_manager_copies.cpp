#include "millrace/actors/task_manager_copies.hpp"

#include <utility>

namespace millrace {

task_manager_copies::task_manager_copies(std::shared_ptr<local_copies> copies, io_executor& io,
                                         const clock& time)
    : copies_(std::move(copies)), io_(io), time_(time) {}

void task_manager_copies::run(std::function<void(local_copies&)> what) {
  if (copies_ != nullptr)
    io_.submit([copies = copies_, what = std::move(what)] { what(*copies); }, [] {});
}

void task_manager_copies::job_came(const job_id& job) {
  if (copies_ != nullptr) copies_->job_came(job);
}

void task_manager_copies::job_left(const job_id& job, bool has_ended) {
  if (copies_ == nullptr) return;
  copies_->job_left(job, has_ended, time_.now());
  keep_house();
}

void task_manager_copies::on_complete(const wire::checkpoint_complete& complete) {
  if (complete.tasks.empty()) return;
  run([job = complete.tasks.front().job, id = complete.checkpoint](local_copies& copies) {
    copies.confirm(job, id);
  });
}

void task_manager_copies::on_aborted(const wire::checkpoint_aborted& aborted) {
  if (aborted.tasks.empty()) return;
  run([job = aborted.tasks.front().job, id = aborted.checkpoint](local_copies& copies) {
    copies.abort(job, id);
  });
}

void task_manager_copies::keep_house() {
  if (copies_ == nullptr || !copies_->is_untidy(time_.now())) return;
  run([now = time_.now()](local_copies& copies) { copies.tidy(now); });
}

std::vector<wire::kept_job> task_manager_copies::kept_jobs() const {
  std::vector<wire::kept_job> all;
  if (copies_ != nullptr)
    for (const auto& kept : copies_->jobs()) all.push_back({kept.job, kept.slots()});
  return all;
}

std::vector<graph::subtask_ref> task_manager_copies::kept_of(const job_id& job) const {
  return copies_ == nullptr ? std::vector<graph::subtask_ref>() : copies_->copies_of(job).subtasks;
}

}  // namespace millrace
