#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "millrace/actors/messages.hpp"
#include "millrace/api/job_runner.hpp"
#include "millrace/core/configuration.hpp"

namespace millrace {

/// A connection of a tool to a cluster: each call is one exchange of actor messages with the
/// dispatcher. Thread-safe. Every call blocks for at most the request timeout and then fails with
/// `timeout`; a lost connection fails with `master_lost`, both naming the master's address.
/// Questions are asked again of a master that takes the lost one's place within `client.timeout`.
class cluster_client {
 public:
  /// Errors: `connection_refused`, `authentication`, `timeout`, `unreachable`.
  static result<std::unique_ptr<cluster_client>> connect(const configuration& config,
                                                         const std::string& host,
                                                         std::uint16_t port);
  virtual ~cluster_client() = default;

  /// Bytes sent so far, of how many.
  using upload_progress = std::function<void(std::uint64_t, std::uint64_t)>;
  /// Uploads the library, in chunks, unless the cluster has it; sets `graph.artifact`-checked hash
  /// and submits. `library` may be empty for jobs of built-in operators.
  virtual result<job_id> submit(graph::job_graph graph, const std::filesystem::path& library,
                                const upload_progress& progress) = 0;

  virtual result<wire::job_list> list_jobs() = 0;
  virtual result<wire::job_details> describe(const job_id& job) = 0;
  virtual status cancel(const job_id& job) = 0;
  virtual result<wire::node_list> nodes() = 0;
  virtual result<wire::checkpoint_list> checkpoints(const job_id& job) = 0;
  /// One of those, by subtask.
  virtual result<wire::checkpoint_details> describe_checkpoint(const job_id& job,
                                                               checkpoint_id checkpoint) = 0;
  /// Returns when it is complete, or has failed.
  virtual result<checkpoint_record> take_checkpoint(const job_id& job) = 0;
  /// Returns when it is complete, or has failed. Empty directory: the cluster's.
  virtual result<checkpoint_record> take_savepoint(const job_id& job,
                                                   const std::string& directory) = 0;
  /// Returns when the job has finished, or why it goes on. Joins a stop of the same kind that an
  /// earlier master was asked for.
  virtual result<checkpoint_record> stop(const job_id& job, const std::string& directory,
                                         bool drain) = 0;
  /// For tests: ends an actor of a cluster that obeys chaos.
  virtual status kill(const wire::kill_actor& which) = 0;
  /// A handle to a job of the cluster, for waiting and progress. It goes on after a reconnection.
  virtual result<std::unique_ptr<job_client>> job(const job_id& job) = 0;
};

}  // namespace millrace
