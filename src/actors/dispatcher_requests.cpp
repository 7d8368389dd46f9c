#include <chrono>
#include <memory>
#include <utility>

#include "millrace/actors/answer_of.hpp"
#include "millrace/actors/dispatcher_state.hpp"
#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/job_list_collector.hpp"

// What the dispatcher is asked, and what it hands on.

namespace millrace {

namespace {

constexpr std::chrono::seconds list_timeout{2};

error unknown_job(const job_id& job) {
  return {errc::unknown_job, "no job with id " + to_string(job) +
                                 "; `millrace list -a` shows all, of those that have ended the "
                                 "latest"};
}

}  // namespace

// -- artifacts ------------------------------------------------------------------------------------

caf::result<wire::artifact_status> dispatcher::on_offer(const wire::artifact_offer& offer) {
  auto promise = self_->make_response_promise();
  artifacts_->offer(offer, answer_of(promise));
  return promise;
}

caf::result<wire::artifact_status> dispatcher::on_chunk(wire::artifact_chunk& chunk) {
  auto promise = self_->make_response_promise();
  artifacts_->append(std::move(chunk), answer_of(promise));
  return promise;
}

caf::result<wire::artifact_chunk> dispatcher::on_request(const wire::artifact_request& request) {
  auto promise = self_->make_response_promise();
  artifacts_->read(request, answer_of(promise));
  return promise;
}

// -- jobs -----------------------------------------------------------------------------------------

caf::result<wire::job_list> dispatcher::on_list() {
  auto all = std::make_shared<job_list_collector>();
  all->promise = self_->make_response_promise();
  const auto promise = all->promise;
  for (const auto& ended : history_->entries()) all->list.jobs.push_back(ended.details.overview);
  all->awaited = jobs_.size();
  if (jobs_.empty()) all->deliver();
  for (const auto& [id, job] : jobs_) {
    if (!job.master) {
      all->add(job.overview);
      continue;
    }
    self_->request(job.master, list_timeout, wire::list_jobs{})
        .then([all](wire::job_list& its) { all->add(std::move(its.jobs.at(0))); },
              // It is just ending.
              [all, overview = job.overview](const caf::error&) { all->add(overview); });
  }
  return promise;
}

caf::result<wire::job_details> dispatcher::on_describe(const wire::describe_job& request) {
  return requests_.ask<wire::job_details>(request.job, request,
                                          [this, id = request.job]() -> result<wire::job_details> {
                                            if (const auto* ended = history_->find(id))
                                              return ended->details;
                                            return tl::unexpected(unknown_job(id));
                                          });
}

caf::result<wire::ack> dispatcher::on_watch(const wire::watch_job& request) {
  const auto watcher = caf::actor_cast<caf::actor>(self_->current_sender());
  if (jobs_.contains(request.job)) {
    if (watcher) watchers_.add(request.job, watcher);
    return wire::ack{};
  }
  const auto* ended = history_->find(request.job);
  if (ended == nullptr) return to_caf(unknown_job(request.job));
  auto promise = self_->make_response_promise();
  promise.deliver(wire::ack{});
  if (watcher) self_->send(watcher, ended->result);
  return promise;
}

caf::result<wire::ack> dispatcher::on_cancel(const wire::cancel_job& request) {
  if (const auto job = jobs_.find(request.job); job != jobs_.end()) {
    job->second.is_cancelled = true;
    if (job->second.master) self_->send(job->second.master, wire::cancel{});
    return wire::ack{};
  }
  const auto* ended = history_->find(request.job);
  if (ended == nullptr) return to_caf(unknown_job(request.job));
  return to_caf({errc::invalid_argument, "job " + to_string(request.job) +
                                             " cannot be cancelled: it is " +
                                             std::string(graph::to_string(ended->result.status))});
}

error dispatcher::is_over(const job_id& id, const std::string& what) const {
  const auto* ended = history_->find(id);
  if (ended == nullptr) return unknown_job(id);
  auto message = "job " + to_string(id) + what + ": it is " +
                 std::string(graph::to_string(ended->result.status));
  if (const auto& savepoint = ended->details.savepoint; !savepoint.empty())
    message += "; it was stopped with the savepoint in '" + savepoint + "'";
  const auto& last = ended->details.last_checkpoint;
  if (last && !last->location.empty() && ended->result.status != graph::job_status::finished)
    message += std::string("; its latest checkpoint") +
               (ended->result.status == graph::job_status::failed ||
                        last->kind != checkpoint_kind::checkpoint
                    ? ""
                    : ", if it was to be kept,") +
               " is in '" + last->location + "'";
  return {errc::invalid_argument, std::move(message)};
}

caf::result<wire::checkpoint_list> dispatcher::on_list_checkpoints(
    const wire::list_checkpoints& request) {
  return requests_.ask<wire::checkpoint_list>(
      request.job, request, [this, id = request.job]() -> result<wire::checkpoint_list> {
        return tl::unexpected(is_over(id, " takes no checkpoints any more"));
      });
}

caf::result<wire::checkpoint_details> dispatcher::on_describe_checkpoint(
    const wire::describe_checkpoint& request) {
  return requests_.ask<wire::checkpoint_details>(
      request.job, request, [this, id = request.job]() -> result<wire::checkpoint_details> {
        return tl::unexpected(is_over(id, " takes no checkpoints any more"));
      });
}

caf::result<wire::checkpoint_taken> dispatcher::on_take_checkpoint(
    const wire::take_checkpoint& request) {
  return requests_.ask<wire::checkpoint_taken>(
      request.job, request, [this, id = request.job]() -> result<wire::checkpoint_taken> {
        return tl::unexpected(is_over(id, " can take no checkpoint"));
      });
}

caf::result<wire::checkpoint_taken> dispatcher::on_take_savepoint(
    const wire::take_savepoint& request) {
  return requests_.ask<wire::checkpoint_taken>(
      request.job, request, [this, id = request.job]() -> result<wire::checkpoint_taken> {
        return tl::unexpected(is_over(id, " can take no savepoint"));
      });
}

caf::result<wire::checkpoint_taken> dispatcher::on_stop(const wire::stop_job& request) {
  return requests_.ask<wire::checkpoint_taken>(
      request.job, request, [this, id = request.job]() -> result<wire::checkpoint_taken> {
        return tl::unexpected(is_over(id, " can't be stopped"));
      });
}

caf::result<caf::message> dispatcher::on_kill(wire::kill_actor& request) {
  if (request.target == wire::chaos_target::task_manager)
    return self_->delegate(options_.resource_manager, std::move(request));
  const auto id = request.task.job;
  const auto no_job = [this, id]() -> result<wire::ack> {
    return tl::unexpected(is_over(id, " has no actors any more"));
  };
  if (request.target == wire::chaos_target::task) {
    auto promise = self_->make_response_promise();
    requests_.ask<wire::ack>(id, request, no_job, promise);
    return promise;
  }
  const auto job = jobs_.find(id);
  if (job == jobs_.end()) return to_caf(no_job().error());
  if (job->second.master) self_->send_exit(job->second.master, caf::exit_reason::kill);
  return caf::make_message(wire::ack{});
}

// -- task managers -------------------------------------------------------------------------------

void dispatcher::on_hello(const wire::peer_hello& hello, const caf::actor& peer) {
  if (task_manager_) self_->send(task_manager_, hello, peer);
}

}  // namespace millrace
