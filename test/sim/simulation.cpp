#include "sim/simulation.hpp"

#include <algorithm>
#include <ostream>
#include <string_view>
#include <utility>

#include "millrace/checkpoint/file_tree.hpp"
#include "millrace/checkpoint/snapshot_directory.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/options.hpp"

namespace millrace::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

/// After the last fault has healed every job must have ended within this time: slot requests,
/// requests and cancellations that were under way have all timed out by then, one after the other.
constexpr seconds ending_limit{150};
/// No run makes more steps once all faults have healed, unless something goes round in circles:
/// until then a job may fail and be restarted every few milliseconds.
constexpr std::uint64_t steps_max = 3'000'000;
/// For silent nodes to be noticed and to come back.
constexpr seconds recovery_time{20};
/// Ticks, heartbeats and their answers of a process that is master and task manager at once.
constexpr std::size_t repeating_timers_max = 10;
/// How often the files of checkpoints are looked at.
constexpr std::uint64_t steps_per_look = 128;

}  // namespace

simulation::simulation(const plan& p, run_options options)
    : plan_(p),
      options_(std::move(options)),
      random_(random_source(p.seed ^ 0x5eed).fork()),
      process_seeds_(random_source(p.seed ^ 0x9e5).fork()),
      network_(p.timing, random_source(p.seed ^ 0x4e7).fork()),
      expired_(p.config.get(options::checkpointing_timeout)),
      start_(time_point() + seconds(1000)),
      now_(start_),
      last_trouble_(start_) {
  redirect_log(
      [this](log_level, std::string_view line) {
        if (options_.trace != nullptr) *options_.trace << "  log " << line << '\n';
        expired_.on_line(line, now_);
      },
      options_.trace != nullptr ? log_level::debug : log_level::warn);
  world_.net = &network_;
  world_.observer = &monitor_;
  network_.set_time(now_);
  processes_.resize(p.machines.size() + 1);
}

simulation::~simulation() {
  for (auto& p : processes_) p.reset();
  redirect_log([](log_level, std::string_view) {}, log_level::off);
}

run_outcome simulation::run() {
  start();
  run_jobs();
  if (outcome_.violations.empty()) calm_down();
  if (outcome_.violations.empty() && plan_.probes) run_probe();
  check_jobs();
  if (outcome_.violations.empty()) check_rest();
  check_savepoints();
  for (const auto& v : monitor_.violations()) violation(v);
  for (const auto& v : checkpoints_.violations()) violation(v);
  for (const auto& v : expired_.violations(last_trouble_)) violation(v);
  outcome_.virtual_time = now_ - start_;
  return outcome_;
}

// -- the course of a run --------------------------------------------------------------------------

void simulation::start() {
  for (std::size_t m = 0; m < plan_.machines.size(); ++m) {
    const auto& what = plan_.machines[m];
    if (what.starts_after.count() == 0)
      start_machine(m);
    else
      at(start_ + what.starts_after, [this, m] { start_machine(m); });
    if (what.leaves_after && !what.has_master)
      at(start_ + what.starts_after + *what.leaves_after, [this, m] {
        has_failed_ = true;
        gone_.insert(m);
        if (auto* p = on(m); p && !p->leaving) p->leave();
      });
  }
  for (const auto& job : plan_.jobs) {
    auto& record = add_job(job.spec, start_ + job.submit_after);
    record.at_client->cancel_after = job.cancel_after;
    record.at_client->savepoints_after.assign(job.savepoints_after.begin(),
                                              job.savepoints_after.end());
    record.may_be_cancelled = job.cancel_after.has_value();
    record.stops_after.assign(job.stops_after.begin(), job.stops_after.end());
    record.drains = job.drains;
    record.claims = job.claims;
    plan_stop(record);
    last_trouble_ = std::max(last_trouble_, start_ + job.submit_after);
  }
  start_machine(plan_.client_machine());
}

simulation::job_record& simulation::add_job(const job_spec& spec, time_point submit_at) {
  return add_job(spec, build_job(spec, jobs_.size(), *world_.files), submit_at);
}

