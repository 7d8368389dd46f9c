#include "millrace/actors/task_manager_tasks.hpp"

#include <algorithm>
#include <caf/event_based_actor.hpp>

#include "millrace/actors/task_actor.hpp"
#include "millrace/actors/task_manager_peers.hpp"
#include "millrace/actors/wire.hpp"
#include "millrace/checkpoint/checkpoint_settings.hpp"
#include "millrace/checkpoint/job_copies.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/mutant.hpp"
#include "millrace/core/options.hpp"
#include "millrace/graph/channels.hpp"
#include "millrace/graph/job_epoch.hpp"
#include "millrace/graph/job_graph_check.hpp"

namespace millrace {

namespace {

/// How long a consumer's request waits for its producer, and a consumer for an answer: deployment
/// of a large job, with a library to fetch, on a slow node.
constexpr std::chrono::milliseconds open_timeout{60'000};

/// An attempt's name as the name of a file.
std::string file_name_of(const execution_attempt_id& id) {
  auto name = to_string(id);
  std::replace(name.begin(), name.end(), '/', '-');
  return name;
}

/// A task with many channels gets less on each, so that what waits for it stays bounded, yet enough
/// for one batch to be processed while the next one is under way.
std::uint64_t channel_bytes(const configuration& config, std::size_t channels) {
  const auto configured = config.get(options::channel_bytes).bytes;
  if (config.has(options::channel_bytes) || channels == 0) return configured;
  constexpr std::uint64_t task_bytes = 8 * 1024 * 1024;
  const auto least = 2 * config.get(options::batch_bytes).bytes;
  return std::clamp<std::uint64_t>(task_bytes / channels, least, std::max(least, configured));
}

}  // namespace

/// What the tasks of one deploy_tasks message share.
struct task_roster::deployment {
  job_id job;
  std::shared_ptr<const graph::job_graph> graph;
  configuration config;  // the node's, with the job's settings over it
  std::vector<wire::peer_location> peers;
  std::map<std::pair<std::uint32_t, std::uint32_t>, wire::task_placement> placement_of;
  std::shared_ptr<state_backend> backend;           // null for the hashmap one
  std::shared_ptr<checkpoint_storage> checkpoints;  // and savepoints; null in batch mode
  bool is_checkpointed = false;                     // it takes checkpoints by itself
  std::shared_ptr<job_copies> copies;               // null for none
  std::optional<wire::restore_point> restore;
  std::shared_ptr<restore_source> restored_from;  // null as soon as all have it
  std::size_t unstarted = 0;

