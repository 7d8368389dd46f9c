#pragma once

#include "millrace/actors/program_provider.hpp"
#include "millrace/core/configuration.hpp"

namespace millrace {

/// Programs from job libraries: loads the library, runs its `build` with the job's arguments and
/// configuration, and makes sure that the outcome is the job that was submitted. Libraries are
/// never unloaded (job_library.hpp says why). Thread-safe.
class library_program_provider final : public program_provider {
 public:
  /// `config` is the node's own; the job's settings go over it.
  explicit library_program_provider(configuration config) : config_(std::move(config)) {}

  bool needs_artifact(const graph::job_graph&) const override { return true; }
  result<std::shared_ptr<const job_program>> load(const job_id& job, const graph::job_graph& graph,
                                                  const std::string& library) override;
  void release(const job_id&) override {}

 private:
  configuration config_;
};

}  // namespace millrace
