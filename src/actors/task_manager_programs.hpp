#pragma once

#include <caf/actor.hpp>
#include <caf/fwd.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "millrace/actors/task_manager.hpp"
#include "millrace/actors/task_manager_artifact.hpp"
#include "millrace/core/io.hpp"

namespace millrace {

/// The code of the jobs that run on this node. A job library is downloaded from the dispatcher once
/// per node, whoever asks for it meanwhile; kept in the blob directory under its SHA-256, which is
/// verified; and loaded once per job, in an I/O thread.
///
/// Part of the task manager's actor: called only from there, and calls back there.
class program_store {
 public:
  using program = std::shared_ptr<const job_program>;
  using callback = std::function<void(const result<program>&)>;

  /// `dispatcher` yields where to download from, null if it is lost. `options` and `io` must
  /// outlive the store.
  program_store(caf::event_based_actor& self, const task_manager_options& options, io_executor& io,
                std::function<caf::actor()> dispatcher);
  ~program_store();

  /// Calls back, later or at once, with the job's program or why there is none. Not if release()
  /// comes first.
  void ensure(const job_id& job, std::shared_ptr<const graph::job_graph> graph, callback done);
  /// The job is over on this node.
  void release(const job_id& job);

 private:
  using stored = std::function<void(const result<std::string>&)>;
  struct download;
  struct entry {
    std::shared_ptr<const graph::job_graph> graph;
    std::vector<callback> waiting;
    program loaded;
  };

  void fetch(const std::string& sha256, stored done);
  void look_in_cache(const std::shared_ptr<download>& d);
  void request_chunk(const std::shared_ptr<download>& d);
  void write_chunk(const std::shared_ptr<download>& d, const wire::artifact_chunk& chunk);
  void finish(const std::shared_ptr<download>& d);
  void end(const std::shared_ptr<download>& d, const result<std::string>& how);
  void load(const job_id& job, const std::string& library);
  void loaded(const job_id& job, const result<program>& outcome);

  caf::event_based_actor& self_;
  const task_manager_options& options_;
  io_executor& io_;
  std::function<caf::actor()> dispatcher_;
  std::map<std::string, std::shared_ptr<download>> downloads_;  // under way, by hash
  std::map<job_id, entry> jobs_;
};

}  // namespace millrace