  void one_less_unstarted() {
    if (--unstarted == 0) restored_from.reset();
  }
  program_store::program program;  // null until it is here
};

struct task_roster::task {
  std::shared_ptr<deployment> of;
  allocation_id allocation;
  std::set<resource_id> producers;  // task managers that must be there before it can start
  std::set<resource_id> consumers;
  caf::actor actor;  // null until started
  std::optional<std::chrono::steady_clock::time_point> cancelled_at;
  std::optional<error> cancelled_why;  // unless its job's master asked for it
};

task_roster::task_roster(caf::event_based_actor& self, const task_manager_options& options,
                         program_store& programs, hooks h)
    : self_(self),
      options_(options),
      programs_(programs),
      hooks_(std::move(h)),
      waiting_channels_(open_timeout) {}

task_roster::~task_roster() = default;

status task_roster::deploy(wire::deploy_tasks request) {
  if (auto good = graph::check_job_graph(request.graph); !good) return good;
  auto d = std::make_shared<deployment>();
  d->job = request.job;
  d->peers = std::move(request.peers);
  const auto& vertices = request.graph.vertices;
  for (const auto& p : request.placements) {
    if (p.peer >= d->peers.size())
      return fail(errc::protocol, "the placement of a subtask names no task manager");
    d->placement_of[{p.vertex, p.subtask}] = p;
  }
  for (const auto& v : vertices)
    for (std::uint32_t s = 0; s < v.parallelism; ++s)
      if (!d->placement_of.contains({v.id, s}))
        return fail(errc::protocol,
                    "subtask " + std::to_string(s) + " of '" + v.name + "' is placed nowhere");
  d->config = options_.config;
  for (const auto& [key, value] : request.graph.configuration)
    if (auto set = d->config.set(key, value, "job '" + request.graph.name + "'"); !set) return set;
  for (const auto& t : request.tasks) {
    if (t.task.job != request.job || t.task.vertex >= vertices.size() ||
        t.task.subtask >= vertices[t.task.vertex].parallelism)
      return fail(errc::protocol, "there is no task " + to_string(t.task) + " in the job");
    if (tasks_.contains(t.task))
      return fail(errc::stale, "task " + to_string(t.task) + " is here already");
  }
  if (options_.backends) {
    auto backend = options_.backends(d->config.get(options::state_backend_type));
    if (!backend) return tl::unexpected(backend.error());
    d->backend = std::move(*backend);
  }
  const auto settings = checkpoint_settings_of(d->config);
  if (!settings) return tl::unexpected(settings.error());
  if (request.graph.mode == graph::runtime_mode::streaming) {
    const auto directory = settings->directory_of(d->job);
    auto files = options_.files;
    d->is_checkpointed = settings->is_enabled();
    if (d->is_checkpointed && options_.copies != nullptr &&
        d->config.get(options::local_recovery)) {
      d->copies = std::make_shared<job_copies>(options_.copies, d->job, directory);
      files = std::make_shared<copied_files>(files, d->copies);
    }
    d->checkpoints = std::make_shared<file_checkpoint_storage>(files, directory,
                                                               settings->memory_threshold_bytes);
  }
  d->restore = std::move(request.restore);
  if (d->restore)
    d->restored_from = std::make_shared<restore_source>(options_.files, d->restore->location);
  d->unstarted = request.tasks.size();
  d->graph = std::make_shared<const graph::job_graph>(std::move(request.graph));
  for (const auto& t : request.tasks) {
    auto& entry = tasks_[t.task];
    entry.of = d;
    entry.allocation = t.allocation;
    find_peers(*d, t.task, entry);
  }
  programs_.ensure(d->job, d->graph,
                   [this, d](const auto& program) { program_is_here(d, program); });
  return {};
}

void task_roster::find_peers(const deployment& d, const execution_attempt_id& id, task& t) {
  const auto peer_of = [&](std::uint32_t vertex, std::uint32_t subtask) {
    return d.peers[d.placement_of.at({vertex, subtask}).peer];
  };
  const auto need = [&](const wire::peer_location& where, std::set<resource_id>& role) {
    if (where.resource == options_.resource) return;
    if (role.insert(where.resource).second) hooks_.want_peer(where);
  };
  for (const auto& in : graph::input_channels(*d.graph, id.vertex, id.subtask))
    need(peer_of(in.source_vertex, in.source_subtask), t.producers);
  for (const auto& out : graph::output_channels(*d.graph, id.vertex, id.subtask))
    need(peer_of(out.target_vertex, out.target_subtask), t.consumers);
}

void task_roster::program_is_here(const std::shared_ptr<deployment>& d,
                                  const result<program_store::program>& program) {
  if (program) {
    d->program = *program;
    return start_what_can();
  }
  std::vector<execution_attempt_id> failed;
  for (const auto& [id, t] : tasks_)
    if (t.of == d) failed.push_back(id);
  for (const auto& id : failed) end_unstarted(id, graph::execution_state::failed, program.error());
}

void task_roster::start_what_can() {
  for (auto& [id, t] : tasks_) {
    if (t.actor || !t.of->program || waits_for_earlier_epoch(id)) continue;
    const bool all_there =
        std::all_of(t.producers.begin(), t.producers.end(),
                    [&](const auto& peer) { return hooks_.peer(peer) != nullptr; });
    if (all_there) start(id, t);
  }
}

bool task_roster::waits_for_earlier_epoch(const execution_attempt_id& id) const {
  const auto epoch = graph::epoch_of_attempt(id.attempt);
  for (auto it = tasks_.lower_bound({id.job, 0, 0, 0});
       it != tasks_.end() && it->first.job == id.job; ++it)
    if (it->second.actor && graph::epoch_of_attempt(it->first.attempt) < epoch) return true;
  return false;
}

void task_roster::start(const execution_attempt_id& id, task& t) {
  auto& d = *t.of;
  task_setup setup;
  setup.id = id;
  setup.graph = d.graph;
  setup.program = d.program;
  setup.options.batches.rows = d.config.get(options::batch_rows);
  setup.options.batches.bytes =
      static_cast<std::uint32_t>(d.config.get(options::batch_bytes).bytes);
  setup.options.state = d.backend;
  setup.options.record_bytes_max = options_.config.get(options::record_bytes_max).bytes;
  setup.options.spilling = {.directory = options_.spill_directory + "/" + file_name_of(id),
                            .memory_bytes = d.config.get(options::sort_memory).bytes};
  setup.options.auto_watermark_interval = d.config.get(options::auto_watermark_interval);
  setup.options.snapshot_slice_bytes = d.config.get(options::snapshot_slice).bytes;
  setup.options.is_checkpointed = d.is_checkpointed;
  setup.options.alignment_max = d.config.get(options::aligned_checkpoint_timeout);
  setup.checkpoints = d.checkpoints;
  setup.copies = d.copies;
  setup.restore = d.restore;
  setup.restored_from = d.restored_from;
  d.one_less_unstarted();
  for (const auto& in : graph::input_channels(*d.graph, id.vertex, id.subtask)) {
    const auto& at = d.placement_of.at({in.source_vertex, in.source_subtask});
    const auto& where = d.peers[at.peer];
    setup.inputs.push_back({{id.job, at.vertex, at.subtask, at.attempt},
                            in.edge,
                            hooks_.peer(where.resource),
                            address_of(where)});
  }
  setup.channel_bytes = channel_bytes(d.config, setup.inputs.size());
  setup.open_timeout = open_timeout;
  setup.task_manager = caf::actor(&self_);
  setup.io = options_.io;
  setup.files = options_.files;
  setup.time = options_.time;

  t.actor = spawn_task(self_, std::move(setup));
  by_address_[t.actor.address()] = id;
  self_.send(t.actor, local::start_task{});
  for (auto& request : waiting_channels_.take(id))
    self_.send(t.actor, std::move(request.what), std::move(request.consumer));
}

void task_roster::on_state_changed(wire::task_state_changed change) {
  const auto found = tasks_.find(change.task);
  if (found == tasks_.end()) return;
  if (graph::is_terminal(change.state)) {
    const auto id = change.task;
    return end(id, std::move(change));
  }
  hooks_.on_change(std::move(change));
}

void task_roster::end(const execution_attempt_id& id, wire::task_state_changed change) {
  auto gone = tasks_.extract(id);
  auto& t = gone.mapped();
  const auto& vertex = t.of->graph->vertices[id.vertex];
  const auto level =
      change.state == graph::execution_state::failed ? log_level::warn : log_level::info;
  log_task_event(level, "task " + std::string(graph::to_string(change.state)), id, vertex.name,
                 vertex.parallelism,
                 {{"reason", change.cause ? change.cause->message : std::string()}});
  if (t.actor) {
    by_address_.erase(t.actor.address());
    self_.demonitor(t.actor);
  } else {
    t.of->one_less_unstarted();
  }
  if (change.state == graph::execution_state::canceled && !change.cause)
    change.cause = t.cancelled_why;
  hooks_.on_change(std::move(change));
  hooks_.on_end(id.job, t.allocation);
  if (has_tasks_of(id.job)) start_what_can();
}

void task_roster::end_unstarted(const execution_attempt_id& id, graph::execution_state state,
                                std::optional<error> cause) {
  wire::task_state_changed change;
  change.task = id;
  change.state = state;
  change.cause = std::move(cause);
  change.report.task = id;
  end(id, std::move(change));
}

void task_roster::peer_lost(const resource_id& peer, const error& why) {
  std::vector<execution_attempt_id> unstarted;
  for (auto& [id, t] : tasks_) {
    if (!t.producers.contains(peer) && !t.consumers.contains(peer)) continue;
    if (MILLRACE_MUTANT(lost_peer_ignored)) continue;
    if (t.actor)
      self_.send(t.actor, local::fail_task{why});
    else
      unstarted.push_back(id);
  }
  for (const auto& id : unstarted) end_unstarted(id, graph::execution_state::failed, why);
}

bool task_roster::kill(const execution_attempt_id& id) {
  const auto found = tasks_.find(id);
  if (found == tasks_.end() || !found->second.actor) return false;
  self_.send_exit(found->second.actor, caf::exit_reason::kill);
  return true;
}

void task_roster::cancel(const execution_attempt_id& id) {
  if (const auto found = tasks_.find(id); found != tasks_.end()) cancel(id, found->second, {});
}

void task_roster::cancel(const execution_attempt_id& id, task& t, const std::optional<error>& why) {
  if (!t.actor) return end_unstarted(id, graph::execution_state::canceled, why);
  if (t.cancelled_at) return;
  t.cancelled_at = now();
  t.cancelled_why = why;
  self_.send(t.actor, wire::cancel{});
}

template <class Condition>
void task_roster::cancel_where(Condition&& condition, const std::optional<error>& why) {
  std::vector<execution_attempt_id> chosen;
  for (const auto& [id, t] : tasks_)
    if (condition(id, t)) chosen.push_back(id);
  if (MILLRACE_MUTANT(cancel_forgets_a_task) && !chosen.empty()) chosen.pop_back();
  for (const auto& id : chosen)
    if (const auto found = tasks_.find(id); found != tasks_.end()) cancel(id, found->second, why);
}

void task_roster::forget_job(const job_id& job) {
  waiting_channels_.drop(job);
  reports_.erase(job);
}

void task_roster::cancel_job(const job_id& job) {
  waiting_channels_.drop(job);
  cancel_where([&](const auto& id, const task&) { return id.job == job; }, {});
}

void task_roster::cancel_allocation(const allocation_id& allocation,
                                    const std::optional<error>& why) {
  cancel_where([&](const auto&, const task& t) { return t.allocation == allocation; }, why);
}

void task_roster::cancel_all(const error& why) {
  cancel_where([](const auto&, const task&) { return true; }, why);
}

bool task_roster::on_down(const caf::actor_addr& who, const std::string& reason) {
  const auto found = by_address_.find(who);
  if (found == by_address_.end()) return false;
  const auto id = found->second;  // which goes with its entry
  // Without its last report: it did not end by itself.
  end_unstarted(id, graph::execution_state::failed,
                error{errc::internal, "the task's actor ended unexpectedly: " + reason});
  return true;
}

void task_roster::on_open_channel(const wire::open_channel& request, const caf::actor& consumer) {
  const auto found = tasks_.find(request.producer);
  if (found != tasks_.end() && found->second.actor)
    self_.send(found->second.actor, request, consumer);
  else if (!MILLRACE_MUTANT(early_channel_lost))
    waiting_channels_.hold(request.producer, {request, consumer}, now());
}

template <class Message>
void task_roster::pass_on(const Message& message) {
  auto one = message;
  one.tasks.clear();
  for (const auto& id : message.tasks) {
    const auto found = tasks_.find(id);
    if (found != tasks_.end() && found->second.actor) self_.send(found->second.actor, one);
  }
}
template void task_roster::pass_on(const wire::align_watermarks&);
template void task_roster::pass_on(const wire::trigger_checkpoint&);
template void task_roster::pass_on(const wire::savepoint_target&);
template void task_roster::pass_on(const wire::drain_sources&);
template void task_roster::pass_on(const wire::checkpoint_complete&);
template void task_roster::pass_on(const wire::checkpoint_aborted&);

void task_roster::on_command_iteration(const wire::command_iteration& command) {
  for (const auto& id : command.tasks) {
    const auto found = tasks_.find(id);
    if (found != tasks_.end() && found->second.actor)
      self_.send(found->second.actor, wire::command_iteration{command.command, {id}});
  }
}

void task_roster::on_coordinator_event(const wire::coordinator_event& event) {
  const auto found = tasks_.find(event.task);
  if (found != tasks_.end() && found->second.actor) self_.send(found->second.actor, event);
}

void task_roster::collect_reports() {
  for (const auto& [id, t] : tasks_)
    if (t.actor) self_.send(t.actor, local::report_task{});
}

void task_roster::on_report(wire::task_report report) {
  if (tasks_.contains(report.task)) reports_[report.task.job].push_back(std::move(report));
}

std::map<job_id, std::vector<wire::task_report>> task_roster::take_reports() {
  return std::exchange(reports_, {});
}

std::vector<error> task_roster::housekeeping() {
  const auto at = now();
  for (const auto& [producer, request] : waiting_channels_.expire(at))
    log_event(log_level::warn, "nobody came for a channel",
              {{"producer", to_string(producer)}, {"consumer", to_string(request.what.consumer)}});
  std::vector<error> stuck;
  for (auto& [id, t] : tasks_) {
    const auto limit = t.of->config.get(options::task_cancellation_timeout);
    if (!t.cancelled_at || at - *t.cancelled_at < limit) continue;
    t.cancelled_at = at;
    stuck.push_back({errc::timeout, "task " + to_string(id) + " of '" +
                                        t.of->graph->vertices[id.vertex].name +
                                        "' did not end within " + std::to_string(limit.count()) +
                                        " ms after it was cancelled: does a user function block?"});
  }
  return stuck;
}

bool task_roster::has_tasks_of(const job_id& job) const {
  const auto first = tasks_.lower_bound({job, 0, 0, 0});
  return first != tasks_.end() && first->first.job == job;
}

bool task_roster::has_tasks_in(const allocation_id& allocation) const {
  return std::any_of(tasks_.begin(), tasks_.end(),
                     [&](const auto& entry) { return entry.second.allocation == allocation; });
}

std::chrono::steady_clock::time_point task_roster::now() const {
  return options_.time->now();
}

}  // namespace millrace
