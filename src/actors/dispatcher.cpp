#include "millrace/actors/dispatcher.hpp"

#include <algorithm>
#include <caf/stateful_actor.hpp>
#include <chrono>
#include <set>
#include <utility>
#include <vector>

#include "millrace/actors/dispatcher_state.hpp"
#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/job_master.hpp"
#include "millrace/actors/recovered_jobs.hpp"
#include "millrace/actors/spawn_control.hpp"
#include "millrace/checkpoint/checkpoint_settings.hpp"
#include "millrace/checkpoint/checkpoint_storage.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/mutant.hpp"
#include "millrace/core/options.hpp"
#include "millrace/graph/job_graph_check.hpp"

namespace millrace {

namespace {

/// For jobs to end when the master is stopped.
constexpr std::chrono::seconds shut_down_timeout{5};
/// How often a process that has nothing to store looks whether another one has taken over.
constexpr std::chrono::seconds successor_interval{5};

error shutting_down() {
  return {errc::cancelled, "the job manager is shutting down"};
}

}  // namespace

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
        if (options_.keeps_jobs) look_for_successor();
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

namespace {

/// Whether the checkpoints that a job is to go on from are those that its master will find. Without
/// them it would begin anew, and what it has committed would come again.
status check_places(const job_ledger& ledger, const checkpoint_settings& settings,
                    const job_id& job) {
  const file_checkpoint_storage storage(nullptr, settings.directory_of(job), 0);
  for (const auto& pointer : ledger.checkpoints)
    if (pointer.owner == snapshot_owner::job &&
        pointer.location != storage.location_of(pointer.checkpoint))
      return fail(errc::invalid_config,
                  "its checkpoint " + std::to_string(pointer.checkpoint.number) + " is in '" +
                      pointer.location + "', but " +
                      std::string(options::checkpoints_directory.key) + " is '" +
                      settings.directory + "' now: set it as it was, and start this process again");
  return {};
}

}  // namespace

void dispatcher::start_master(const job_id& id) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end() || stopping_) return;
  // The settings of this process may be others than when the job was accepted.
  const auto settings =
      configuration_of(found->second.graph, options_.config).and_then(checkpoint_settings_of);
  if (!settings) return fail_job(id, settings.error());
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
      [this, ledger, ended, id, settings = *settings](const status& how) {
        const auto job = jobs_.find(id);
        if (job == jobs_.end() || stopping_) return;
        // Its jobs are another process's by now, and not to be failed.
        if (!how && how.error().code == errc::stale) return self_->quit(to_caf(how.error()));
        if (!how) return fail_job(id, how.error());
        if (*ended) {
          forget_result(tell_ended((*ended)->result, (*ended)->details));
          return quit_if_done();
        }
        if (auto good = check_places(*ledger, settings, id); !good)
          return fail_job(id, good.error());
        spawn_master(id, job->second, std::move(*ledger));
      });
}

void dispatcher::spawn_master(const job_id& id, running_job& job, job_ledger from) {
  auto config = configuration_of(job.graph, options_.config).value();  // it was checked
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

void dispatcher::look_for_successor() {
  auto outcome = std::make_shared<status>();
  io_->submit(
      [outcome, store = options_.store] { *outcome = store->look_for_successor(); },
      [this, outcome] {
        if (!*outcome && outcome->error().code == errc::stale && !MILLRACE_MUTANT(replaced_goes_on))
          return self_->quit(to_caf(outcome->error()));
        self_->delayed_send(self_, successor_interval, local::look_for_successor{});
      });
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
  // A defect of ours, a test, or another process has the job: then the next one is refused. Its
  // slots were given back by its going down.
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

namespace {

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
      [&state](local::look_for_successor) { state.look_for_successor(); },
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
