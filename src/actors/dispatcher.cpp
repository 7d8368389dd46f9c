#include "millrace/actors/dispatcher.hpp"

#include <algorithm>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "millrace/actors/answer_of.hpp"
#include "millrace/actors/artifact_store.hpp"
#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/insistent_io.hpp"
#include "millrace/actors/io_executor_actor.hpp"
#include "millrace/actors/job_history.hpp"
#include "millrace/actors/job_list_collector.hpp"
#include "millrace/actors/job_master.hpp"
#include "millrace/actors/job_watchers.hpp"
#include "millrace/actors/local_messages.hpp"
#include "millrace/actors/master_requests.hpp"
#include "millrace/actors/recovered_jobs.hpp"
#include "millrace/actors/replacement_pauses.hpp"
#include "millrace/actors/spawn_control.hpp"
#include "millrace/actors/wire.hpp"
#include "millrace/checkpoint/checkpoint_settings.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/mutant.hpp"
#include "millrace/graph/job_graph_check.hpp"

namespace millrace {

namespace {

constexpr std::chrono::seconds list_timeout{2};
/// For jobs to end when the master is stopped.
constexpr std::chrono::seconds shut_down_timeout{5};

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

error unknown_job(const job_id& job) {
  return {errc::unknown_job, "no job with id " + to_string(job) +
                                 "; `millrace list -a` shows all, of those that have ended the "
                                 "latest"};
}

error shutting_down() {
  return {errc::cancelled, "the job manager is shutting down"};
}

void dispatcher::init(dispatcher_options options, std::function<void()> recovered) {
  options_ = std::move(options);
  random_.seed(options_.seed);
  io_ = std::make_unique<actor_io_executor>(*self_, options_.io);
  artifacts_.emplace(options_.blob_directory, options_.files, *io_);
  history_.emplace(options_.ended_jobs_max);
  insistent_.emplace(*self_, *io_);
  auto found = std::make_shared<recovered_jobs>();
  insistent_->run(
      "find the jobs again",
      [found, store = options_.store, files = options_.files,
       config = options_.config]() -> status {
        return store->take_over()
            .and_then([&] { return recover_jobs(*store, files, config); })
            .map([&](recovered_jobs jobs) { *found = std::move(jobs); });
      },
      [this, found, recovered = std::move(recovered)](const status& how) {
        if (!how && how.error().code == errc::stale) return self_->quit(to_caf(how.error()));
        if (!how)
          log_event(log_level::error, "jobs can't be recovered", {{"reason", how.error().message}});
        std::set<std::string> libraries;
        for (auto& ended : found->ended) forget_result(history_->add(std::move(ended)));
        for (auto& job : found->running) {
          libraries.insert(job.graph.artifact);
          const auto id = job.job;
          log_event(log_level::info, "job recovered",
                    {{"job", to_string(id)}, {"name", job.graph.name}});
          add_job(std::move(job));
          start_master(id);
        }
        // What can't be read now may be mended, and need its library then.
        if (!options_.keeps_jobs || !how || !found->is_whole) return recovered();
        artifacts_->keep_only(std::move(libraries), recovered);
      });
}

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

caf::result<wire::job_submitted> dispatcher::on_submit(wire::submit_job& request) {
  const auto refuse = [&](const error& why) {
    log_event(log_level::warn, "refused a job",
              {{"name", request.graph.name}, {"reason", why.message}});
    return to_caf(why);
  };
  auto& graph = request.graph;
  if (stopping_) return refuse(shutting_down());
  if (graph.format_version != graph::job_graph_format_version)
    return refuse({errc::invalid_graph, "job '" + graph.name + "' has a graph of format version " +
                                            std::to_string(graph.format_version) +
                                            ", but this cluster understands " +
                                            std::to_string(graph::job_graph_format_version) +
                                            ": use the same release of Millrace for both"});
  if (auto valid = graph::check_job_graph(graph); !valid) return refuse(valid.error());
  if (auto valid = configuration_of(graph, options_.config).and_then(checkpoint_settings_of);
      !valid)
    return refuse(valid.error());
  auto promise = self_->make_response_promise();
  const caf::result<wire::job_submitted> answer = promise;
  if (graph.artifact.empty()) {
    accept(std::move(graph), std::move(promise));
    return answer;
  }
  const auto sha256 = graph.artifact;
  artifacts_->find(sha256, [this, promise, sha256, graph = std::move(graph)](
                               const result<wire::artifact_status>& s) mutable {
    if (stopping_) return promise.deliver(to_caf(shutting_down()));
    if (!s) return promise.deliver(to_caf(s.error()));
    if (!s->complete)
      return promise.deliver(
          to_caf({errc::not_found, "the library of job '" + graph.name + "' (SHA-256 " + sha256 +
                                       ") has not been uploaded"}));
    accept(std::move(graph), std::move(promise));
  });
  return answer;
}

/// A job is accepted when the store has it.
void dispatcher::accept(graph::job_graph graph, caf::response_promise promise) {
  auto job = std::make_shared<stored_job>();
  job->job = make_id<job_id>(random_);
  job->submitted_wall_ms = static_cast<std::uint64_t>(options_.time->wall_ms());
  job->graph = std::move(graph);
  auto outcome = std::make_shared<result<job_ledger>>();
  io_->submit(
      [job, outcome, store = options_.store] {
        *outcome = store->add(*job).and_then([&] { return store->begin_epoch(job->job); });
        if (!*outcome) (void)store->forget(job->job);
      },
      [this, job, outcome, promise = std::move(promise)]() mutable {
        if (!*outcome) {
          promise.deliver(to_caf(
              {outcome->error().code,
               "job '" + job->graph.name + "' can't be stored: " + outcome->error().message}));
          if (outcome->error().code == errc::stale) self_->quit(to_caf(outcome->error()));
          return;
        }
        const auto id = job->job;
        log_event(log_level::info, "job submitted",
                  {{"job", to_string(id)}, {"name", job->graph.name}});
        add_job(std::move(*job));
        spawn_master(id, jobs_.at(id), std::move(**outcome));
        promise.deliver(wire::job_submitted{id});
        if (stopping_) stop_job(id);
      });
}

void dispatcher::add_job(stored_job stored) {
  running_job& job = jobs_[stored.job];
  job.graph = std::move(stored.graph);
  job.overview.job = stored.job;
  job.overview.name = job.graph.name;
  job.overview.start_wall_ms = stored.submitted_wall_ms;
  for (const auto& vertex : job.graph.vertices) job.overview.tasks += vertex.parallelism;
}

void dispatcher::start_master(const job_id& id) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end() || stopping_) return;
  auto ledger = std::make_shared<job_ledger>();
  auto ended = std::make_shared<std::optional<job_outcome_record>>();
  insistent_->run(
      "begin another epoch of job " + to_string(id),
      [ledger, ended, store = options_.store, files = options_.files, config = options_.config,
       job =
           stored_job{id, found->second.overview.start_wall_ms, found->second.graph}]() -> status {
        auto its = store->begin_epoch(job.job);
        if (its) {
          *ledger = *std::move(its);
          return {};
        }
        if (its.error().code != errc::cancelled) return tl::unexpected(its.error());
        return conclude_job(*store, files, job, config).map([&](job_outcome_record outcome) {
          *ended = std::move(outcome);
        });
      },
      [this, ledger, ended, id](const status& how) {
        const auto job = jobs_.find(id);
        if (job == jobs_.end() || stopping_) return;
        // Its jobs are another process's by now, and not to be failed.
        if (!how && how.error().code == errc::stale) return self_->quit(to_caf(how.error()));
        if (!how) return fail_job(id, how.error());
        if (*ended) {
          forget_result(tell_ended((*ended)->result, (*ended)->details));
          return quit_if_done();
        }
        spawn_master(id, job->second, std::move(*ledger));
      });
}