simulation::job_record& simulation::add_job(const job_spec& spec, built_job built,
                                            time_point submit_at) {
  auto record = std::make_unique<job_record>();
  record->spec = &spec;
  record->built = std::move(built);
  record->expected = interpret(spec);
  world_.shelf->add(record->built.graph, record->built.program);
  auto job = std::make_unique<client_job>();
  job->graph = record->built.graph;
  job->submit_at = submit_at;
  if (spec.needs_library) {
    job->library = "library of " + spec.name + std::to_string(jobs_.size());
    job->library.resize(2500, '.');
  }
  record->at_client = job.get();
  world_.desk->jobs.push_back(std::move(job));
  jobs_.push_back(std::move(record));
  return *jobs_.back();
}

void simulation::run_jobs() {
  const auto all_ended = [&] {
    return std::all_of(jobs_.begin(), jobs_.end(),
                       [](const auto& job) { return job->at_client->ending != job_ending::none; });
  };
  std::uint64_t last_step = steps_max;
  while (!all_ended() || go_on_from_savepoints()) {
    const bool can_go_on = step();
    if (now_ <= last_trouble_) last_step = outcome_.steps + steps_max;
    if (!can_go_on || outcome_.steps > last_step || now_ > last_trouble_ + ending_limit) {
      for (const auto& job : jobs_)
        if (job->at_client->ending == job_ending::none)
          violation("job " + job->at_client->graph.name + " has not ended " +
                    (can_go_on ? outcome_.steps > last_step
                                     ? "after " + std::to_string(outcome_.steps) + " steps"
                                     : std::to_string(ending_limit.count()) +
                                           " s after the last fault had healed"
                               : "and nothing will ever happen again"));
      return;
    }
  }
}

void simulation::plan_stop(job_record& job) {
  if (job.stops_after.empty()) return;
  job.at_client->stop_after = job.stops_after.front();
  job.at_client->drains = job.drains && job.stops_after.size() == 1;
  job.stops_after.erase(job.stops_after.begin());
}

std::string simulation::final_savepoint_of(const job_record& job) const {
  std::uint64_t latest = 0;
  std::string found;
  const auto prefix = std::string(savepoints_directory) + "/";
  for (const auto& path : world_.files->paths()) {
    if (!path.starts_with(prefix) || last_part_of(path) != metadata_file_name) continue;
    const auto savepoint = load_checkpoint(*world_.files, parent_of(path));
    if (!savepoint || savepoint->kind != checkpoint_kind::final_savepoint ||
        savepoint->job != job.at_client->result->job || savepoint->checkpoint.number < latest)
      continue;
    latest = savepoint->checkpoint.number;
    found = parent_of(path);
  }
  return found;
}

bool simulation::go_on_from_savepoints() {
  bool are_there = false;
  for (std::size_t i = 0; i < jobs_.size(); ++i) {
    auto& job = *jobs_[i];
    const auto& at_client = *job.at_client;
    if (!at_client.stop_after || job.has_next || at_client.ending != job_ending::reported ||
        at_client.result->status != graph::job_status::finished)
      continue;
    // The user is not always told: whoever was asked may have died.
    job.stopped_with = final_savepoint_of(job);
    // One that has emitted everything may have come to its end by itself, behind a stop that
    // failed.
    if (at_client.drains || job.stopped_with.empty() ||
        output_of(job.built, *world_.files) == job.expected)
      continue;
    const auto& savepoint = job.stopped_with;
    job.has_next = are_there = true;
    auto built = build_next_job(*job.spec, job.built, *world_.files);
    built.graph.configuration.emplace_back(options::savepoint_path.key, savepoint);
    if (job.claims) {
      built.graph.configuration.emplace_back(options::savepoint_restore_mode.key, "CLAIM");
      claimed_.insert(savepoint);
    }
    auto& next = add_job(*job.spec, std::move(built), now_);
    next.stops_after = job.stops_after;
    next.drains = job.drains;
    next.claims = job.claims;
    plan_stop(next);
    last_trouble_ = std::max(last_trouble_, now_);
    if (auto* p = on(plan_.client_machine())) wake_client(p->client());
  }
  return are_there;
}

