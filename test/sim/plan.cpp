#include "sim/plan.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "millrace/core/options.hpp"

namespace millrace::sim {

using std::chrono::milliseconds;

const std::vector<std::string_view> scenarios = {
    "keyed_count", "submit",  "many", "cancel", "throw", "library",     "late",
    "leave",       "restart", "calm", "faults", "any",   "checkpoints", "masters"};

/// Those at the begin of the list that `any` chooses from.
constexpr std::size_t plain_scenarios = 10;

namespace {

milliseconds up_to(std::int64_t most, random_source& random) {
  // Short and long times alike.
  const auto scale = random.between(0, 3);
  return milliseconds(random.between(0, std::max<std::int64_t>(most >> (3 * scale), 1)));
}

void set(configuration& config, std::string_view key, const std::string& value) {
  if (auto ok = config.set(key, value, "the simulation"); !ok)
    throw std::logic_error(ok.error().message);
}

void plan_machines(plan& p, random_source& random) {
  const auto nodes = static_cast<std::size_t>(random.between(2, 4));
  p.machines.resize(nodes);
  for (auto& m : p.machines) m.slots = static_cast<std::uint32_t>(random.between(1, 3));
  p.machines[0].has_master = true;
  p.machines[0].has_task_manager = random.chance(40);
}

std::uint32_t slots_of_cluster(const plan& p) {
  std::uint32_t slots = 0;
  for (const auto& m : p.machines)
    if (m.has_task_manager) slots += m.slots;
  return slots;
}

void plan_configuration(plan& p, random_source& random) {
  set(p.config, "heartbeat.interval", "1000 ms");
  set(p.config, "heartbeat.timeout", "5000 ms");
  set(p.config, "slot.request.timeout", "40 s");
  set(p.config, "task.cancellation.timeout", "15 s");
  if (random.chance(60)) set(p.config, "taskmanager.network.channel-bytes", "4096 b");
  if (random.chance(60)) set(p.config, "taskmanager.network.batch-bytes", "1024 b");
  if (random.chance(60))
    set(p.config, "taskmanager.network.batch-rows",
        std::to_string(random.chance(50) ? random.between(1, 8) : random.between(8, 100)));
  if (random.chance(30)) {
    p.timing.latency_max = milliseconds(random.between(1, 30));
    p.storage_latency = milliseconds(random.between(1, 30));
  }
}

void plan_scheduling(plan& p, random_source& random) {
  if (random.chance(50)) p.scheduler.burst = static_cast<unsigned>(random.between(2, 20));
  p.scheduler.slow_machine = static_cast<std::size_t>(random.below(p.machines.size()));
  if (random.chance(40)) p.scheduler.slow_percent = static_cast<unsigned>(random.between(50, 99));
  p.scheduler.step_time = std::chrono::microseconds(random.between(1, 40));
}

planned_job plan_job(const plan& p, random_source& random) {
  planned_job job;
  const auto shape = job_shapes[random.below(job_shapes.size())];
  const auto width = std::min<std::uint32_t>(slots_of_cluster(p), 4);
  job.spec = make_job_spec(shape, width, random);
  if (random.chance(30))
    // Spread over some virtual time, so that whatever happens meets it at work.
    for (auto& b : job.spec.branches)
      b.per_second =
          static_cast<double>(b.rows + 1) * 1000 / static_cast<double>(random.between(5, 4000));
  job.spec.needs_library = random.chance(30);
  return job;
}

fault plan_fault(const plan& p, random_source& random) {
  // Crashes and cuts are what the protocols are about.
  static constexpr fault_kind kinds[] = {
      fault_kind::crash,         fault_kind::crash,        fault_kind::pause,
      fault_kind::pause,         fault_kind::cut,          fault_kind::cut,
      fault_kind::cut_one_way,   fault_kind::cut_one_way,  fault_kind::slow_link,
      fault_kind::storage_fails, fault_kind::storage_torn, fault_kind::storage_slow,
      fault_kind::timers_late,   fault_kind::library_lost};
  fault f;
  const auto scale = random.between(0, 4);
  f.at_step = random.below(std::uint64_t{6000} >> scale);
  f.kind = kinds[random.below(std::size(kinds))];
  f.a = static_cast<std::size_t>(random.below(p.machines.size()));
  f.b = static_cast<std::size_t>(random.below(p.machines.size() + 1));
  if (f.b == f.a) f.b = (f.a + 1) % p.machines.size();
  if (random.chance(50)) std::swap(f.a, f.b);
  f.length = milliseconds(1) + up_to(20'000, random);
  switch (f.kind) {
    case fault_kind::slow_link:
      f.amount = static_cast<unsigned>(random.between(2, 200));
      break;
    case fault_kind::storage_fails:
    case fault_kind::storage_torn:
      f.amount = random.chance(30) ? 100 : static_cast<unsigned>(random.between(5, 50));
      break;
    case fault_kind::storage_slow:
      f.amount = static_cast<unsigned>(random.between(5, 500));
      break;
    case fault_kind::timers_late:
      f.amount = static_cast<unsigned>(random.between(1, 2000));
      break;
    default:
      break;
  }
  const bool on_one = f.kind != fault_kind::cut && f.kind != fault_kind::cut_one_way &&
                      f.kind != fault_kind::slow_link;
  // The client's own process is not what is tested.
  if (on_one && f.a == p.client_machine()) std::swap(f.a, f.b);
  return f;
}

void sort_by_step(std::vector<fault>& faults) {
  std::sort(faults.begin(), faults.end(),
            [](const fault& x, const fault& y) { return x.at_step < y.at_step; });
}

void plan_faults(plan& p, std::size_t most, random_source& random) {
  const auto count = 1 + random.below(most);
  for (std::uint64_t i = 0; i < count; ++i) p.faults.push_back(plan_fault(p, random));
  sort_by_step(p.faults);
}

/// The job that speed is measured with.
void plan_keyed_count(plan& p, random_source& random) {
  p.machines.assign(4, {});
  p.machines[0].has_master = true;
  p.machines[0].has_task_manager = false;
  p.probes = false;
  p.jobs.push_back({make_job_spec("keyed_count", 4, random), milliseconds(0), std::nullopt});
}

/// Barriers overtake records, at once or when they wait for long; there is more to overtake where
/// something is slow and channels are narrow.
void plan_unaligned(plan& p, random_source& random) {
  set(p.config, "execution.checkpointing.unaligned.enabled", "true");
  set(p.config, "execution.checkpointing.max-concurrent-checkpoints", "1");
  if (random.chance(40))
    set(p.config, "execution.checkpointing.aligned-checkpoint-timeout",
        std::to_string(random.between(1, random.chance(50) ? 20 : 400)) + " ms");
  set(p.config, "taskmanager.network.batch-rows", std::to_string(random.between(1, 12)));
  if (random.chance(70)) {
    // No fewer than a window of a few batches.
    set(p.config, "taskmanager.network.batch-bytes", "1024 b");
    set(p.config, "taskmanager.network.channel-bytes", "4096 b");
    p.jobs.back().spec.slow_us = random.between(100, random.chance(50) ? 2'000 : 30'000);
  }
}

/// Something is about to be stored or removed at all times, while tasks die, and come back soon.
void plan_slow_storage(plan& p, random_source& random) {
  p.storage_latency = milliseconds(random.between(10, 200));
  set(p.config, "execution.checkpointing.interval",
      std::to_string(random.between(10, 200)) + " ms");
  set(p.config, "restart-strategy.fixed-delay.delay",
      std::to_string(random.between(1, 20)) + " ms");
  for (auto deaths = random.between(2, 8); deaths > 0; --deaths) {
    fault f;
    f.kind = fault_kind::task_dies;
    f.at_step = random.below(8'000);
    f.a = static_cast<std::size_t>(random.below(p.machines.size()));
    f.amount = static_cast<unsigned>(random.below(16));
    p.faults.push_back(f);
  }
}

/// State is in files, of which a checkpoint stores those that its base does not have.
void plan_shared_files(plan& p, random_source& random) {
  set(p.config, "state.backend.type", "rocksdb");
  set(p.config, "state.storage.fs.memory-threshold", "0");
  set(p.config, "state.checkpoints.num-retained", std::to_string(random.between(1, 3)));
  keep_counts_as_state(p.jobs.back().spec);
}

/// The master's process hangs, mostly while something is being stored or just as it begins, and
/// another one takes over, which itself may have to begin anew.
void plan_former_master(plan& p, random_source& random) {
  fault begins_anew;
  begins_anew.kind = fault_kind::dispatcher_dies;
  fault f;
  f.kind = fault_kind::master_hangs;
  f.at_step = random.below(random.chance(50) ? 4'000 : 20'000);
  f.length = milliseconds(1) + up_to(20'000, random);
  if (random.chance(50)) {
    begins_anew.at_step = f.at_step;
    p.faults.push_back(begins_anew);
    f.at_step += random.below(400);
  }
  p.faults.push_back(f);
  if (random.chance(50)) return;
  begins_anew.at_step = f.at_step + random.below(4'000);
  p.faults.push_back(begins_anew);
}

/// The storage of the master's process fails, or does what it is told and says that it has failed,
/// mostly until the process dies. One checkpoint that fails, or a few, are too many.
void plan_unsure_storage(plan& p, random_source& random) {
  set(p.config, "execution.checkpointing.tolerable-failed-checkpoints",
      std::to_string(random.between(0, 2)));
  fault f;
  f.kind = fault_kind::storage_unsure;
  f.at_step = random.below(random.chance(50) ? 4'000 : 20'000);
  f.length = milliseconds(1) + up_to(20'000, random);
  f.amount = static_cast<unsigned>(random.between(2, 60));
  p.faults.push_back(f);
  if (random.chance(30)) return;
  f.kind = random.chance(50) ? fault_kind::job_master_dies : fault_kind::crash;
  f.at_step += random.below(2'000);
  f.length = milliseconds(1) + up_to(5'000, random);
  p.faults.push_back(f);
}

/// Splits are handed out while the job runs, as fast as it takes them or at some rate.
void plan_asking_sources(plan& p, random_source& random) {
  auto& spec = p.jobs.back().spec;
  if (spec.has_latecomer) return;
  for (auto& branch : spec.branches) {
    if (branch.from_file || branch.time != time_kind::none) continue;
    branch.rows_per_split = 1 + random.below(3);
    if (random.chance(50)) continue;
    branch.per_second = 0;
    if (spec.slow_us == 0) spec.slow_us = random.between(500, 8000);
  }
}

/// An aligned barrier waits for all that is ahead of it, at most for all that there is: that gets
/// through what is slow long before a checkpoint is given up.
void limit_slowness(job_spec& spec) {
  constexpr std::chrono::microseconds most = ample_checkpoint_timeout / 2;
  if (const auto rows = static_cast<std::int64_t>(interpret(spec).size()); rows != 0)
    spec.slow_us = std::min(spec.slow_us, most.count() / rows);
}

/// Mostly while the job runs, some right behind another one, some when all faults are over.
void plan_savepoints(planned_job& job, random_source& random) {
  auto& times = job.savepoints_after;
  for (auto count = random.between(1, 3); count > 0; --count) {
    if (!times.empty() && random.chance(40)) {
      times.push_back(times.back() + milliseconds(random.between(0, 30)));
      continue;
    }
    const auto latest = random.chance(50) ? 1'500 : random.chance(70) ? 8'000 : 40'000;
    times.emplace_back(random.between(20, latest));
  }
  std::sort(times.begin(), times.end());
}

/// Mostly while the job runs.
void plan_stops(planned_job& job, random_source& random) {
  for (auto count = random.chance(70) ? 1 : 2; count > 0; --count)
    job.stops_after.emplace_back(random.between(20, random.chance(60) ? 1'500 : 8'000));
  job.claims = random.chance(40);
  // Windows that end early give rows that no other run gives; and a file that a subtask has
  // finished can't be gone on with, if the job is restarted as it stops (docs/savepoints.md).
  job.drains = job.spec.stage.kind == stage_kind::none && random.chance(25) && !job.spec.to_file;
}

/// A job whose sinks commit with checkpoints, while task managers come and go, and masters, too.
/// How often, in per cent, the master's process is replaced while it hangs, and has a storage that
/// does not do what it says, are `replaced` and `unsure`.
void plan_checkpoints(plan& p, unsigned replaced, unsigned unsure, random_source& random) {
  set(p.config, "state.checkpoints.dir", "/checkpoints");
  set(p.config, "execution.checkpointing.interval",
      std::to_string(random.between(20, 600)) + " ms");
  set(p.config, "execution.checkpointing.timeout",
      std::to_string(ample_checkpoint_timeout.count()) + " s");
  set(p.config, "execution.checkpointing.tolerable-failed-checkpoints", "100000");
  set(p.config, "execution.checkpointing.max-concurrent-checkpoints",
      std::to_string(random.between(1, 3)));
  // Small enough for records to come between the slices of a snapshot.
  set(p.config, "state.backend.snapshot-slice", std::to_string(64 << p.seed % 4) + " b");
  set(p.config, "state.checkpoints.num-retained", std::to_string(random.between(1, 2)));
  set(p.config, "state.storage.fs.memory-threshold", random.chance(50) ? "0" : "20 kb");
  set(p.config, "restart-strategy.type", "fixed-delay");
  set(p.config, "restart-strategy.fixed-delay.attempts", "100000");
  set(p.config, "restart-strategy.fixed-delay.delay",
      std::to_string(random.between(1, 1000)) + " ms");
  set(p.config, "slot.request.timeout", "100 s");
  set(p.config, "high-availability.type", "filesystem");
  set(p.config, "high-availability.storageDir", "/ha");
  const auto width = std::min<std::uint32_t>(slots_of_cluster(p), 4);
  p.jobs.push_back({make_checkpointed_spec(width, random), milliseconds(0), std::nullopt});
  plan_faults(p, 5, random);
  // An actor of the master's, in half of all runs.
  static constexpr fault_kind actors[] = {
      fault_kind::dispatcher_dies, fault_kind::resource_manager_dies, fault_kind::job_master_dies};
  if (random.chance(50)) {
    fault f;
    f.kind = actors[random.below(std::size(actors))];
    p.faults.push_back(f);
  }
  std::erase_if(p.faults, [](const fault& f) { return f.kind == fault_kind::library_lost; });
  for (auto& f : p.faults) f.at_step = random.below(20'000);
  plan_scheduling(p, random);
  if (random.chance(50)) plan_unaligned(p, random);
  if (random.chance(50)) plan_slow_storage(p, random);
  if (random.chance(10)) take_exchanges_out(p.jobs.back().spec);
  if (random.chance(40)) plan_shared_files(p, random);
  if (random.chance(70)) plan_asking_sources(p, random);
  if (random.chance(10)) {
    p.jobs.back().cancel_after = milliseconds(random.between(100, 5000));
    if (random.chance(70))
      set(p.config, "execution.checkpointing.externalized-checkpoint-retention",
          "retain-on-cancellation");
  }
  // Behind all others, so that seeds without these are what they were before.
  if (random.chance(replaced)) plan_former_master(p, random);
  const bool is_unsure = random.chance(unsure);
  if (is_unsure) plan_unsure_storage(p, random);
  if (random.chance(25)) set_timers_for_windows(p.jobs.back().spec);
  sort_by_step(p.faults);
  limit_slowness(p.jobs.back().spec);
  // Given up are those, too, that are slow, unless few may fail.
  if (random.chance(25) && !is_unsure) set(p.config, "execution.checkpointing.timeout", "5 s");
  if (random.chance(30)) plan_savepoints(p.jobs.back(), random);
  if (!p.jobs.back().cancel_after && random.chance(30)) plan_stops(p.jobs.back(), random);
}

}  // namespace

plan make_plan(std::string_view scenario, std::uint64_t seed) {
  if (std::find(scenarios.begin(), scenarios.end(), scenario) == scenarios.end())
    throw std::invalid_argument("no scenario is called '" + std::string(scenario) + "'");
  random_source random(seed);
  plan p;
  p.seed = seed;
  if (scenario == "any") {
    // Half of all runs are about faults in the midst of everything.
    const auto choice = random.below(2 * plain_scenarios);
    scenario = choice < plain_scenarios ? scenarios[choice] : "faults";
  }
  p.scenario = scenario;
  plan_machines(p, random);
  plan_configuration(p, random);
  if (scenario == "keyed_count") {
    p.config = configuration();
    plan_keyed_count(p, random);
    plan_scheduling(p, random);
    return p;
  }

  if (scenario == "checkpoints") {
    plan_checkpoints(p, 15, 10, random);
    return p;
  }
  if (scenario == "masters") {
    plan_checkpoints(p, 70, 70, random);
    return p;
  }
  const auto is = [&](std::string_view name) { return scenario == name; };
  const auto jobs = is("many") ? random.between(2, 5) : is("faults") ? random.between(1, 3) : 1;
  for (std::int64_t i = 0; i < jobs; ++i) {
    p.jobs.push_back(plan_job(p, random));
    if (i > 0) p.jobs.back().submit_after = up_to(2000, random);
  }
  auto& job = p.jobs.front();
  if (is("cancel") || (is("faults") && random.chance(25))) job.cancel_after = up_to(3000, random);
  // One that would end by itself only long after it must have ended.
  if (is("cancel") && random.chance(50))
    for (auto& b : job.spec.branches) b.per_second = static_cast<double>(b.rows + 1) / 36'000;
  if (is("throw") || (is("faults") && random.chance(15))) {
    job.spec.throws_at =
        random.between(0, static_cast<std::int64_t>(job.spec.branches[0].rows) - 1);
    job.spec.branches[0].rows = std::max<std::uint64_t>(job.spec.branches[0].rows, 1);
  }
  if (is("library")) {
    job.spec.needs_library = true;
    fault lost;
    lost.kind = fault_kind::library_lost;
    lost.at_step = random.below(1500);
    lost.a = static_cast<std::size_t>(random.below(p.machines.size()));
    p.faults.push_back(lost);
  }
  auto& last = p.machines.back();
  if (is("late") || (is("faults") && random.chance(20))) last.starts_after = up_to(10'000, random);
  if (is("leave") || (is("faults") && random.chance(15))) last.leaves_after = up_to(4000, random);
  if (is("restart")) {
    fault crash;
    crash.at_step = random.below(3000);
    crash.length = milliseconds(1) + up_to(10'000, random);
    p.faults.push_back(crash);
  }
  if (is("faults")) plan_faults(p, 5, random);
  if (is("calm")) {
    plan_faults(p, 40, random);
    std::erase_if(p.faults, [&](const fault& f) { return may_fail_jobs(f, p.timing.latency_max); });
    if (p.faults.size() > 6) p.faults.resize(6);
  }
  plan_scheduling(p, random);
  return p;
}

std::string to_string(const plan& p) {
  std::ostringstream text;
  text << "seed " << p.seed << " scenario " << p.scenario << '\n';
  for (std::size_t i = 0; i < p.machines.size(); ++i) {
    const auto& m = p.machines[i];
    text << "  n" << i << (m.has_master ? " master" : "");
    if (m.has_task_manager) text << " task manager with " << m.slots << " slots";
    if (m.starts_after.count() != 0) text << ", starts after " << m.starts_after.count() << " ms";
    if (m.leaves_after) text << ", leaves after " << m.leaves_after->count() << " ms";
    text << '\n';
  }
  text << "  n" << p.client_machine() << " client\n";
  for (const auto& j : p.jobs) {
    text << "  job " << to_string(j.spec) << " after " << j.submit_after.count() << " ms";
    if (j.cancel_after) text << ", cancelled after " << j.cancel_after->count() << " ms";
    for (const auto& after : j.savepoints_after)
      text << ", savepoint after " << after.count() << " ms";
    for (const auto& after : j.stops_after) text << ", stopped after " << after.count() << " ms";
    if (j.drains) text << ", drained";
    if (j.claims) text << ", savepoints claimed";
    text << '\n';
  }
  if (const auto timeout = p.config.get(options::checkpointing_timeout);
      timeout < ample_checkpoint_timeout)
    text << "  checkpoints are given up after " << timeout.count() << " ms\n";
  for (std::size_t i = 0; i < p.faults.size(); ++i)
    text << "  fault " << i << " " << to_string(p.faults[i]) << '\n';
  return text.str();
}

}  // namespace millrace::sim