void dispatcher::spawn_master(const job_id& id, running_job& job, job_ledger from) {
  auto config = configuration_of(job.graph, options_.config).value_or(options_.config);
  auto library =
      job.graph.artifact.empty() ? std::string() : artifacts_->path_of(job.graph.artifact);
  job.pauses.on_started(self_->clock().now());
  job.master = spawn_job_master(self_->system(),
                                {id,
                                 job.graph,
                                 caf::actor(self_),
                                 options_.resource_manager,
                                 std::move(library),
                                 {options_.programs, options_.io, options_.files, options_.time},
                                 std::move(config),
                                 id.low + from.epoch,
                                 job.overview.start_wall_ms,
                                 options_.store,
                                 std::move(from)});
  masters_[id] = job.master;
  self_->monitor(job.master);
  if (job.is_cancelled) self_->send(job.master, wire::cancel{});
  for (const auto& ask : std::exchange(job.waiting, {})) ask();
}

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
    message +=
        std::string("; its latest checkpoint") +
        (ended->result.status == graph::job_status::failed ? "" : ", if it was to be kept,") +
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

void dispatcher::on_status(const wire::job_status_changed& change) {
  if (const auto job = jobs_.find(change.job); job != jobs_.end())
    job->second.overview.status = change.status;
}

void dispatcher::on_ended(wire::job_result& result, wire::job_details& details) {
  const auto id = result.job;
  if (!jobs_.contains(id)) return;
  forget_result(tell_ended(result, details));
  insistent_->run(
      "forget job " + to_string(id), [store = options_.store, id] { return store->forget(id); },
      [](const status&) {});
  quit_if_done();
}