/// Faults heal at once and no more come; then all that is under way has to come to its end.
void simulation::calm_down() {
  calm_ = true;
  while (!agenda_.empty()) {
    const auto next = agenda_.extract(agenda_.begin());
    next.mapped()();
  }
  if (has_failed_) run_for(recovery_time);
  const auto is_quiet = [&] {
    return !has_actor("millrace.task") && !has_actor("millrace.job_master");
  };
  if (!run_until(is_quiet, ending_limit))
    violation("tasks or job masters live on after their jobs");
}

bool simulation::all_slots_are_free() const {
  const auto& nodes = world_.desk->nodes;
  if (!nodes) return false;
  std::map<resource_id, std::uint32_t> expected;
  for (const auto& p : processes_)
    if (p && p->has_task_manager()) expected[p->id()] = p->slots();
  if (nodes->nodes.size() != expected.size()) return false;
  return std::all_of(nodes->nodes.begin(), nodes->nodes.end(), [&](const auto& node) {
    const auto found = expected.find(node.resource);
    return found != expected.end() && node.slots == found->second && node.slots_free == node.slots;
  });
}

/// Whatever has happened, the cluster must be as good as new: a job that needs every slot runs.
void simulation::run_probe() {
  std::uint32_t slots = 0;
  for (const auto& p : processes_)
    if (p && p->has_task_manager()) slots += p->slots();
  if (slots == 0) return;
  auto spec = std::make_unique<job_spec>();
  spec->name = "probe";
  spec->branches = {{40, 10, 0, false, slots, {{step_kind::keyed_count, 0, slots}}}};
  spec->sink_parallelism = slots;
  own_specs_.push_back(std::move(spec));
  auto& job = add_job(*own_specs_.back(), now_);
  const auto& desk = *job.at_client;
  wake_client(on(plan_.client_machine())->client());
  if (!run_until([&] { return desk.ending != job_ending::none; }, ending_limit))
    return violation("a job that needs all " + std::to_string(slots) +
                     " slots does not run after all faults have healed");
  if (desk.ending != job_ending::reported || desk.result->status != graph::job_status::finished)
    return violation("a job that needs all slots fails after all faults have healed: " +
                     (desk.result && desk.result->cause ? desk.result->cause->message
                      : desk.why                        ? desk.why->message
                                                        : std::string("no cause")));
}

bool simulation::has_actor(const std::string& name) const {
  return std::any_of(processes_.begin(), processes_.end(), [&](const auto& p) {
    if (!p) return false;
    const auto actors = p->host().live_actors();
    return std::find(actors.begin(), actors.end(), name) != actors.end();
  });
}

// -- checks ---------------------------------------------------------------------------------------

void simulation::check_jobs() {
  for (std::size_t i = 0; i < jobs_.size(); ++i) check_job(*jobs_[i], i);
}

void simulation::check_job(const job_record& job, std::size_t) {
  const auto& at_client = *job.at_client;
  const auto& name = at_client.graph.name;
  const auto rows = output_of(job.built, *world_.files);
  const bool throws = job.spec->throws_at &&
                      *job.spec->throws_at < static_cast<std::int64_t>(job.spec->branches[0].rows);
  if (!std::includes(job.expected.begin(), job.expected.end(), rows.begin(), rows.end()))
    violation("job " + name + " has emitted rows that it must not");
  if (job.built.committed && job.built.committed->is_ambiguous)
    violation("job " + name + " has committed a transaction twice with different rows");
  if (job.built.committed && job.built.committed->has_lost)
    violation("job " + name + " was to commit a transaction that a restart had given up");
  if (at_client.ending == job_ending::none) return;
  if (at_client.ending != job_ending::reported) {
    ++outcome_.jobs_ended_otherwise;
    const auto why = at_client.why ? ": " + at_client.why->message : std::string();
    if (!has_failed_) violation("job " + name + " was not run though nothing failed" + why);
    if (at_client.ending == job_ending::forgotten && (!lost_master_ || job.spec->is_checkpointed))
      violation("the master has forgotten job " + name);
    return;
  }
  const auto& result = *at_client.result;
  const auto cause = result.cause ? result.cause->message : std::string("no cause");
  switch (result.status) {
    case graph::job_status::finished:
      ++outcome_.jobs_finished;
      if (throws) violation("job " + name + " finished though a function threw");
      // All rows are there when the last has ended, unless that was drained.
      if (job.has_next || (at_client.drains && !job.stopped_with.empty())) return;
      if (rows != job.expected)
        violation("job " + name + " finished with " + std::to_string(rows.size()) +
                  " rows instead of " + std::to_string(job.expected.size()));
      return;
    case graph::job_status::canceled:
      ++outcome_.jobs_ended_otherwise;
      if (!job.may_be_cancelled) violation("job " + name + " was cancelled by nobody");
      return;
    case graph::job_status::failed: {
      ++outcome_.jobs_ended_otherwise;
      const bool by_function = cause.find("refused record") != std::string::npos;
      if (!result.cause) violation("job " + name + " failed without a cause");
      if (by_function && !throws) violation("job " + name + " failed by what it has not: " + cause);
      if (job.spec->is_checkpointed)
        violation("job " + name + " failed though it may always be restarted: " + cause);
      if (!by_function && !has_failed_)
        violation("job " + name + " failed though nothing else did: " + cause);
      if (result.cause &&
          (result.cause->code == errc::internal || result.cause->code == errc::protocol) &&
          !by_function)
        violation("job " + name + " failed by a defect of the engine: " + cause);
      return;
    }
    default:
      violation("job " + name + " was reported before it had ended");
  }
}

