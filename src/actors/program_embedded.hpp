#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "millrace/actors/program_provider.hpp"

namespace millrace {

/// Programs of jobs that were built in this process: nothing is loaded or built again, a job's
/// graph only has to find the program that came with it. The master decides about a job's id after
/// it was submitted, so the graph itself carries the mark. Thread-safe.
class embedded_program_provider final : public program_provider {
 public:
  /// Keeps the program and marks the graph: among its arguments, which nobody else needs since
  /// `build` never runs again. Returns what forget() takes.
  std::uint64_t add(graph::job_graph& graph, std::shared_ptr<const job_program> program);
  /// The job is over.
  void forget(std::uint64_t mark);

  bool needs_artifact(const graph::job_graph&) const override { return false; }
  result<std::shared_ptr<const job_program>> load(const job_id& job, const graph::job_graph& graph,
                                                  const std::string& library) override;
  /// The program stays for the job's next attempt; see forget().
  void release(const job_id&) override {}

 private:
  std::mutex mutex_;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, std::shared_ptr<const job_program>> programs_;
};

}  // namespace millrace
