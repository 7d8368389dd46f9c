#pragma once

#include <functional>
#include <memory>

#include "millrace/core/error.hpp"
#include "millrace/core/ids.hpp"
#include "millrace/graph/job_graph.hpp"
#include "millrace/stream/job_program.hpp"

namespace millrace {

/// Where a task manager gets the code of a job. Thread-safe.
class program_provider {
 public:
  virtual ~program_provider() = default;

  /// Whether the job's library must first be fetched from the dispatcher.
  virtual bool needs_artifact(const graph::job_graph& graph) const = 0;
  /// May block (loads a library and runs `build`): called from an I/O thread. `library` is the
  /// stored file if needs_artifact, else empty. Errors: `invalid_library`, `build_function`,
  /// `invalid_graph` if this node's program differs from the submitted graph.
  virtual result<std::shared_ptr<const job_program>> load(const job_id& job,
                                                          const graph::job_graph& graph,
                                                          const std::string& library) = 0;
  /// The job is over on this node.
  virtual void release(const job_id& job) = 0;
};

}  // namespace millrace