/// Nothing may be left behind.
void simulation::check_rest() {
  world_.desk->nodes.reset();
  const auto slots_return = [&] {
    if (!world_.desk->wants_nodes && !all_slots_are_free()) {
      world_.desk->wants_nodes = true;
      wake_client(on(plan_.client_machine())->client());
    }
    return all_slots_are_free();
  };
  if (!run_until(slots_return, seconds(30))) {
    std::string seen;
    if (world_.desk->nodes)
      for (const auto& node : world_.desk->nodes->nodes)
        seen += " " + node.address + ":" + std::to_string(node.slots_free) + "/" +
                std::to_string(node.slots);
    return violation("the slots that are registered and free are not all there are:" + seen);
  }
  const auto expected_on = [](const process& p) {
    std::vector<std::string> expected;
    if (p.has_master())
      expected = {"millrace.dispatcher", "millrace.master", "millrace.resource_manager"};
    if (p.has_task_manager()) expected.push_back("millrace.task_manager");
    return expected;
  };
  const auto is_tidy = [&](const process& p) {
    return p.host().live_actors() == expected_on(p) && p.programs_loaded() == 0 && p.io().is_idle();
  };
  const auto all_tidy = [&] {
    return std::all_of(processes_.begin(), processes_.end(),
                       [&](const auto& p) { return !p || is_tidy(*p); }) &&
           unfinished_files().empty() && checkpoints_left().empty();
  };
  if (run_until(all_tidy, seconds(30))) return check_timers();
  for (const auto& p : processes_) {
    if (!p || is_tidy(*p)) continue;
    std::string left;
    for (const auto& a : p->host().live_actors()) left += " " + a;
    violation("left on n" + std::to_string(p->machine()) + ":" + left + ", " +
              std::to_string(p->programs_loaded()) + " programs" +
              (p->io().is_idle() ? "" : ", I/O"));
  }
  for (const auto& path : unfinished_files()) violation("the file " + path + " is left");
  for (const auto& problem : checkpoints_left()) violation(problem);
}

/// CAF keeps the timeout of a request until it is due, answered or not; only what repeats may stay.
/// Not after every run, since a minute of heartbeats is as many steps again.
void simulation::check_timers() {
  if (plan_.seed % 16 != 0) return;
  run_for(seconds(65));
  for (const auto& p : processes_)
    if (p && p->host().pending_timers() >
                 repeating_timers_max + (p->client() ? world_.desk->stops_asked : 0))
      violation(std::to_string(p->host().pending_timers()) + " timers are left on n" +
                std::to_string(p->machine()));
}

