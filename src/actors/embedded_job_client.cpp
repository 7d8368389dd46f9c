#include "millrace/actors/embedded_job_client.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/spawn_control.hpp"
#include "millrace/actors/wire.hpp"

namespace millrace {

namespace {

constexpr std::chrono::seconds answer_timeout{10};

/// How a job ended, for whoever waits. Thread-safe.
class job_outcome {
 public:
  using value = result<job_execution_result>;

  void set(value v, graph::job_status status) {
    {
      std::lock_guard guard(mutex_);
      if (value_) return;
      value_ = std::move(v);
      status_ = status;
    }
    there_.notify_all();
  }

  value wait() {
    std::unique_lock lock(mutex_);
    there_.wait(lock, [&] { return value_.has_value(); });
    return *value_;
  }

  std::optional<value> wait_for(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    there_.wait_for(lock, limit, [&] { return value_.has_value(); });
    return value_;
  }

  std::optional<graph::job_status> status() {
    std::lock_guard guard(mutex_);
    return value_ ? std::optional(status_) : std::nullopt;
  }

 private:
  std::mutex mutex_;
  std::condition_variable there_;
  std::optional<value> value_;
  graph::job_status status_ = graph::job_status::created;
};

job_outcome::value value_of(const wire::job_result& r) {
  if (r.status == graph::job_status::finished)
    return job_execution_result{r.job, r.name, std::chrono::milliseconds(r.duration_ms),
                                r.accumulators};
  if (r.cause) return tl::unexpected(*r.cause);
  if (r.status == graph::job_status::canceled)
    return fail(errc::cancelled, "job '" + r.name + "' was cancelled");
  return fail(errc::internal, "job '" + r.name + "' failed without saying why");
}

/// Waits for the job's result. Ends with the job, or with its client.
caf::behavior watcher(caf::event_based_actor* self, const caf::actor& dispatcher, const job_id& job,
                      const std::shared_ptr<job_outcome>& outcome,
                      const std::function<void()>& on_end) {
  const auto give_up = [=](const error& why) {
    outcome->set(tl::unexpected(why), graph::job_status::failed);
    if (on_end) on_end();
    self->demonitor(dispatcher);  // would remember us for ever
    self->quit();
  };
  ignore_the_unexpected(*self);
  self->set_down_handler([give_up](const caf::down_msg&) {
    give_up({errc::master_lost, "the job manager is gone, and with it news of the job"});
  });
  self->monitor(dispatcher);
  self->request(dispatcher, answer_timeout, wire::watch_job{job})
      .then([](const wire::ack&) {}, [give_up](const caf::error& e) { give_up(from_caf(e)); });
  return {
      [=](const wire::job_result& r) {
        outcome->set(value_of(r), r.status);
        if (on_end) on_end();
        self->demonitor(dispatcher);
        self->quit();
      },
      [=](wire::cancel) {
        self->demonitor(dispatcher);
        self->quit();
      },
  };
}

class dispatcher_job_client final : public job_client {
 public:
  dispatcher_job_client(caf::actor_system& system, caf::actor dispatcher, const job_id& job,
                        std::shared_ptr<void> keep_alive, std::function<void()> on_end)
      : keep_alive_(std::move(keep_alive)),
        system_(system),
        dispatcher_(std::move(dispatcher)),
        job_(job),
        watcher_(system.spawn(watcher, dispatcher_, job, outcome_, std::move(on_end))) {}

  ~dispatcher_job_client() override { caf::anon_send(watcher_, wire::cancel{}); }

  job_id id() const override { return job_; }

  graph::job_status status() override {
    if (auto ended = outcome_->status()) return *ended;
    return progress().status;
  }

  job_progress progress() override {
    job_progress progress;
    caf::scoped_actor self(system_);
    self->request(dispatcher_, answer_timeout, wire::describe_job{job_})
        .receive(
            [&](const wire::job_details& d) {
              progress = {d.overview.status, d.waiting_for, d.source_rows, d.progress_done,
                          d.progress_total};
            },
            [&](const caf::error&) {
              if (auto ended = outcome_->status()) progress.status = *ended;
            });
    return progress;
  }

  void cancel() override { caf::anon_send(dispatcher_, wire::cancel_job{job_}); }

  result<job_execution_result> wait() override { return outcome_->wait(); }

  std::optional<result<job_execution_result>> wait_for(std::chrono::milliseconds limit) override {
    return outcome_->wait_for(limit);
  }

 private:
  std::shared_ptr<void> keep_alive_;  // first in, last out
  caf::actor_system& system_;
  caf::actor dispatcher_;
  job_id job_;
  std::shared_ptr<job_outcome> outcome_ = std::make_shared<job_outcome>();
  caf::actor watcher_;
};

}  // namespace

std::unique_ptr<job_client> make_job_client(caf::actor_system& system, const caf::actor& dispatcher,
                                            const job_id& job, std::shared_ptr<void> keep_alive,
                                            std::function<void()> on_end) {
  return std::make_unique<dispatcher_job_client>(system, dispatcher, job, std::move(keep_alive),
                                                 std::move(on_end));
}

}  // namespace millrace
