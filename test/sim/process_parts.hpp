#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "millrace/actors/io_pool.hpp"
#include "millrace/actors/program_provider.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/io.hpp"
#include "sim/random.hpp"
#include "sim/sim_host.hpp"
#include "support/memory_files.hpp"

// What a simulated process gets instead of the operating system.

namespace millrace::sim {

/// A process' clock: its host's time.
class sim_clock final : public clock {
 public:
  explicit sim_clock(const sim_host& host) : host_(host) {}
  time_point now() const noexcept override { return host_.now(); }
  std::int64_t wall_ms() const noexcept override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(now().time_since_epoch()).count();
  }

 private:
  const sim_host& host_;
};

/// A process' I/O threads: a job runs at once and as a whole, but later, in an order that the
/// simulation chooses.
class sim_io final : public io_backend {
 public:
  sim_io(const sim_host& host, random_source random) : host_(host), random_(random) {}

  void run(std::function<void()> job) override;

  /// Every job takes up to this long.
  void set_latency(duration longest) { latency_ = longest; }
  std::size_t due_count() const;
  void run_due(std::size_t which);
  std::optional<time_point> next_due() const;
  void drop_all() { jobs_.clear(); }
  bool is_idle() const { return jobs_.empty(); }

 private:
  const sim_host& host_;
  random_source random_;
  duration latency_ = std::chrono::microseconds(300);
  std::vector<std::pair<time_point, std::function<void()>>> jobs_;
};

/// What is wrong with a process' storage.
struct storage_faults {
  bool dead = false;          ///< The process is gone: nothing has an effect.
  unsigned fail_percent = 0;  ///< Of all calls.
  unsigned torn_percent = 0;  ///< Of all appends: part is written, then they fail.
  /// Of all calls that change or sync something, but for appends: they fail. As many others are
  /// done, and then reported as failed.
  unsigned unsure_percent = 0;
};

/// A process' view of the cluster's files.
class sim_files final : public file_system {
 public:
  sim_files(std::shared_ptr<test::memory_files> files, std::shared_ptr<storage_faults> faults,
            random_source random)
      : files_(std::move(files)), faults_(std::move(faults)), random_(random) {}

  result<file_info> stat(const std::string& path) override;
  result<std::vector<file_info>> list(const std::string& directory) override;
  result<std::unique_ptr<file_reader>> open_reader(const std::string& path) override;
  result<std::unique_ptr<file_writer>> open_writer(const std::string& path,
                                                   write_mode mode) override;
  status create_directories(const std::string& path) override;
  status rename(const std::string& from, const std::string& to) override;
  status remove(const std::string& path) override;
  status sync_directory(const std::string& path) override;

  /// Whether the next call fails.
  status check(const std::string& path);
  /// Has `make` change something, unless that fails, and says how it went, or that it failed.
  template <class Make>
  status change(const std::string& path, Make&& make);

 private:
  std::shared_ptr<test::memory_files> files_;
  std::shared_ptr<storage_faults> faults_;
  random_source random_;
};

/// The programs of all jobs of a run, as if every node had built them from the job's library.
class program_shelf {
 public:
  /// Keeps a program and marks the graph with its number, among the job's arguments.
  void add(graph::job_graph& graph, std::shared_ptr<const job_program> program);
  std::shared_ptr<const job_program> find(const graph::job_graph& graph) const;

 private:
  std::map<std::string, std::shared_ptr<const job_program>> programs_;
};

/// A node's program provider. Jobs with an artifact need its file on the node.
class sim_programs final : public program_provider {
 public:
  sim_programs(std::shared_ptr<const program_shelf> shelf, std::shared_ptr<file_system> files)
      : shelf_(std::move(shelf)), files_(std::move(files)) {}

  bool needs_artifact(const graph::job_graph& graph) const override {
    return !graph.artifact.empty();
  }
  result<std::shared_ptr<const job_program>> load(const job_id& job, const graph::job_graph& graph,
                                                  const std::string& library) override;
  void release(const job_id& job) override { loaded_.erase(job); }

  std::size_t loaded_count() const { return loaded_.size(); }

 private:
  std::shared_ptr<const program_shelf> shelf_;
  std::shared_ptr<file_system> files_;
  std::set<job_id> loaded_;
};

}  // namespace millrace::sim
