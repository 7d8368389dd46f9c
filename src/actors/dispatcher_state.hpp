#pragma once

#include <caf/actor.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/response_promise.hpp>
#include <caf/result.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "millrace/actors/artifact_store.hpp"
#include "millrace/actors/dispatcher.hpp"
#include "millrace/actors/insistent_io.hpp"
#include "millrace/actors/io_executor_actor.hpp"
#include "millrace/actors/job_history.hpp"
#include "millrace/actors/job_watchers.hpp"
#include "millrace/actors/local_messages.hpp"
#include "millrace/actors/master_requests.hpp"
#include "millrace/actors/replacement_pauses.hpp"
#include "millrace/actors/wire.hpp"

namespace millrace {

/// The state and the handlers of the actor that spawn_dispatcher spawns. Its parts: jobs from their
/// submission to their end (dispatcher.cpp), and what is asked about them
/// (dispatcher_requests.cpp).
class dispatcher {
 public:
  static inline const char* name = "millrace.dispatcher";

  explicit dispatcher(caf::event_based_actor* self)
      : self_(self),
        requests_(*self,
                  [this](const job_id& id) -> mastered_job* {
                    const auto found = jobs_.find(id);
                    return found == jobs_.end() ? nullptr : &found->second;
                  }),
        watchers_(*self) {}
  /// `recovered` is called when the jobs of the store are there.
  void init(dispatcher_options options, std::function<void()> recovered);

  // From clients and task managers.
  caf::result<wire::artifact_status> on_offer(const wire::artifact_offer& offer);
  caf::result<wire::artifact_status> on_chunk(wire::artifact_chunk& chunk);
  caf::result<wire::artifact_chunk> on_request(const wire::artifact_request& request);
  caf::result<wire::job_submitted> on_submit(wire::submit_job& request);
  caf::result<wire::job_list> on_list();
  caf::result<wire::job_details> on_describe(const wire::describe_job& request);
  caf::result<wire::ack> on_watch(const wire::watch_job& request);
  caf::result<wire::ack> on_cancel(const wire::cancel_job& request);
  caf::result<wire::checkpoint_list> on_list_checkpoints(const wire::list_checkpoints& request);
  caf::result<wire::checkpoint_details> on_describe_checkpoint(
      const wire::describe_checkpoint& request);
  caf::result<wire::checkpoint_taken> on_take_checkpoint(const wire::take_checkpoint& request);
  caf::result<wire::checkpoint_taken> on_take_savepoint(const wire::take_savepoint& request);
  caf::result<wire::checkpoint_taken> on_stop(const wire::stop_job& request);
  caf::result<caf::message> on_kill(wire::kill_actor& request);
  void on_hello(const wire::peer_hello& hello, const caf::actor& peer);
  // From job masters.
  void on_status(const wire::job_status_changed& change);
  void on_ended(wire::job_result& result, wire::job_details& details);
  // From the surroundings.
  void on_io_done(const local::io_done& done) { io_->complete(done); }
  void on_try_again(const local::try_again& again) { insistent_->on_try_again(again); }
  /// Now and then, where other processes may have the same store.
  void look_for_successor();
  void on_down(const caf::down_msg& down);
  void on_job_master_gone(const job_id& job);
  /// Begins an epoch of the job, and spawns its master.
  void start_master(const job_id& job);
  void set_task_manager(const caf::actor& tm) { task_manager_ = tm; }
  void shut_down();
  void quit_now();

  const caf::actor& resource_manager() const { return options_.resource_manager; }

 private:
  struct running_job : mastered_job {
    graph::job_graph graph;
    wire::job_overview overview;  ///< As far as it is known here.
    bool is_cancelled = false;    ///< Somebody has asked for it.
    replacement_pauses pauses;    ///< Before it gets another master.
  };

  /// In memory: the store has it.
  void add_job(stored_job job);
  void spawn_master(const job_id& id, running_job& job, job_ledger from);
  void accept(graph::job_graph graph, caf::response_promise promise);
  /// What a request is answered by that only a running job can meet.
  error is_over(const job_id& id, const std::string& what) const;
  std::optional<job_id> tell_ended(wire::job_result& result, wire::job_details& details);
  void forget_result(const std::optional<job_id>& forgotten);
  void fail_job(const job_id& id, const error& why);
  void stop_job(const job_id& id);
  void quit_if_done();

  caf::event_based_actor* self_;
  dispatcher_options options_;
  std::mt19937_64 random_;
  std::unique_ptr<actor_io_executor> io_;
  std::optional<insistent_io> insistent_;
  std::optional<artifact_store> artifacts_;
  std::map<job_id, running_job> jobs_;
  master_requests requests_;
  job_watchers watchers_;
  std::map<job_id, caf::actor> masters_;  ///< That live: also of jobs that have just ended.
  std::optional<job_history> history_;
  caf::actor task_manager_;
  bool stopping_ = false;
};

}  // namespace millrace