/// What the client was told of is the user's, unless a job has claimed it: nobody may remove it.
void simulation::check_savepoints() {
  for (const auto& job : jobs_) {
    if (const auto& told = job->at_client->stopped_with; !told.empty() && told != job->stopped_with)
      violation("job " + job->at_client->graph.name +
                " was said to be stopped with the savepoint '" + told + "', not with '" +
                job->stopped_with + "'");
    for (const auto& location : job->at_client->savepoints) {
      if (claimed_.contains(location)) continue;
      if (const auto whole = check_snapshot_files(*world_.files, location); !whole)
        violation("the savepoint '" + location +
                  "' is not there, or damaged: " + whole.error().message);
    }
  }
}

/// What nobody will finish where storage or a process has failed does not count; nor do parts that
/// a checkpoint may have of a job that was cancelled.
std::vector<std::string> simulation::unfinished_files() const {
  if (storage_failed_ || has_failed_) return {};
  for (const auto& job : jobs_)
    // What is open in a savepoint stays for whoever goes on from there.
    if (job->spec->is_checkpointed && (job->may_be_cancelled || !job->stopped_with.empty()))
      return {};
  auto paths = world_.files->paths();
  std::erase_if(paths, [](const std::string& path) {
    return !path.ends_with(".part") && path.find(".inprogress") == std::string::npos &&
           !path.starts_with("/ha/default/graphs/") && !path.starts_with("/ha/default/ledgers/");
  });
  return paths;
}

std::vector<std::string> simulation::checkpoints_left() {
  if (storage_failed_) return {};
  // Kept are only those of a job that was cancelled, if that is what it is to be.
  std::size_t kept = 0;
  for (const auto& job : jobs_)
    if (const auto& result = job->at_client->result;
        result && result->status == graph::job_status::canceled &&
        plan_.config.get(options::checkpoints_retention) == "retain-on-cancellation")
      // A master that dies may have left the one to be removed next.
      kept = plan_.config.get(options::checkpoints_retained) + (has_failed_ ? 1 : 0);
  return checkpoints_.problems_at_end(kept);
}

// -- steps ----------------------------------------------------------------------------------------

void simulation::note(const char* what, std::size_t machine, std::size_t which) {
  auto mix = [&](std::uint64_t word) {
    outcome_.trace_hash = (outcome_.trace_hash ^ word) * 1099511628211u;
  };
  mix(static_cast<std::uint64_t>(what[0]));
  mix(machine);
  mix(which);
  mix(static_cast<std::uint64_t>((now_ - start_).count()));
  if (options_.trace != nullptr)
    *options_.trace << outcome_.steps << ' ' << (now_ - start_).count() / 1000 << " us n" << machine
                    << ' ' << what << ' ' << which << '\n';
}

void simulation::collect_choices() {
  choices_.clear();
  alternatives_ = 0;
  const auto offer = [&](choice::kind what, process* who, std::size_t count) {
    if (count == 0) return;
    choices_.push_back({what, who, 0, count});
    alternatives_ += count;
  };
  for (auto& p : processes_) {
    if (!p || p->paused) continue;
    auto& host = p->host();
    host.set_time(now_);
    offer(choice::kind::actor, p.get(), host.ready_actors());
    if (p->broker_may_run) offer(choice::kind::broker, p.get(), 1);
    if (const auto due = host.next_timer(); due && *due + p->timer_delay <= now_)
      offer(choice::kind::timer, p.get(), 1);
    offer(choice::kind::io, p.get(), p->io().due_count());
  }
  events_.clear();
  network_.collect(events_);
  offer(choice::kind::network, nullptr, events_.size());
}

void simulation::take(const choice& c, std::size_t which) {
  switch (c.what) {
    case choice::kind::actor: {
      auto& host = c.who->host();
      note("actor", c.who->machine(), which);
      host.run_actor(which);
      for (unsigned i = 1; i < plan_.scheduler.burst && host.ready_actors() != 0; ++i) {
        ++outcome_.steps;
        host.run_actor(0);
      }
      c.who->broker_may_run = true;
      return;
    }
    case choice::kind::broker:
      c.who->broker_may_run = c.who->host().run_broker();
      if (c.who->broker_may_run) note("broker", c.who->machine(), 0);
      return;
    case choice::kind::timer:
      note("timer", c.who->machine(), 0);
      c.who->host().fire_timer();
      c.who->timer_delay = duration(random_.between(0, c.who->timer_delay_max.count()));
      c.who->broker_may_run = true;
      return;
    case choice::kind::io:
      note("io", c.who->machine(), which);
      c.who->io().run_due(which);
      return;
    case choice::kind::network:
      note("network", 0, which);
      network_.run(events_[which]);
      for (auto& p : processes_)
        if (p) p->broker_may_run = true;
      return;
  }
}