/// The job that is not shown any more from now on, if any.
std::optional<job_id> dispatcher::tell_ended(wire::job_result& result, wire::job_details& details) {
  auto job = jobs_.extract(result.job);
  for (const auto& watcher : watchers_.take(result.job))
    if (!MILLRACE_MUTANT(watcher_forgotten)) self_->send(watcher, result);
  const auto forgotten = history_->add({std::move(result), std::move(details)});
  for (const auto& ask : job.mapped().waiting) ask();  // nobody else will
  return forgotten;
}

void dispatcher::forget_result(const std::optional<job_id>& forgotten) {
  if (!forgotten) return;
  insistent_->run(
      "forget the result of job " + to_string(*forgotten),
      [store = options_.store, id = *forgotten] { return store->remove_result(id); },
      [](const status&) {});
}

// -- surroundings ---------------------------------------------------------------------------------

void dispatcher::on_hello(const wire::peer_hello& hello, const caf::actor& peer) {
  if (task_manager_) self_->send(task_manager_, hello, peer);
}

void dispatcher::on_down(const caf::down_msg& down) {
  for (const auto& [id, master] : masters_)
    if (master.address() == down.source)
      // Down messages overtake others: what the job master has sent before is still to come.
      return self_->send(self_, local::job_master_gone{id});
  watchers_.remove(down.source);
}

void dispatcher::on_job_master_gone(const job_id& id) {
  masters_.erase(id);
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) {
    requests_.on_master_gone(id);
    return quit_if_done();
  }
  auto& job = found->second;
  job.master = nullptr;
  if (stopping_) {
    // It goes on with the next master of the cluster.
    watchers_.take(id);
    jobs_.erase(found);
    return quit_if_done();
  }
  // A defect of ours, or a test. Its slots were given back by its going down.
  log_event(log_level::error, "a job master broke down", {{"job", to_string(id)}});
  job.overview.status = graph::job_status::restarting;
  requests_.on_master_gone(id);
  self_->delayed_send(self_, job.pauses.on_down(self_->clock().now()), local::start_job_master{id});
}

