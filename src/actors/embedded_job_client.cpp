#include "millrace/actors/embedded_job_client.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "millrace/actors/ask_master.hpp"
#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/local_messages.hpp"
#include "millrace/actors/spawn_control.hpp"
#include "millrace/actors/wire.hpp"
#include "millrace/core/options.hpp"

namespace millrace {

namespace {

constexpr std::chrono::seconds answer_timeout{10};

error explain_loss(const caf::error& e) {
  auto why = from_caf(e);
  if (why.code == errc::unreachable) why = {errc::master_lost, "lost the job manager meanwhile"};
  return why;
}

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

/// Waits for the job's result. Ends with the job, or with its client. On a thread of its own, which
/// is blocked while it looks for a master that it has lost.
class job_watcher {
 public:
  static inline const char* name = "millrace.job_watcher";

  explicit job_watcher(caf::event_based_actor* self) : self_(self) {}

  void init(std::shared_ptr<master_access> cluster, const job_id& job,
            std::shared_ptr<job_outcome> outcome, std::function<void()> on_end) {
    cluster_ = std::move(cluster);
    job_ = job;
    outcome_ = std::move(outcome);
    on_end_ = std::move(on_end);
    watch();
  }

  /// Of the master that is there now.
  void watch() {
    gate_ = cluster_->master();
    self_->monitor(gate_);
    self_->request(gate_, answer_timeout, wire::watch_job{job_})
        .then([this](const wire::ack&) { on_watched(); },
              [this](const caf::error& e) { on_refused(from_caf(e)); });
  }

  void on_watched() {
    is_known_ = true;
    refusals_ = 0;
    // It has passed the request on, and its dispatcher may be replaced.
    dispatcher_ = caf::actor_cast<caf::actor>(self_->current_sender());
    if (dispatcher_ && dispatcher_ != gate_) self_->monitor(dispatcher_);
  }

  void on_refused(const error& why) {
    if (why.code == errc::unknown_job && is_known_)
      return give_up({errc::master_lost,
                      "the job manager was started again and does not know the job any more; jobs "
                      "outlive it with " +
                          std::string(options::high_availability_type.key) + " = filesystem"});
    // The dispatcher may just be replaced.
    const bool may_pass = why.code == errc::unreachable || why.code == errc::timeout;
    if (!may_pass || ++refusals_ > refusals_max) return give_up(why);
    forget_master();
    self_->delayed_send(self_, retry_pause, local::tick{});
  }

  void on_down(const caf::down_msg& down) {
    if (gate_ && down.source == gate_.address()) {
      const auto lost = gate_;
      forget_master();
      if (auto found = cluster_->reconnect(lost); !found) return give_up(found.error());
      return watch();
    }
    if (!dispatcher_ || down.source != dispatcher_.address()) return;
    forget_master();
    self_->delayed_send(self_, retry_pause, local::tick{});
  }

  void on_result(const wire::job_result& r) {
    if (r.job != job_) return;
    outcome_->set(value_of(r), r.status);
    end();
  }

  void stop() {
    forget_master();
    self_->quit();
  }

 private:
  static constexpr std::chrono::milliseconds retry_pause{200};
  static constexpr unsigned refusals_max = 50;

  void give_up(const error& why) {
    outcome_->set(tl::unexpected(why), graph::job_status::failed);
    end();
  }
  void end() {
    if (on_end_) on_end_();
    stop();
  }
  /// They would remember us for ever.
  void forget_master() {
    if (gate_) self_->demonitor(gate_);
    if (dispatcher_) self_->demonitor(dispatcher_);
    gate_ = nullptr;
    dispatcher_ = nullptr;
  }

  caf::event_based_actor* self_;
  std::shared_ptr<master_access> cluster_;
  job_id job_;
  std::shared_ptr<job_outcome> outcome_;
  std::function<void()> on_end_;
  caf::actor gate_;
  caf::actor dispatcher_;
  bool is_known_ = false;
  unsigned refusals_ = 0;
};

caf::behavior job_watcher_behavior(caf::stateful_actor<job_watcher>* self,
                                   std::shared_ptr<master_access> cluster, const job_id& job,
                                   std::shared_ptr<job_outcome> outcome,
                                   std::function<void()> on_end) {
  auto& state = self->state;
  self->set_down_handler([&state](caf::down_msg& down) { state.on_down(down); });
  ignore_the_unexpected(*self);
  state.init(std::move(cluster), job, std::move(outcome), std::move(on_end));
  return {
      [&state](const wire::job_result& r) { state.on_result(r); },
      [&state](local::tick) { state.watch(); },
      [&state](wire::cancel) { state.stop(); },
  };
}

class dispatcher_job_client final : public job_client {
 public:
  dispatcher_job_client(std::shared_ptr<master_access> cluster, const job_id& job,
                        std::function<void()> on_end)
      : cluster_(std::move(cluster)),
        job_(job),
        // Without a hold on the cluster, which ends when its actors have.
        watcher_(cluster_->system().spawn<caf::detached>(
            job_watcher_behavior,
            std::shared_ptr<master_access>(std::shared_ptr<void>(), cluster_.get()), job, outcome_,
            std::move(on_end))) {}

  /// The watcher refers to the cluster, which goes now, maybe.
  ~dispatcher_job_client() override {
    caf::scoped_actor self(cluster_->system());
    caf::anon_send(watcher_, wire::cancel{});
    self->wait_for(watcher_);
  }

  job_id id() const override { return job_; }

  graph::job_status status() override {
    if (auto ended = outcome_->status()) return *ended;
    return progress().status;
  }

  job_progress progress() override {
    job_progress progress;
    const auto details =
        ask_master<wire::job_details>(cluster_->system(), cluster_->master(),
                                      wire::describe_job{job_}, answer_timeout, explain_loss);
    if (details) {
      progress = {details->overview.status, details->waiting_for, details->source_rows,
                  details->progress_done, details->progress_total};
    } else {
      progress.waiting_for = "the job manager does not answer";
      if (auto ended = outcome_->status()) progress.status = *ended;
    }
    return progress;
  }

  void cancel() override { caf::anon_send(cluster_->master(), wire::cancel_job{job_}); }

  result<std::string> savepoint(const std::string& directory) override {
    return place_of(wire::take_savepoint{job_, directory});
  }
  result<std::string> stop_with_savepoint(const std::string& directory, bool drain) override {
    return place_of(wire::stop_job{job_, directory, drain});
  }

  result<job_execution_result> wait() override { return outcome_->wait(); }

  std::optional<result<job_execution_result>> wait_for(std::chrono::milliseconds limit) override {
    return outcome_->wait_for(limit);
  }

 private:
  template <class Request>
  result<std::string> place_of(Request request) {
    // The job master gives up by itself (execution.checkpointing.timeout).
    return ask_master<wire::checkpoint_taken>(cluster_->system(), cluster_->master(),
                                              std::move(request), caf::infinite, explain_loss)
        .map([](const wire::checkpoint_taken& taken) { return taken.checkpoint.location; });
  }

  std::shared_ptr<master_access> cluster_;  // first in, last out
  job_id job_;
  std::shared_ptr<job_outcome> outcome_ = std::make_shared<job_outcome>();
  caf::actor watcher_;
};

}  // namespace

std::unique_ptr<job_client> make_job_client(std::shared_ptr<master_access> cluster,
                                            const job_id& job, std::function<void()> on_end) {
  return std::make_unique<dispatcher_job_client>(std::move(cluster), job, std::move(on_end));
}

}  // namespace millrace