bool simulation::step() {
  while (!agenda_.empty() && agenda_.begin()->first <= now_) {
    const auto next = agenda_.extract(agenda_.begin());
    next.mapped()();
  }
  while (!calm_ && next_fault_ < plan_.faults.size() &&
         plan_.faults[next_fault_].at_step <= outcome_.steps) {
    const auto number = next_fault_++;
    if (!options_.without.contains(number)) apply(plan_.faults[number]);
  }
  look_after_processes();

  collect_choices();
  if (alternatives_ == 0) return pass_time();
  ++outcome_.steps;
  now_ += plan_.scheduler.step_time;
  if (outcome_.steps % steps_per_look == 0 && !storage_failed_) checkpoints_.look();
  network_.set_time(now_);
  for (int tries = 0;; ++tries) {
    auto which = random_.below(alternatives_);
    const choice* chosen = choices_.data();
    while (which >= chosen->count) which -= (chosen++)->count;
    const bool is_slow = chosen->who != nullptr &&
                         chosen->who->machine() == plan_.scheduler.slow_machine &&
                         random_.chance(plan_.scheduler.slow_percent);
    if (is_slow && tries < 8) continue;
    take(*chosen, which);
    return true;
  }
}

/// Nothing can happen now: goes to the time when something can.
bool simulation::pass_time() {
  std::optional<time_point> next = network_.next_due();
  const auto consider = [&](std::optional<time_point> when) {
    if (when && (!next || *when < *next)) next = when;
  };
  if (!agenda_.empty()) consider(agenda_.begin()->first);
  for (auto& p : processes_) {
    if (!p || p->paused) continue;
    if (const auto due = p->host().next_timer()) consider(*due + p->timer_delay);
    consider(p->io().next_due());
  }
  if (!next) return false;
  now_ = std::max(*next, now_);
  network_.set_time(now_);
  return true;
}

bool simulation::run_until(const std::function<bool()>& done, duration limit) {
  const auto until = now_ + limit;
  const auto last_step = outcome_.steps + steps_max;
  for (unsigned i = 0;; ++i) {
    if (i % 16 == 0 && done()) return true;
    if (now_ > until || outcome_.steps > last_step || !step()) return done();
  }
}

void simulation::run_for(duration span) {
  run_until([] { return false; }, span);
}

// -- the world around -----------------------------------------------------------------------------

void simulation::at(time_point when, std::function<void()> what) {
  last_trouble_ = std::max(last_trouble_, when);
  agenda_.emplace(when, std::move(what));
}

void simulation::start_machine(std::size_t machine) {
  if (processes_[machine] || gone_.contains(machine)) return;
  auto p = std::make_unique<process>(world_, machine, now_, process_seeds_.fork());
  p->io().set_latency(plan_.storage_latency);
  if (machine == plan_.client_machine())
    p->start_client();
  else
    p->start_node(plan_.machines[machine], plan_.config);
  processes_[machine] = std::move(p);
}

void simulation::end_process(std::size_t machine) {
  if (auto* p = on(machine); p->has_master()) lost_master_ = true;
  processes_[machine].reset();
}

void simulation::look_after_processes() {
  for (std::size_t m = 0; m < plan_.machines.size(); ++m) {
    auto* p = on(m);
    if (p == nullptr) continue;
    if (p->wants_to_end || p->has_lost_office()) {
      // As a supervisor of the operating system would.
      end_process(m);
      at(now_ + seconds(1), [this, m] { start_machine(m); });
    } else if (p->leaving && p->has_left()) {
      p->leave_in_order = true;
      end_process(m);
    }
  }
}

void simulation::cut(std::size_t from, std::size_t to, int change) {
  auto& count = cuts_[{from, to}];
  count += change;
  network_.set_cut(from, to, count > 0);
}

