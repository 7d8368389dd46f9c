#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sim/checkpoint_files.hpp"
#include "sim/expired_checkpoints.hpp"
#include "sim/plan.hpp"
#include "sim/process.hpp"
#include "sim/protocol_monitor.hpp"

namespace millrace::sim {

struct run_options {
  std::set<std::size_t> without;  ///< Faults of the plan that are left out, by number.
  std::ostream* trace = nullptr;  ///< Every step and every line of the engine's log.
};

struct run_outcome {
  std::vector<std::string> violations;  ///< None: all is as it must be.
  std::uint64_t steps = 0;
  std::uint64_t trace_hash = 0;  ///< Of every choice that was made.
  duration virtual_time{0};
  std::size_t jobs_finished = 0;
  std::size_t jobs_ended_otherwise = 0;
};

/// Runs a whole cluster, client included, in this thread: the engine's own actors on simulated
/// processes, network, storage and time. Every step is chosen by the plan's seed, so that the same
/// plan runs the same way in any process. As long as it exists the log is its own; then lines go
/// nowhere until somebody else redirects them.
class simulation {
 public:
  explicit simulation(const plan& p, run_options options = {});
  ~simulation();

  run_outcome run();

 private:
  struct choice {
    enum class kind : std::uint8_t { actor, broker, timer, io, network } what;
    process* who = nullptr;
    std::size_t first = 0;  // of the alternatives that this stands for
    std::size_t count = 1;
  };
  /// What a job must come to.
  struct job_record {
    const job_spec* spec = nullptr;
    built_job built;
    std::vector<row> expected;
    client_job* at_client = nullptr;
    bool may_be_cancelled = false;
    std::vector<duration> stops_after{};  // of it, and of those that go on where it stopped
    bool drains = false;                  // at the last of them
    bool claims = false;                  // the savepoints
    bool has_next = false;                // another one goes on
    std::string stopped_with{};           // where the savepoint is, as the storage says
  };

  // The course of a run.
  void start();
  void run_jobs();
  /// Has jobs go on from the savepoints that others were stopped with; whether there are any.
  bool go_on_from_savepoints();
  /// The last savepoint that the job was to stop with and that is complete, wherever it came to its
  /// end; empty if there is none.
  std::string final_savepoint_of(const job_record& job) const;
  void calm_down();
  void run_probe();
  void check_jobs();
  void check_rest();
  void check_timers();
  void check_savepoints();
  std::vector<std::string> unfinished_files() const;
  /// What is wrong with the files of checkpoints when their jobs have ended.
  std::vector<std::string> checkpoints_left();
  void check_job(const job_record& job, std::size_t number);

  // Steps.
  bool step();
  void collect_choices();
  void take(const choice& c, std::size_t which);
  void note(const char* what, std::size_t machine, std::size_t which);
  bool pass_time();
  /// Until `done`, at most so long; whether it was.
  bool run_until(const std::function<bool()>& done, duration limit);
  void run_for(duration span);

  // The world around.
  void at(time_point when, std::function<void()> what);
  void start_machine(std::size_t machine);
  void end_process(std::size_t machine);
  /// See fault_kind::master_hangs.
  void replace_master(const fault& f);
  void apply(const fault& f);
  void heal_later(const fault& f, std::function<void()> heal);
  void cut(std::size_t from, std::size_t to, int change);
  void look_after_processes();
  process* on(std::size_t machine) { return processes_.at(machine).get(); }
  job_record& add_job(const job_spec& spec, time_point submit_at);
  /// As the last of all.
  job_record& add_job(const job_spec& spec, built_job built, time_point submit_at);
  void plan_stop(job_record& job);
  bool has_actor(const std::string& name) const;
  bool all_slots_are_free() const;

  void violation(std::string what) { outcome_.violations.push_back(std::move(what)); }

  const plan& plan_;
  run_options options_;
  run_outcome outcome_;
  random_source random_;
  random_source process_seeds_;
  network network_;
  protocol_monitor monitor_;
  world world_;
  checkpoint_files checkpoints_{*world_.files, "/checkpoints"};
  expired_checkpoints expired_;
  time_point start_{};
  time_point now_{};
  time_point last_trouble_{};
  /// By machine, and behind them masters that others have replaced; null: down.
  std::vector<std::unique_ptr<process>> processes_;
  std::set<std::size_t> gone_;  // machines that have left for ever
  std::multimap<time_point, std::function<void()>> agenda_;
  std::map<std::pair<std::size_t, std::size_t>, int> cuts_;
  std::size_t next_fault_ = 0;
  bool has_failed_ = false;  // a fault that may fail jobs has come
  bool lost_master_ = false;
  bool storage_failed_ = false;
  bool calm_ = false;
  bool in_step_ = false;
  std::vector<std::unique_ptr<job_spec>> own_specs_;
  std::vector<std::unique_ptr<job_record>> jobs_;
  std::set<std::string> claimed_;  // savepoints that belong to jobs
  std::vector<choice> choices_;
  std::size_t alternatives_ = 0;
  std::vector<network::event> events_;
};

}  // namespace millrace::sim
