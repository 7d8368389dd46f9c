#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "millrace/core/configuration.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/graph/job_graph.hpp"
#include "millrace/graph/job_status.hpp"
#include "millrace/stream/accumulator.hpp"
#include "millrace/stream/job_program.hpp"

namespace millrace {

/// What a job that has ended leaves.
struct job_execution_result {
  /// Also in logs and lists.
  job_id job;
  /// As the job or the command line has set it.
  std::string name;
  /// From the submission to the end.
  std::chrono::milliseconds duration{0};
  /// Merged over all subtasks, by name.
  accumulator_map accumulators;
};

/// How far a running job is.
struct job_progress {
  /// Where the job is in its life.
  graph::job_status status = graph::job_status::created;
  std::string waiting_for;           ///< Why it does not run yet, or empty.
  std::uint64_t source_rows = 0;     ///< Emitted by all sources.
  std::uint64_t progress_done = 0;   ///< Of bounded sources,
  std::uint64_t progress_total = 0;  ///< 0 if unknown.
};

/// A submitted job. Thread-safe.
class job_client {
 public:
  virtual ~job_client() = default;

  /// The same for as long as the job is known.
  virtual job_id id() const = 0;
  /// Asks the cluster, so it may take a moment.
  virtual graph::job_status status() = 0;
  /// Asks the cluster, so it may take a moment.
  virtual job_progress progress() = 0;
  /// Asks the job to end; `wait` then reports `errc::cancelled`.
  virtual void cancel() = 0;
  /// Takes a savepoint below `directory` (empty: `state.savepoints.dir`) and blocks until it is
  /// complete: its path.
  virtual result<std::string> savepoint(const std::string& directory);
  /// Stops the sources, takes a savepoint as the last thing that the job does, and blocks until the
  /// job has finished: the savepoint's path. If `drain`, event time ends before, so that windows
  /// and timers fire: for jobs that are not to be resumed.
  virtual result<std::string> stop_with_savepoint(const std::string& directory, bool drain);
  /// Blocks until the job has ended: its result, or why it did not finish.
  virtual result<job_execution_result> wait() = 0;
  /// The same with a limit; nothing if the job still runs.
  virtual std::optional<result<job_execution_result>> wait_for(std::chrono::milliseconds limit) = 0;
};

// Runners for tests may have nothing to take savepoints with.
inline result<std::string> job_client::savepoint(const std::string&) {
  return fail(errc::invalid_argument, "this runner takes no savepoints");
}
inline result<std::string> job_client::stop_with_savepoint(const std::string&, bool) {
  return fail(errc::invalid_argument, "this runner takes no savepoints");
}

/// Runs jobs: a cluster inside this process. Implemented by the actors layer; the API only knows
/// this face.
class job_runner {
 public:
  virtual ~job_runner() = default;
  /// Starts the job; `program` is what it runs in this process.
  virtual result<std::unique_ptr<job_client>> submit(
      graph::job_graph graph, std::shared_ptr<const job_program> program) = 0;
};

/// A runner with one task manager in this process that has at least `slots` slots. Defined in the
/// actors layer, which a program links as part of the library.
result<std::shared_ptr<job_runner>> make_embedded_runner(const configuration& config,
                                                         std::uint32_t slots);

}  // namespace millrace