void simulation::heal_later(const fault& f, std::function<void()> heal) {
  at(now_ + f.length, std::move(heal));
}

void simulation::replace_master(const fault& f) {
  if (on(0) == nullptr || on(0)->paused) return;
  lost_master_ = true;
  const auto which = processes_.size();
  auto* former = processes_.emplace_back(std::move(processes_[0])).get();
  former->paused = true;
  network_.set_paused(former->net_id(), true);
  network_.cut_off(former->net_id());
  start_machine(0);
  at(now_ + f.length, [this, former] {
    former->paused = false;
    network_.set_paused(former->net_id(), false);
  });
  at(now_ + 2 * f.length, [this, which] { processes_[which].reset(); });
}

void simulation::apply(const fault& f) {
  if (options_.trace != nullptr) *options_.trace << "fault " << to_string(f) << '\n';
  if (may_fail_jobs(f, plan_.timing.latency_max)) has_failed_ = true;
  last_trouble_ = std::max(last_trouble_, now_);
  auto* p = on(f.a);
  const auto a = f.a;
  const auto b = f.b;
  // What is undone must still be the same process.
  const auto still = [this, a, id = p != nullptr ? p->net_id() : 0] {
    return on(a) != nullptr && on(a)->net_id() == id;
  };
  switch (f.kind) {
    case fault_kind::crash:
      if (p != nullptr) end_process(a);
      return heal_later(f, [this, a] { start_machine(a); });
    case fault_kind::pause:
      if (p == nullptr || p->paused) return;
      p->paused = true;
      network_.set_paused(p->net_id(), true);
      return heal_later(f, [this, p, still] {
        if (!still()) return;
        p->paused = false;
        network_.set_paused(p->net_id(), false);
      });
    case fault_kind::cut:
      cut(a, b, 1);
      cut(b, a, 1);
      return heal_later(f, [this, a, b] {
        cut(a, b, -1);
        cut(b, a, -1);
      });
    case fault_kind::cut_one_way:
      cut(a, b, 1);
      return heal_later(f, [this, a, b] { cut(a, b, -1); });
    case fault_kind::slow_link:
      network_.set_slowness(a, b, f.amount);
      network_.set_slowness(b, a, f.amount);
      return heal_later(f, [this, a, b] {
        network_.set_slowness(a, b, 1);
        network_.set_slowness(b, a, 1);
      });
    case fault_kind::storage_fails:
    case fault_kind::storage_torn:
    case fault_kind::storage_unsure: {
      storage_failed_ = true;
      if (p == nullptr) return;
      auto& percent = f.kind == fault_kind::storage_fails  ? p->storage().fail_percent
                      : f.kind == fault_kind::storage_torn ? p->storage().torn_percent
                                                           : p->storage().unsure_percent;
      percent = f.amount;
      return heal_later(f, [&percent, still] {
        if (still()) percent = 0;
      });
    }
    case fault_kind::storage_slow:
      if (p == nullptr) return;
      p->io().set_latency(milliseconds(f.amount));
      return heal_later(f, [this, p, still] {
        if (still()) p->io().set_latency(plan_.storage_latency);
      });
    case fault_kind::timers_late:
      if (p == nullptr) return;
      p->timer_delay_max = milliseconds(f.amount);
      return heal_later(f, [p, still] {
        if (still()) p->timer_delay_max = p->timer_delay = duration(0);
      });
    case fault_kind::master_hangs:
      return replace_master(f);
    case fault_kind::library_lost:
      for (const auto& path : world_.files->paths())
        if (path.starts_with(process::blob_directory(a)))
          static_cast<void>(world_.files->remove(path));
      return;
    case fault_kind::dispatcher_dies:
    case fault_kind::resource_manager_dies:
    case fault_kind::job_master_dies:
      if (auto* master = on(0))
        master->host().kill_actor(f.kind == fault_kind::dispatcher_dies ? "millrace.dispatcher"
                                  : f.kind == fault_kind::job_master_dies
                                      ? "millrace.job_master"
                                      : "millrace.resource_manager");
      return;
    case fault_kind::task_dies:
      if (p != nullptr) p->host().kill_actor("millrace.task", f.amount);
      return;
  }
}

}  // namespace millrace::sim