/// There can't be a master for it. What the store has of it stays, for who can mend it.
void dispatcher::fail_job(const job_id& id, const error& why) {
  const auto& job = jobs_.at(id);
  wire::job_result result;
  result.job = id;
  result.name = job.overview.name;
  result.status = graph::job_status::failed;
  result.cause = error{why.code, "the job can't go on: " + why.message};
  log_event(log_level::error, "a job can't go on",
            {{"job", to_string(id)}, {"reason", why.message}});
  wire::job_details details;
  details.overview = job.overview;
  details.overview.status = result.status;
  details.cause = result.cause;
  forget_result(tell_ended(result, details));
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

/// Jobs that outlive the process only lose their master.
void dispatcher::stop_job(const job_id& id) {
  const auto& master = jobs_.at(id).master;
  if (!master) {
    watchers_.take(id);
    jobs_.erase(id);
  } else if (options_.keeps_jobs) {
    self_->send_exit(master, caf::exit_reason::user_shutdown);
  } else {
    self_->send(master, wire::cancel{});
  }
}

void dispatcher::shut_down() {
  if (std::exchange(stopping_, true)) return;
  std::vector<job_id> running;
  for (const auto& [id, job] : jobs_) running.push_back(id);
  for (const auto& id : running) stop_job(id);
  self_->delayed_send(self_, shut_down_timeout, local::tick{});
  quit_if_done();
}

void dispatcher::quit_if_done() {
  if (stopping_ && jobs_.empty() && masters_.empty()) quit_now();
}

void dispatcher::quit_now() {
  for (const auto& [id, master] : masters_)
    self_->send_exit(master, caf::exit_reason::user_shutdown);
  self_->send_exit(options_.resource_manager, caf::exit_reason::user_shutdown);
  io_->drop_all();
  self_->quit();
}

caf::behavior working(caf::stateful_actor<dispatcher>* self) {
  auto& state = self->state;
  return {
      [&state](const wire::artifact_offer& offer) { return state.on_offer(offer); },
      [&state](wire::artifact_chunk& chunk) { return state.on_chunk(chunk); },
      [&state](const wire::artifact_request& request) { return state.on_request(request); },
      [&state](wire::submit_job& request) { return state.on_submit(request); },
      [&state](const wire::list_jobs&) { return state.on_list(); },
      [&state](const wire::describe_job& request) { return state.on_describe(request); },
      [&state](const wire::watch_job& request) { return state.on_watch(request); },
      [&state](const wire::cancel_job& request) { return state.on_cancel(request); },
      [&state](const wire::list_checkpoints& request) {
        return state.on_list_checkpoints(request);
      },
      [&state](const wire::describe_checkpoint& request) {
        return state.on_describe_checkpoint(request);
      },
      [&state](const wire::take_checkpoint& request) { return state.on_take_checkpoint(request); },
      [&state](const wire::take_savepoint& request) { return state.on_take_savepoint(request); },
      [&state](const wire::stop_job& request) { return state.on_stop(request); },
      [self, &state](const wire::list_nodes& request) {
        return self->delegate(state.resource_manager(), request);
      },
      [self, &state](const wire::register_task_manager& request, const caf::actor& handle) {
        return self->delegate(state.resource_manager(), request, handle);
      },
      [&state](const wire::peer_hello& hello, const caf::actor& peer) {
        state.on_hello(hello, peer);
      },
      [&state](const wire::job_status_changed& change) { state.on_status(change); },
      [&state](wire::job_result& result, wire::job_details& details) {
        state.on_ended(result, details);
      },
      [&state](wire::kill_actor& request) { return state.on_kill(request); },
      [&state](const local::io_done& done) { state.on_io_done(done); },
      [&state](const local::try_again& again) { state.on_try_again(again); },
      [&state](const local::start_job_master& start) { state.start_master(start.job); },
      [&state](const local::job_master_gone& gone) { state.on_job_master_gone(gone.job); },
      [&state](local::local_task_manager, const caf::actor& tm) { state.set_task_manager(tm); },
      [&state](local::shut_down) { state.shut_down(); },
      [&state](local::tick) { state.quit_now(); },
  };
}

/// Whoever asks for something before the jobs are found again waits until they are.
caf::behavior dispatcher_behavior(caf::stateful_actor<dispatcher>* self,
                                  dispatcher_options options) {
  auto& state = self->state;
  self->set_down_handler([&state](caf::down_msg& down) { state.on_down(down); });
  self->set_error_handler([](caf::error&) {});
  self->set_default_handler(caf::skip);
  state.init(std::move(options), [self] {
    ignore_the_unexpected(*self);
    self->become(working(self));
  });
  return {
      [&state](const local::io_done& done) { state.on_io_done(done); },
      [&state](const local::try_again& again) { state.on_try_again(again); },
      [&state](local::shut_down) { state.quit_now(); },
  };
}

}  // namespace

caf::actor spawn_dispatcher(caf::actor_system& system, dispatcher_options options) {
  return spawn_control(system, dispatcher_behavior, std::move(options));
}

}  // namespace millrace
